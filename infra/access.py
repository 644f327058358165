"""Who may do what: every permission is granted here, on resources by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from aws_cdk import Acknowledgment, Aws, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from pipeline.adapters.aws.inbox import REFUSED
from pipeline.adapters.aws.table import INDEXES
from pipeline.deployment import ARTIFACTS, EVENT_SOURCE, INBOX, Deployment

_GEOGRAPHY = re.compile(r"^(us|us-gov|eu|apac|jp|au|ca|sa|global)\.(?=[a-z])")  #: before a profile's model


def acknowledge(construct: Construct, reason: str, *findings: str) -> None:
    """Tell cdk-nag why what it finds in a construct is as it should be."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=f"AwsSolutions-{finding}", reason=reason) for finding in findings)
    )


def fits(construct: object) -> Any:
    """CDK's classes are what its interfaces ask for, but for names of parameters, which pyright minds."""
    return construct


def queue_named(scope: Construct, id: str, name: str) -> sqs.IQueue:
    """A queue of this account that another stack makes."""
    return sqs.Queue.from_queue_arn(scope, id, Stack.of(scope).format_arn(service="sqs", resource=name))


def role(
    scope: Construct,
    id: str,
    service: str,
    *,
    guarded: bool = False,
    name: str | None = None,
    managed_policy: str = "",
) -> iam.Role:
    """A role that a service of AWS takes; `guarded`, only on behalf of this account."""
    here = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}} if guarded else None
    made = iam.Role(
        scope,
        id,
        role_name=name,
        assumed_by=fits(iam.ServicePrincipal(f"{service}.amazonaws.com", conditions=here)),
    )
    if managed_policy:
        made.add_managed_policy(fits(iam.ManagedPolicy.from_aws_managed_policy_name(managed_policy)))
        finding = f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{managed_policy}]"
        acknowledge(made, "AWS asks for this policy of its own, which can't know our names", finding)
    return made


class Access:
    """Grants what a deployment's workers and functions need; a `*` in a resource needs a reason."""

    def __init__(self, stack: Stack, names: Deployment, secret_arn: str, config_arn: str) -> None:
        self._stack = stack
        self._names = names
        self._secret_arn = secret_arn
        self._config_arn = config_arn

    def work(self, role: iam.Role) -> None:
        """Everything but starting workers: jobs, episodes, artifacts, reviews."""
        self._jobs(role)
        self._ledger(role)
        self._artifacts(role)
        self._allow(role, ["secretsmanager:GetSecretValue"], [self._secret_arn])
        self._allow(role, ["s3:GetObject"], [self._config_arn])

    def dispatch(self, role: iam.Role, task_roles: Iterable[iam.Role]) -> None:
        """Starting workers, giving up those that no instance came for, and looking after all."""
        here = {"ArnEquals": {"ecs:cluster": self._cluster}}
        tasks, why = self._of_cluster("task"), "the ids of one cluster's tasks are not known beforehand"
        family = self._ecs("task-definition", f"{self._names.worker}:*")
        self._allow(role, ["ecs:RunTask"], [family], here, "every deployment makes a revision")
        self._allow(role, ["ecs:StopTask", "ecs:DescribeTasks"], [tasks], here, why)
        created = {"StringEquals": {"ecs:CreateAction": "RunTask"}}
        self._allow(role, ["ecs:TagResource"], [tasks], created, why)
        self._allow(role, ["ecs:ListTasks"], ["*"], here, "lists can only be limited to a cluster")
        self._allow(role, ["ecs:ListContainerInstances"], [self._cluster])
        why = "the ids of one cluster's instances are not known beforehand"
        instances = self._of_cluster("container-instance")
        self._allow(role, ["ecs:DescribeContainerInstances"], [instances], here, why)
        why = "a cluster's providers are asked for without their names"
        self._allow(role, ["ecs:DescribeCapacityProviders"], ["*"], because=why)
        passed = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        self._allow(role, ["iam:PassRole"], [task_role.role_arn for task_role in task_roles], passed)
        prices = ["ec2:DescribeInstances", "ec2:DescribeSpotPriceHistory"]
        self._allow(role, prices, ["*"], because="EC2 can't limit who describes what")
        self._allow(role, ["pricing:GetProducts"], ["*"], because="the price list is everybody's")

    def take_in(self, role: iam.Role) -> None:
        """Files that were put into the inbox, and saying there why one was refused."""
        files, refused, why = self._objects(INBOX), self._objects(REFUSED), "people name the files"
        self._allow(role, ["s3:GetObject", "s3:DeleteObject"], [files], because=why)
        self._allow(role, ["s3:PutObject"], [refused], because=why)

    def protect(self, role: iam.Role) -> None:
        """Workers of a service keep it from ending them while they work."""
        actions, why = ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"], "each protects only itself"
        self._allow(role, actions, [self._of_cluster("task")], because=why)

    def ask(self, role: iam.Role, model: str, region: str) -> None:
        """Workers have a language model correct transcripts: by its id, or through an inference profile,
        which hands questions on to the model in other regions."""
        bare = _GEOGRAPHY.sub("", model)
        models = f"arn:{Aws.PARTITION}:bedrock:*::foundation-model"
        if model.startswith("arn:"):  # of a profile it doesn't tell the model
            resources = [model, *([f"{models}/*"] if "profile/" in model else [])]
        elif bare != model:
            here = f"arn:{Aws.PARTITION}:bedrock:{region}:{Aws.ACCOUNT_ID}"
            resources = [f"{here}:inference-profile/{model}", f"{models}/{bare}"]
        else:
            resources = [f"{models}/{model}"]
        self._allow(role, ["bedrock:InvokeModel"], resources, because="a profile hands on to any region")

    def announce(self, role: iam.Role, stream_arn: str) -> None:
        """Reading the ledger's changes, and what was before them, and telling of them."""
        self._allow(role, ["s3:GetObject"], [self._config_arn])
        self._allow(role, ["dynamodb:Query"], [self._table])
        reading = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        self._allow(role, reading, [stream_arn])
        self._allow(role, ["dynamodb:ListStreams"], ["*"], because="DynamoDB can't limit who lists streams")
        ours = {"StringEquals": {"events:source": EVENT_SOURCE}}
        self._allow(role, ["events:PutEvents"], [self._arn("events", "event-bus/default")], ours)

    def log(self, role: iam.Role, group_arn: str) -> None:
        """Writing to one log group; AWS's own policy for functions lets them write to all."""
        self._allow(role, ["logs:CreateLogStream", "logs:PutLogEvents"], [group_arn])

    def _jobs(self, role: iam.Role) -> None:
        names = self._names.queue, self._names.first_queue, self._names.dead_queue
        queues = [self._arn("sqs", name) for name in names]
        messages = ["SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"]
        actions = [f"sqs:{action}" for action in (*messages, "GetQueueUrl", "GetQueueAttributes")]
        self._allow(role, actions, queues)

    def _ledger(self, role: iam.Role) -> None:
        # A transaction needs the permissions of what it consists of.
        reading, writing = ["GetItem", "BatchGetItem", "Query"], ["PutItem", "UpdateItem", "DeleteItem"]
        resources = [self._table, *(f"{self._table}/index/{index.name}" for index in INDEXES)]
        actions = [f"dynamodb:{action}" for action in (*reading, *writing, "ConditionCheckItem")]
        self._allow(role, actions, resources)

    def _artifacts(self, role: iam.Role) -> None:
        # A large object's tags are put after it, on its version.
        tags = ["PutObjectTagging", "PutObjectVersionTagging"]
        actions = ["GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", *tags]
        artifacts, why = self._objects(ARTIFACTS), "an episode's id is not known beforehand"
        self._allow(role, [f"s3:{action}" for action in actions], [artifacts], because=why)
        # Without it S3 says that a missing object is forbidden.
        self._allow(role, ["s3:ListBucket"], [self._bucket])

    def _allow(
        self,
        role: iam.Role,
        actions: list[str],
        resources: list[str],
        conditions: Mapping[str, Any] | None = None,
        because: str = "",
    ) -> None:
        role.add_to_policy(
            iam.PolicyStatement(actions=actions, resources=resources, conditions=conditions or {})
        )
        broad = [f"IAM5[Resource::{self._text(resource)}]" for resource in resources if "*" in resource]
        if broad:
            assert because
            acknowledge(role, because, *broad)

    def _text(self, arn: str) -> str:
        """An ARN as cdk-nag writes it: with `<AWS::AccountId>` for what is known only on AWS."""
        found: Any = self._stack.resolve(arn)
        parts = [found] if isinstance(found, str) else found.get("Fn::Join", ["", [found]])[1]
        return "".join(part if isinstance(part, str) else f"<{_reference(part)}>" for part in parts)

    @property
    def _cluster(self) -> str:
        return self._ecs("cluster", self._names.cluster)

    @property
    def _table(self) -> str:
        return self._arn("dynamodb", f"table/{self._names.table}")

    @property
    def _bucket(self) -> str:
        return f"arn:{Aws.PARTITION}:s3:::{self._names.bucket(Aws.ACCOUNT_ID)}"

    def _objects(self, prefix: str) -> str:
        return f"{self._bucket}/{prefix}/*"

    def _of_cluster(self, kind: str) -> str:
        return self._ecs(kind, f"{self._names.cluster}/*")

    def _ecs(self, kind: str, name: str) -> str:
        return self._arn("ecs", f"{kind}/{name}")

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{Aws.PARTITION}:{service}:{self._names.region}:{Aws.ACCOUNT_ID}:{resource}"


def _reference(part: dict[str, Any]) -> str:
    attribute: list[str] = part.get("Fn::GetAtt") or [part["Ref"]]
    return ".".join(attribute)
