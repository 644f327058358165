"""The worker's task, and with `dispatch = "service"` the service that runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.access import Access, acknowledge, fits, queue_named, role
from infra.capacity import WORKER_CPU, WORKER_MIB, Capacity
from pipeline.config import Aws as Settings
from pipeline.deployment import IN_ECR, Deployment

_NOTICE = Duration.seconds(120)  #: of a spot interruption; ECS grants no more
_A_MINUTE = Duration.minutes(1)
_JOBS_A_WORKER = 4  #: before a service gets another worker


@dataclass(frozen=True, kw_only=True)
class Image:
    """Where the worker's image comes from: its URI, or the folder it is built from, with a model."""

    uri: str = ""
    context: Path = Path()
    model: str = "auto"

    def of(self, scope: Construct) -> ecs.ContainerImage:
        """As a task definition wants it, with the right to pull it."""
        in_ecr = IN_ECR.fullmatch(self.uri)
        if in_ecr:
            account, region, name, tag, digest = in_ecr.groups()
            arn = Stack.of(scope).format_arn(
                service="ecr", resource="repository", resource_name=name, region=region, account=account
            )
            repository = ecr.Repository.from_repository_attributes(
                scope, "Repository", repository_arn=arn, repository_name=name
            )
            return ecs.ContainerImage.from_ecr_repository(repository, digest or tag)
        if self.uri:
            return ecs.ContainerImage.from_registry(self.uri)
        return ecs.ContainerImage.from_asset(
            str(self.context),
            platform=ecr_assets.Platform.LINUX_AMD64,
            build_args={} if self.model == "auto" else {"MODEL": self.model},
        )


class Worker(Construct):
    """The task definition. It is nothing that runs: the poller starts tasks of it, or the service."""

    def __init__(
        self,
        scope: Construct,
        aws: Settings,
        names: Deployment,
        image: Image,
        config_url: str,
        environment: dict[str, str],
    ) -> None:
        super().__init__(scope, "Worker")
        self.role = role(self, "Role", "ecs-tasks", guarded=True)
        self.execution_role = role(self, "ExecutionRole", "ecs-tasks")
        self.definition = ecs.TaskDefinition(
            self,
            "Task",
            family=names.worker,
            compatibility=ecs.Compatibility.MANAGED_INSTANCES,
            # A task with an address of its own never gets a public one; the instance has.
            network_mode=ecs.NetworkMode.HOST,
            cpu=str(WORKER_CPU),
            memory_mib=str(WORKER_MIB),
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
            task_role=fits(self.role),
            execution_role=fits(self.execution_role),
        )
        drain = ["--drain"] if aws.dispatch == "tasks" else []
        self.definition.add_container(
            "Container",
            container_name=names.worker,
            image=image.of(self),
            command=["python", "-m", "worker", "--config", config_url, *drain],
            gpu_count=1,
            stop_timeout=_NOTICE,
            # As the first process, ours would not hear that it shall end before it listens for that.
            linux_parameters=ecs.LinuxParameters(self, "Linux", init_process_enabled=True),
            environment={**environment, "AWS_DEFAULT_REGION": aws.region},
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix="worker",
                log_group=logs.LogGroup(
                    self,
                    "Log",
                    log_group_name=names.worker_log,
                    retention=logs.RetentionDays.ONE_MONTH,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
            ),
        )
        acknowledge(self.definition, "only where the config is, and which code this is", "ECS2")
        acknowledge(self.execution_role, "ECR's login is for no one repository", "IAM5[Resource::*]")


class Service(Construct):
    """Workers that CloudWatch starts and ends, by jobs that wait or are being worked on.

    It buys in the preferred market only: ECS never goes from one provider of a strategy to another.
    """

    def __init__(
        self,
        scope: Construct,
        aws: Settings,
        names: Deployment,
        capacity: Capacity,
        worker: Worker,
        access: Access,
    ) -> None:
        super().__init__(scope, "Service")
        access.protect(worker.role)
        provider = capacity.providers[aws.markets[0]]
        # Of the constructs above this one, one refuses the task, the other demands a network of its own.
        service = ecs.CfnService(
            self,
            "Service",
            cluster=capacity.cluster.cluster_name,
            service_name=names.service,
            task_definition=worker.definition.task_definition_arn,
            desired_count=0,
            capacity_provider_strategy=[
                ecs.CfnService.CapacityProviderStrategyItemProperty(capacity_provider=provider, weight=1)
            ],
            deployment_configuration=ecs.CfnService.DeploymentConfigurationProperty(
                minimum_healthy_percent=0, maximum_percent=100
            ),
            enable_ecs_managed_tags=True,
            propagate_tags="TASK_DEFINITION",
        )
        service.node.add_dependency(capacity)
        target = scaling.ScalableTarget(
            self,
            "Target",
            service_namespace=scaling.ServiceNamespace.ECS,
            min_capacity=0,
            max_capacity=aws.max_workers,
            resource_id=f"service/{names.cluster}/{names.service}",
            scalable_dimension="ecs:service:DesiredCount",
        )
        target.node.add_dependency(service)
        target.scale_on_metric(
            "Jobs",
            metric=_backlog(self, names),
            adjustment_type=scaling.AdjustmentType.EXACT_CAPACITY,
            evaluation_periods=1,
            cooldown=_A_MINUTE,
            scaling_steps=_steps(aws.max_workers),
        )


def _backlog(scope: Construct, names: Deployment) -> cloudwatch.MathExpression:
    """A job in hand counts as well: else its worker would be ended once none waits."""
    queue = queue_named(scope, "Jobs", names.queue)
    return cloudwatch.MathExpression(
        expression="FILL(waiting, 0) + FILL(leased, 0)",
        label="jobs",
        period=_A_MINUTE,
        using_metrics={
            "waiting": queue.metric_approximate_number_of_messages_visible(
                period=_A_MINUTE, statistic="Maximum"
            ),
            "leased": queue.metric_approximate_number_of_messages_not_visible(
                period=_A_MINUTE, statistic="Maximum"
            ),
        },
    )


def _steps(most: int) -> list[scaling.ScalingInterval]:
    """No worker without a job, then twice as many with ever more jobs."""
    counts = [1]
    while counts[-1] < most:
        counts.append(min(2 * counts[-1], most))
    return [
        scaling.ScalingInterval(upper=0, change=0),
        *(
            scaling.ScalingInterval(lower=1 if count == 1 else _JOBS_A_WORKER * (count - 1), change=count)
            for count in counts
        ),
    ]
