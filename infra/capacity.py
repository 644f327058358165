"""Managed instances: one capacity provider for each market that instances are bought in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.access import acknowledge, role
from infra.network import Network
from pipeline.config import Aws as Settings
from pipeline.deployment import Deployment
from pipeline.model import Market

WORKER_CPU, WORKER_MIB = 3072, 12288  #: fits the smallest GPU instances, of 4 vCPUs and 16 GiB

_Provider = ecs.CfnCapacityProvider


class Capacity(Construct):
    """The cluster, and `providers`: the name of each market's capacity provider.

    A deployment buys instances with exactly one GPU, so that each has one worker: nobody else's audio
    is on it, and an instance is gone when its worker is. With `shared` it may also buy those with
    several, and has as many workers on one as there are GPUs. That is for types which come only so; the
    workers share disk and network, one that fills the disk fails them all, a spot interruption ends
    them all, and the instance is paid for until the last is done.
    """

    def __init__(self, scope: Construct, aws: Settings, names: Deployment, network: Network) -> None:
        super().__init__(scope, "Capacity")
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=names.cluster,
            vpc=network.vpc,
            container_insights_v2=ecs.ContainerInsights.DISABLED,
        )
        acknowledge(self.cluster, "Proofcast records itself what it would be paid to tell", "ECS4")
        policy = "AmazonECSInfrastructureRolePolicyForManagedInstances"
        self._infrastructure_role = role(self, "InfrastructureRole", "ecs", managed_policy=policy)
        self._profile = _instance_profile(self, names)
        self.providers: Mapping[Market, str] = {
            market: self._provider(aws, names, network, market) for market in aws.markets
        }

    def _provider(self, aws: Settings, names: Deployment, network: Network, market: Market) -> str:
        """A provider's name tells its properties: CloudFormation can't replace one by one of its name,
        and most changes of a provider are only had by replacing it."""
        template = _Provider.InstanceLaunchTemplateProperty(
            capacity_option_type={Market.SPOT: "SPOT", Market.ON_DEMAND: "ON_DEMAND"}[market],
            ec2_instance_profile_arn=self._profile.attr_arn,
            instance_requirements=_requirements(aws),
            network_configuration=_Provider.ManagedInstancesNetworkConfigurationProperty(
                subnets=[subnet.subnet_id for subnet in network.subnets],
                security_groups=[network.security_group.security_group_id],
            ),
            monitoring="BASIC",
            storage_configuration=_Provider.ManagedInstancesStorageConfigurationProperty(
                storage_size_gib=aws.storage_gib
            ),
            local_storage_configuration=_Provider.ManagedInstancesLocalStorageConfigurationProperty(
                use_local_storage=True
            )
            if aws.local_storage
            else None,
        )
        properties = _Provider.ManagedInstancesProviderProperty(
            infrastructure_role_arn=self._infrastructure_role.role_arn,
            instance_launch_template=template,
            infrastructure_optimization=_Provider.InfrastructureOptimizationProperty(
                scale_in_after=aws.scale_in_after_s
            ),
            propagate_tags="CAPACITY_PROVIDER",
        )
        known = json.dumps(Stack.of(self).resolve(properties), sort_keys=True)
        name = f"{names.name}-{market}-{hashlib.sha256(known.encode()).hexdigest()[:8]}"
        _Provider(
            self,
            market.title().replace("-", ""),
            name=name,
            cluster_name=self.cluster.cluster_name,
            managed_instances_provider=properties,
        )
        return name


def _requirements(aws: Settings) -> ecs.CfnCapacityProvider.InstanceRequirementsRequestProperty:
    """What the worker needs, among the types that the config allows."""
    return _Provider.InstanceRequirementsRequestProperty(
        v_cpu_count=_Provider.VCpuCountRangeRequestProperty(min=WORKER_CPU // 1024),
        memory_mib=_Provider.MemoryMiBRequestProperty(min=WORKER_MIB),
        allowed_instance_types=list(aws.instance_types),
        accelerator_types=["gpu"],
        accelerator_manufacturers=["nvidia"],
        accelerator_count=_Provider.AcceleratorCountRequestProperty(min=1, max=None if aws.shared else 1),
        local_storage="required" if aws.local_storage else None,
    )


def _instance_profile(scope: Construct, names: Deployment) -> iam.CfnInstanceProfile:
    """An instance's own role: the infrastructure role's policy lets it pass only names like this one."""
    own = role(
        scope,
        "InstanceRole",
        "ec2",
        name=f"ecsInstanceRole-{names.name}-{names.region}",
        managed_policy="AmazonECSInstanceRolePolicyForManagedInstances",
    )
    return iam.CfnInstanceProfile(scope, "InstanceProfile", roles=[own.role_name])
