"""What outlives a deployment: the ledger, the jobs, the artifacts, the token.

It is a stack of its own. `proofcast destroy` leaves it, and a later `proofcast deploy` goes on with it:
in one stack with the rest, its names would be taken by then, and CloudFormation would fail.
"""

from __future__ import annotations

from aws_cdk import Aws, Duration, Environment, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secrets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.access import acknowledge
from pipeline.adapters.aws.secrets import UNSET
from pipeline.adapters.aws.table import INDEXES, PARTITION_KEY, SORT_KEY
from pipeline.config import Aws as Settings
from pipeline.deployment import ARTIFACTS, Deployment

# On SQS a job that is given back was received like one that failed, and spot instances give back a lot.
# What fails with an error is given up by the worker, after `max_attempts`; this only ends a job that
# takes every worker down with it.
_MAX_RECEIVES = 50
_LEASE = Duration.seconds(60)  #: workers renew it; what they ask for counts, this is for other readers
_KEPT = Duration.days(14)  #: the longest that SQS keeps a message

_RARELY_READ = Duration.days(30)  #: the age at which audio moves to the cheaper class
_WORTH_MOVING_DAYS = 60  #: that class bills thirty days at least
_UNDO = Duration.days(14)  #: in which a deleted or overwritten object can be brought back


class DataStack(Stack):
    """`stream_arn` and `secret_arn` are known only on AWS; all else goes by its name."""

    def __init__(self, scope: Construct, aws: Settings, names: Deployment, version: str) -> None:
        super().__init__(
            scope,
            names.data_stack,
            env=Environment(region=aws.region),
            description=f"Proofcast {version}: episodes, jobs and artifacts of {names.name}",
        )
        self.stream_arn = _ledger(self, names)
        self.secret_arn = _token(self, names)
        _queues(self, names)
        _bucket(self, aws, names)


def _ledger(scope: Construct, names: Deployment) -> str:
    """The table of `pipeline.adapters.aws.table`."""
    ledger = dynamodb.Table(
        scope,
        "Ledger",
        table_name=names.table,
        partition_key=_text(PARTITION_KEY),
        sort_key=_text(SORT_KEY),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.AWS_MANAGED,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        stream=dynamodb.StreamViewType.NEW_IMAGE,
        removal_policy=RemovalPolicy.RETAIN,
    )
    for index in INDEXES:
        ledger.add_global_secondary_index(
            index_name=index.name,
            partition_key=_text(index.partition_key),
            sort_key=_text(index.sort_key),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
    assert ledger.table_stream_arn
    return ledger.table_stream_arn


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _token(scope: Construct, names: Deployment) -> str:
    """A secret that a person fills in. What it holds until then must never change: CloudFormation would
    write it anew, over the person's token."""
    secret = secrets.Secret(
        scope,
        "GithubToken",
        secret_name=names.github_token,
        description="The token that Proofcast opens pull requests with",
        secret_string_value=SecretValue.unsafe_plain_text(UNSET),
        removal_policy=RemovalPolicy.DESTROY,
    )
    acknowledge(secret, "GitHub issues its tokens to people: no function could rotate one", "SMG4")
    return secret.secret_arn


def _queues(scope: Construct, names: Deployment) -> None:
    dead = sqs.Queue(
        scope,
        "DeadJobs",
        queue_name=names.dead_queue,
        retention_period=_KEPT,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
    )
    for id, name in {"Jobs": names.queue, "FirstJobs": names.first_queue}.items():
        sqs.Queue(
            scope,
            id,
            queue_name=name,
            visibility_timeout=_LEASE,
            retention_period=_KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=_MAX_RECEIVES),
        )


def _bucket(scope: Construct, aws: Settings, names: Deployment) -> None:
    bucket = s3.Bucket(
        scope,
        "Bucket",
        bucket_name=names.bucket(Aws.ACCOUNT_ID),
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        encryption=s3.BucketEncryption.S3_MANAGED,
        versioned=True,
        removal_policy=RemovalPolicy.RETAIN,
        lifecycle_rules=[
            s3.LifecycleRule(
                id="undo",
                abort_incomplete_multipart_upload_after=Duration.days(1),
                noncurrent_version_expiration=_UNDO,
                expired_object_delete_marker=True,
            ),
            _audio_rule(aws.audio_days),
        ],
    )
    resource = bucket.node.default_child
    assert isinstance(resource, s3.CfnBucket)
    # To EventBridge, since a function that S3 calls itself would have to be there before the bucket.
    events = "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled"
    resource.add_property_override(events, True)
    acknowledge(bucket, "access logs would cost more than they tell: only this deployment's roles read", "S1")


def _audio_rule(days: int) -> s3.LifecycleRule:
    """Filters know prefixes and tags, but no ends of keys, so audio is told by its tag."""
    move = s3.Transition(storage_class=s3.StorageClass.INFREQUENT_ACCESS, transition_after=_RARELY_READ)
    return s3.LifecycleRule(
        id="audio",
        prefix=f"{ARTIFACTS}/",
        tag_filters={"kind": "audio"},
        expiration=Duration.days(days) if days else None,
        transitions=[move] if days == 0 or days >= _WORTH_MOVING_DAYS else None,
    )
