"""Where instances run: with a way out, and none in."""

from __future__ import annotations

from aws_cdk import Fn
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.access import acknowledge, fits
from pipeline.config import Aws as Settings

_ZONES = 3  #: more zones are more pools of spot instances, and cost nothing
_FEWER_ZONES = {"us-west-1": 2}  #: all that an account sees there

_PRIVATE = ec2.SubnetConfiguration(name="private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)

_Service = ec2.InterfaceVpcEndpointAwsService
_ENDPOINTS = {
    "Sqs": _Service.SQS,
    "Ecs": _Service.ECS,
    "EcsAgent": _Service.ECS_AGENT,
    "EcsTelemetry": _Service.ECS_TELEMETRY,
    "Ecr": _Service.ECR,
    "EcrDocker": _Service.ECR_DOCKER,
    "Logs": _Service.CLOUDWATCH_LOGS,
    "Secrets": _Service.SECRETS_MANAGER,
    "Sts": _Service.STS,
    "Events": _Service.EVENTBRIDGE,
}


class Network(Construct):
    """A VPC of one's own.

    `public`: instances have public addresses and a security group that lets nothing in. Costs nothing
    while none runs.

    `nat`: they have none, and go out through one NAT gateway, which is paid by the hour.

    `endpoints`: as `nat`, and what goes to AWS itself stays within it, through an interface endpoint
    for each service, which are paid by the hour and zone. They can't take the NAT gateway's place:
    audio and GitHub are on the internet.
    """

    def __init__(self, scope: Construct, aws: Settings) -> None:
        super().__init__(scope, "Network")
        public = aws.network == "public"
        zones = _FEWER_ZONES.get(aws.region, _ZONES)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            # Left to itself, CDK takes two where it does not know the account.
            availability_zones=[Fn.select(number, Fn.get_azs()) for number in range(zones)],
            nat_gateways=0 if public else 1,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=public
                ),
                *([] if public else [_PRIVATE]),
            ],
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        self.subnets = self.vpc.public_subnets if public else self.vpc.private_subnets
        self.security_group = ec2.SecurityGroup(
            self, "Workers", vpc=self.vpc, description="Nothing in; out to feeds, audio, GitHub and AWS"
        )
        acknowledge(self.vpc, "nothing can come in, and flow logs are paid by what goes out", "VPC7")
        if aws.network == "endpoints":
            self._add_endpoints()

    def _add_endpoints(self) -> None:
        group = ec2.SecurityGroup(
            self, "Endpoints", vpc=fits(self.vpc), description="Workers to AWS", allow_all_outbound=False
        )
        group.add_ingress_rule(fits(self.security_group), ec2.Port.HTTPS)
        for name, service in _ENDPOINTS.items():
            self.vpc.add_interface_endpoint(name, service=service, security_groups=[group], open=False)
