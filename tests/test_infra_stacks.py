"""What the templates promise: what runs, what costs while nothing does, what is kept, who may do what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pkgutil import resolve_name
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint_file

from pipeline.adapters.aws.records import events_of
from pipeline.adapters.aws.secrets import UNSET
from pipeline.adapters.aws.table import definition
from pipeline.deployment import ARTIFACTS, INBOX
from pipeline.tariff import ALARMS, ENDPOINTS, SERVICE_ALARMS, ZONES
from tests.infra_site import KINDS, Site, Template, text


def test_nobody_pays_for_a_way_out_while_nothing_runs(infra_site: Site) -> None:
    stack = infra_site.stack()
    for kind in ("EC2::NatGateway", "EC2::EIP", "ECS::Service", "EC2::Instance", "RDS::DBInstance"):
        assert stack.all(kind) == []
    endpoints = stack.all("EC2::VPCEndpoint")
    assert sorted(text(each["ServiceName"]).rpartition(".")[2] for each in endpoints) == ["dynamodb", "s3"]
    assert {each["VpcEndpointType"] for each in endpoints} == {"Gateway"}
    assert {subnet["MapPublicIpOnLaunch"] for subnet in stack.all("EC2::Subnet")} == {True}


@pytest.mark.parametrize(("kind", "endpoints"), [("nat", 0), ("endpoints", 10)])
def test_private_networks_have_one_nat_gateway(infra_site: Site, kind: str, endpoints: int) -> None:
    stack = infra_site.stack(kind)
    assert len(stack.all("EC2::NatGateway")) == 1
    assert {subnet["MapPublicIpOnLaunch"] for subnet in stack.all("EC2::Subnet")} == {False}
    interfaces = [each for each in stack.all("EC2::VPCEndpoint") if each["VpcEndpointType"] == "Interface"]
    assert len(interfaces) == endpoints
    private = {
        name
        for name, resource in stack.document["Resources"].items()
        if resource["Type"] == "AWS::EC2::Subnet" and "private" in name
    }
    for provider in stack.all("ECS::CapacityProvider"):
        network = _template_of(provider)["NetworkConfiguration"]
        assert {subnet["Ref"] for subnet in network["Subnets"]} == private


def test_nothing_comes_in(infra_site: Site) -> None:
    for kind in KINDS:
        stack = infra_site.stack(kind)
        assert all("SecurityGroupIngress" not in group for group in stack.all("EC2::SecurityGroup"))
        (provider, *_) = stack.all("ECS::CapacityProvider")
        workers = _template_of(provider)["NetworkConfiguration"]["SecurityGroups"]
        for rule in stack.all("EC2::SecurityGroupIngress"):  # of endpoints, from workers
            assert rule["GroupId"] not in workers
            assert rule["SourceSecurityGroupId"] in workers


def test_three_zones_where_an_account_has_them(infra_site: Site) -> None:
    assert len(infra_site.stack().all("EC2::Subnet")) == 3
    assert len(infra_site.stack("all-of-it-twenty-four-ch").all("EC2::Subnet")) == 2


def test_a_provider_for_each_market_buys_one_gpu_an_instance(infra_site: Site) -> None:
    for kind in KINDS:
        aws = infra_site.settings(kind)
        providers = infra_site.stack(kind).all("ECS::CapacityProvider")
        markets = [_template_of(provider)["CapacityOptionType"] for provider in providers]
        assert markets == [market.upper().replace("-", "_") for market in aws.markets]
        for provider in providers:
            wanted = _template_of(provider)["InstanceRequirements"]
            assert wanted["AllowedInstanceTypes"] == list(aws.instance_types)
            assert wanted["AcceleratorManufacturers"] == ["nvidia"]
            assert wanted["AcceleratorCount"] == ({"Min": 1} if aws.shared else {"Min": 1, "Max": 1})
            managed = provider["ManagedInstancesProvider"]
            assert managed["InfrastructureOptimization"] == {"ScaleInAfter": aws.scale_in_after_s}
            assert managed["PropagateTags"] == "CAPACITY_PROVIDER"
            assert _template_of(provider)["StorageConfiguration"] == {"StorageSizeGiB": aws.storage_gib}
            local = {"UseLocalStorage": True} if aws.local_storage else None
            assert _template_of(provider).get("LocalStorageConfiguration") == local


def test_a_providers_name_changes_with_its_properties_alone(infra_site: Site) -> None:
    names = {kind: _provider_names(infra_site.stack(kind)) for kind in KINDS}
    assert re.fullmatch(r"proofcast-spot-[0-9a-f]{8}", names["proofcast"]["SPOT"])
    hashes = {
        kind: {market: name.rpartition("-")[2] for market, name in of.items()} for kind, of in names.items()
    }
    # Subnets and the like have one name in every template, so twins have all but their own name in common.
    assert hashes["proofcast"] == hashes["twin"]
    assert hashes["endpoints"]["SPOT"] != hashes["proofcast"]["SPOT"]
    assert len(set(hashes["proofcast"].values())) == 2


def test_the_worker_is_one_task_with_a_gpu_on_the_instances_own_network(infra_site: Site) -> None:
    for kind in KINDS:
        names, task = infra_site.names(kind), infra_site.stack(kind).one("ECS::TaskDefinition")
        assert (task["Family"], task["NetworkMode"]) == (names.worker, "host")
        assert task["RequiresCompatibilities"] == ["MANAGED_INSTANCES"]
        assert (int(task["Cpu"]), int(task["Memory"])) <= (4096, 16384)
        (container,) = task["ContainerDefinitions"]
        assert container["Name"] == names.worker
        assert container["ResourceRequirements"] == [{"Type": "GPU", "Value": "1"}]
        assert container["StopTimeout"] == 120
        log = container["LogConfiguration"]["Options"]
        assert log["awslogs-stream-prefix"] == "worker"
        drains = infra_site.settings(kind).dispatch == "tasks"
        command = container["Command"]
        assert [*command[:4], *command[5:]] == ["python", "-m", "worker", "--config", *["--drain"] * drains]
        assert text(command[4]).startswith("s3://cdk-")


def test_an_image_of_ones_own_may_be_pulled_and_no_other(infra_site: Site) -> None:
    stack = infra_site.stack("all-of-it-twenty-four-ch")
    (container,) = stack.one("ECS::TaskDefinition")["ContainerDefinitions"]
    assert text(container["Image"]).startswith("123456789012.dkr.ecr.us-east-1.")
    assert _resources(stack, "ecr:BatchGetImage") == {
        "arn:<AWS::Partition>:ecr:us-east-1:123456789012:repository/mine/worker"
    }


def test_nothing_secret_is_in_the_environment(infra_site: Site) -> None:
    for kind in KINDS:
        stack = infra_site.stack(kind)
        (container,) = stack.one("ECS::TaskDefinition")["ContainerDefinitions"]
        inside = {each["Name"] for each in container["Environment"]}
        assert inside - {"PROOFCAST_MODEL"} == {"PROOFCAST_VERSION", "PROOFCAST_CODE", "AWS_DEFAULT_REGION"}
        assert ("PROOFCAST_MODEL" in inside) is (kind != "all-of-it-twenty-four-ch")
        for function in stack.all("Lambda::Function"):
            assert {*function["Environment"]["Variables"]} == {
                "PROOFCAST_VERSION",
                "PROOFCAST_CODE",
                "PROOFCAST_CONFIG",
            }


def test_a_service_starts_with_none_and_follows_all_jobs(infra_site: Site) -> None:
    stack = infra_site.stack("service")
    service, target = stack.one("ECS::Service"), stack.one("ApplicationAutoScaling::ScalableTarget")
    assert service["DesiredCount"] == 0
    assert "NetworkConfiguration" not in service  # ECS refuses it on the instance's network
    assert "LaunchType" not in service
    assert service["ServiceName"] == infra_site.names("service").service
    bought = [each["CapacityProvider"] for each in service["CapacityProviderStrategy"]]
    assert bought == [_provider_names(stack)["ON_DEMAND"]]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 9)
    assert target["ResourceId"] == "service/service/service-workers"
    policies = stack.all("ApplicationAutoScaling::ScalingPolicy")
    steps = [
        step["ScalingAdjustment"]
        for policy in policies
        for step in policy["StepScalingPolicyConfiguration"]["StepAdjustments"]
    ]
    assert sorted(steps) == [0, 1, 2, 4, 8, 9]
    measured = [
        metric["MetricStat"]["Metric"]["MetricName"]
        for alarm in stack.all("CloudWatch::Alarm")
        for metric in alarm.get("Metrics", [])
        if "MetricStat" in metric
    ]
    assert set(measured) == {"ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"}


def test_only_a_service_scales(infra_site: Site) -> None:
    for kind in KINDS:
        stack = infra_site.stack(kind)
        for what in ("ECS::Service", "ApplicationAutoScaling::ScalableTarget"):
            assert bool(stack.all(what)) == (infra_site.settings(kind).dispatch == "service")


def test_the_table_is_the_one_that_the_ledger_expects(infra_site: Site) -> None:
    for kind in KINDS:
        table, expected = (
            infra_site.data(kind).one("DynamoDB::Table"),
            definition(infra_site.names(kind).table),
        )
        for attribute in ("TableName", "BillingMode", "KeySchema"):
            assert table[attribute] == expected[attribute]
        for attribute in ("AttributeDefinitions", "GlobalSecondaryIndexes"):
            assert _sorted(table[attribute]) == _sorted(expected[attribute])
        assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_what_is_stored_is_encrypted_and_private(infra_site: Site) -> None:
    for kind, template in infra_site.both():
        for queue in template.all("SQS::Queue"):
            assert queue["SqsManagedSseEnabled"] is True
        for bucket in template.all("S3::Bucket"):
            assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
            assert "BucketEncryption" in bucket
        for table in template.all("DynamoDB::Table"):
            assert table["SSESpecification"] == {"SSEEnabled": True}
        policies = [
            *template.all("SQS::QueuePolicy"),
            *template.all("S3::BucketPolicy"),
            *template.all("SNS::TopicPolicy"),
        ]
        for policy in policies:
            statements = policy["PolicyDocument"]["Statement"]
            refused = [each for each in statements if each["Effect"] == "Deny"]
            assert [each["Condition"] for each in refused] == [{"Bool": {"aws:SecureTransport": "false"}}], (
                kind
            )


def test_episodes_and_artifacts_outlive_their_stack(infra_site: Site) -> None:
    data = infra_site.data()
    for kind in ("DynamoDB::Table", "S3::Bucket"):
        (resource,) = data.resources(kind)
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    # None of it is in the stack that comes and goes, where its name would be taken at the second coming.
    for kind in ("DynamoDB::Table", "S3::Bucket", "SecretsManager::Secret"):
        assert infra_site.stack().all(kind) == []
    assert {queue.get("QueueName") for queue in infra_site.stack().all("SQS::Queue")} == {None}


def test_a_token_is_never_in_a_template(infra_site: Site) -> None:
    secret = infra_site.data().one("SecretsManager::Secret")
    assert secret["Name"] == infra_site.names("proofcast").github_token
    assert secret["SecretString"] == UNSET == "unset"  # a change would overwrite a person's token


def test_audio_gets_cheaper_and_goes(infra_site: Site) -> None:
    rules = {rule["Id"]: rule for rule in _rules(infra_site.data())}
    assert rules["audio"]["Prefix"] == f"{ARTIFACTS}/"
    assert rules["audio"]["TagFilters"] == [{"Key": "kind", "Value": "audio"}]
    assert rules["audio"]["ExpirationInDays"] == 90
    assert rules["audio"]["Transitions"] == [{"StorageClass": "STANDARD_IA", "TransitionInDays": 30}]
    assert rules["undo"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    forever = {rule["Id"]: rule for rule in _rules(infra_site.data("all-of-it-twenty-four-ch"))}
    assert "ExpirationInDays" not in forever["audio"]
    assert "Transitions" in forever["audio"]


def test_a_job_is_given_up_late(infra_site: Site) -> None:
    names = infra_site.names("proofcast")
    queues = {queue["QueueName"]: queue for queue in infra_site.data().all("SQS::Queue")}
    dead = queues.pop(names.dead_queue)
    assert set(queues) == {names.queue, names.first_queue}
    for jobs in queues.values():
        assert jobs["RedrivePolicy"]["maxReceiveCount"] == 50
        assert jobs["VisibilityTimeout"] == 60
        assert jobs["MessageRetentionPeriod"] == dead["MessageRetentionPeriod"] == 14 * 86400


def test_the_functions_are_there_under_their_names(infra_site: Site) -> None:
    names = infra_site.names("proofcast")
    functions = {each["FunctionName"]: each for each in infra_site.stack().all("Lambda::Function")}
    assert set(functions) == {names.poller, names.announcer}
    for function in functions.values():
        assert callable(
            resolve_name(function["Handler"].replace(".handle", ":handle").replace(".ann", ":ann"))
        )
        assert (function["Architectures"], function["Runtime"]) == (["arm64"], "python3.13")
        assert "ReservedConcurrentExecutions" not in function
    logs = {
        each["LogGroupName"]: each["RetentionInDays"] for each in infra_site.stack().all("Logs::LogGroup")
    }
    assert logs == dict.fromkeys((names.worker_log, names.poller_log, "/proofcast/announcer"), 30)


def test_the_poller_is_called_by_the_clock_and_by_files(infra_site: Site) -> None:
    stack = infra_site.stack()
    schedules = {
        each["Target"]["Input"]: each["ScheduleExpression"] for each in stack.all("Scheduler::Schedule")
    }
    assert schedules == {
        '{"do": "poll"}': f"rate({infra_site.settings('proofcast').poll_min} minutes)",
        '{"do": "dispatch"}': "rate(2 minutes)",
        '{"do": "sync"}': "rate(60 minutes)",
    }
    pattern = stack.one("Events::Rule")["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    assert pattern["detail"]["object"] == {"key": [{"prefix": f"{INBOX}/"}]}
    bucket = infra_site.data().one("S3::Bucket")
    assert pattern["detail"]["bucket"] == {"name": [bucket["BucketName"]]}
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_the_announcer_hears_of_new_lines_of_histories_alone(infra_site: Site) -> None:
    mapping = infra_site.stack().one("Lambda::EventSourceMapping")
    (only,) = mapping["FilterCriteria"]["Filters"]
    pattern = json.loads(only["Pattern"])
    assert pattern["eventName"] == ["INSERT"]
    (prefix,) = pattern["dynamodb"]["Keys"]["pk"]["S"]
    assert prefix == {"prefix": events_of("")}
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == 5
    assert "OnFailure" in mapping["DestinationConfig"]


def test_people_hear_of_what_needs_them(infra_site: Site) -> None:
    stack, quiet = infra_site.stack("all-of-it-twenty-four-ch"), infra_site.stack()
    alarms = stack.all("CloudWatch::Alarm")
    assert len(alarms) == ALARMS
    assert all(alarm["AlarmActions"] and alarm["AlarmDescription"] for alarm in alarms)
    silent = [alarm for alarm in alarms if alarm["TreatMissingData"] == "breaching"]
    assert [(alarm["MetricName"], alarm["Period"], alarm["Threshold"]) for alarm in silent] == [
        ("Invocations", 1800, 1)
    ]
    assert [each["Endpoint"] for each in stack.all("SNS::Subscription")] == ["me@example.com"]
    budget = stack.one("Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 20, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"] == {
        "TagKeyValue": ["user:proofcast:deployment$all-of-it-twenty-four-ch"]
    }
    shares = [each["Notification"]["Threshold"] for each in budget["NotificationsWithSubscribers"]]
    assert shares == [50, 80, 100]
    assert quiet.all("Budgets::Budget") == quiet.all("SNS::Subscription") == []


def test_what_stands_is_what_costs_are_reckoned_with(infra_site: Site) -> None:
    assert len(infra_site.stack("service").all("CloudWatch::Alarm")) == ALARMS + SERVICE_ALARMS
    interfaces = [
        each
        for each in infra_site.stack("endpoints").all("EC2::VPCEndpoint")
        if each["VpcEndpointType"] == "Interface"
    ]
    assert [len(each["SubnetIds"]) for each in interfaces] == [ZONES] * ENDPOINTS
    assert len(infra_site.data().all("SecretsManager::Secret")) == 1


def test_alarms_and_budgets_may_publish(infra_site: Site) -> None:
    policy = infra_site.stack().one("SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    (allowed,) = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]}


# Who may do what.

# Actions that AWS limits to no resource; those of ECS are limited to a cluster by a condition.
UNLIMITED = {
    "pricing:GetProducts",
    "ecs:DescribeCapacityProviders",
    "dynamodb:ListStreams",
    "ec2:DescribeInstances",
    "ec2:DescribeSpotPriceHistory",
    "ecr:GetAuthorizationToken",
    "ecs:ListTasks",
}


def test_nobody_may_do_everything(infra_site: Site) -> None:
    for _, template in infra_site.both():
        for statement in template.statements:
            assert not [action for action in statement["Action"] if "*" in action]
            if "*" in statement["Resource"]:
                assert set(statement["Action"]) <= UNLIMITED


def test_of_cdks_assets_only_the_config_may_be_read(infra_site: Site) -> None:
    for kind in KINDS:
        stack = infra_site.stack(kind)
        (container,) = stack.one("ECS::TaskDefinition")["ContainerDefinitions"]
        config = text(container["Command"][4]).removeprefix("s3://")
        read = {each for each in _resources(stack, "s3:GetObject") if "cdk-" in each}
        assert read == {f"arn:<AWS::Partition>:s3:::{config}"}


def test_a_worker_may_work_and_nothing_else(infra_site: Site) -> None:
    may = {action.partition(":")[0] for action in _actions(infra_site.stack(), "WorkerRole")}
    assert may == {"sqs", "dynamodb", "s3", "secretsmanager"}
    protecting = {"ecs:GetTaskProtection", "ecs:UpdateTaskProtection"}
    serving = _actions(infra_site.stack("service"), "WorkerRole")
    assert serving - _actions(infra_site.stack(), "WorkerRole") == protecting | {"bedrock:InvokeModel"}


def test_a_worker_may_ask_the_language_model_that_the_config_names_and_no_other(infra_site: Site) -> None:
    assert _resources(infra_site.stack("nat"), "bedrock:InvokeModel") == {
        "arn:<AWS::Partition>:bedrock:eu-west-1:<AWS::AccountId>:inference-profile/eu.anthropic.some-model-v1:0",
        "arn:<AWS::Partition>:bedrock:*::foundation-model/anthropic.some-model-v1:0",
    }
    assert _resources(infra_site.stack("service"), "bedrock:InvokeModel") == {
        "arn:<AWS::Partition>:bedrock:*::foundation-model/amazon.some-model-v1:0"
    }


def test_only_the_poller_starts_workers_and_only_these(infra_site: Site) -> None:
    stack = infra_site.stack()
    starting = [each for each in stack.statements if "ecs:RunTask" in each["Action"]]
    (start,) = starting
    assert "PollerRole" in text(start["Roles"][0])
    assert start["Resource"] == [
        "arn:<AWS::Partition>:ecs:eu-west-1:<AWS::AccountId>:task-definition/proofcast-worker:*"
    ]
    cluster = {"ecs:cluster": "arn:<AWS::Partition>:ecs:eu-west-1:<AWS::AccountId>:cluster/proofcast"}
    assert {key: text(value) for key, value in start["Condition"]["ArnEquals"].items()} == cluster
    (passing,) = [each for each in stack.statements if "iam:PassRole" in each["Action"]]
    assert len(passing["Resource"]) == 2
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_the_instances_role_has_a_name_that_may_be_passed(infra_site: Site) -> None:
    for kind in KINDS:
        named = [role["RoleName"] for role in infra_site.stack(kind).all("IAM::Role") if "RoleName" in role]
        (name,) = named
        assert name.startswith("ecsInstanceRole")
        assert len(name) <= 64


# All of them together.


def test_deployments_share_no_name(infra_site: Site) -> None:
    seen: dict[tuple[str, str], str] = {}
    for kind, template in infra_site.both():
        for type_, name in _given_names(template):
            assert seen.setdefault((type_, name), kind) == kind
    assert len(seen) > 12 * len(KINDS)


def test_everything_that_costs_carries_the_deployments_tag(infra_site: Site) -> None:
    costly = "DynamoDB::Table SQS::Queue S3::Bucket SecretsManager::Secret ECS::CapacityProvider"
    costly += " ECS::TaskDefinition Lambda::Function Logs::LogGroup EC2::NatGateway CloudWatch::Alarm"
    for kind, template in infra_site.both():
        for tagged in (each for what in costly.split() for each in template.all(what)):
            assert {"Key": "proofcast:deployment", "Value": kind} in tagged["Tags"]
    for provider in infra_site.stack("all-of-it-twenty-four-ch").all("ECS::CapacityProvider"):
        assert {"Key": "team", "Value": "audio"} in provider["Tags"]


def test_cdk_nag_finds_nothing_that_is_not_explained(infra_site: Site) -> None:
    assert infra_site.nag == []


@pytest.mark.parametrize("stack", ["proofcast-data", "service", "endpoints", "all-of-it-twenty-four-ch"])
def test_cfn_lint_finds_nothing(infra_site: Site, stack: str) -> None:
    needless = "W3005"  # CDK writes dependencies that references imply
    found = lint_file(infra_site.path(stack), ManualArgs(ignore_checks=[needless], regions=["us-west-1"]))
    assert [f"{match.rule.id} {match.message}" for match in found] == []


def _template_of(provider: dict[str, Any]) -> dict[str, Any]:
    return provider["ManagedInstancesProvider"]["InstanceLaunchTemplate"]


def _provider_names(stack: Template) -> dict[str, str]:
    """By market."""
    providers = stack.all("ECS::CapacityProvider")
    return {_template_of(provider)["CapacityOptionType"]: provider["Name"] for provider in providers}


def _rules(data: Template) -> list[dict[str, Any]]:
    return data.one("S3::Bucket")["LifecycleConfiguration"]["Rules"]


def _sorted(values: list[Any]) -> list[Any]:
    return sorted(values, key=str)


def _resources(stack: Template, action: str) -> set[str]:
    """All that any role may do this to."""
    return {
        each
        for statement in stack.statements
        if action in statement["Action"]
        for each in statement["Resource"]
    }


def _actions(stack: Template, role: str) -> set[str]:
    return {
        action
        for statement in stack.statements
        if any(text(each).strip("<>").startswith(role) for each in statement["Roles"])
        for action in statement["Action"]
    }


def _given_names(template: Template) -> Iterable[tuple[str, str]]:
    """Names that were not left to CloudFormation to make up, with what they are the names of."""
    for resource in template.resources():
        kind = resource["Type"]
        keys = ("Name", f"{kind.rpartition('::')[2]}Name", "Family")
        if kind != "AWS::IAM::Policy":  # one role's own
            yield from (
                (kind, text(name)) for key in keys if (name := resource.get("Properties", {}).get(key))
            )
