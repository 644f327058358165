"""The functions: one that polls and dispatches, one that tells of every state change; and what calls them."""

from __future__ import annotations

import json
from pathlib import Path

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.access import Access, acknowledge, fits, role
from infra.tasks import Worker
from pipeline.deployment import DISPATCH_MIN, INBOX, POLLER_MIB, SYNC_MIN, Deployment

_TIMEOUT = Duration.minutes(5)


class Functions(Construct):
    """`poller`, `announcer`, and `undelivered`: the queue of changes that could not be told."""

    def __init__(
        self,
        scope: Construct,
        names: Deployment,
        code: Path,
        access: Access,
        worker: Worker,
        *,
        stream_arn: str,
        poll_min: int,
        environment: dict[str, str],
    ) -> None:
        super().__init__(scope, "Functions")
        self._code = code
        self._access = access
        self._environment = environment
        poller_role, self.poller = self._function("Poller", names.poller, names.poller_log, "handle")
        access.work(poller_role)
        access.dispatch(poller_role, (worker.role, worker.execution_role))
        access.take_in(poller_role)
        self._schedule(poll_min)
        self._watch_inbox(names)
        announcer_role, self.announcer = self._function(
            "Announcer", names.announcer, names.announcer_log, "announce"
        )
        access.announce(announcer_role, stream_arn)
        self.undelivered = self._announce(stream_arn)

    def _function(self, id: str, name: str, log: str, handler: str) -> tuple[iam.Role, functions.Function]:
        own = role(self, f"{id}Role", "lambda")
        group = logs.LogGroup(
            self,
            f"{id}Log",
            log_group_name=log,
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self._access.log(own, group.log_group_arn)
        function = functions.Function(
            self,
            id,
            function_name=name,
            runtime=functions.Runtime.PYTHON_3_13,
            architecture=functions.Architecture.ARM_64,
            handler=f"pipeline.lambdas.{handler}",
            code=functions.Code.from_asset(str(self._code)),
            role=fits(own),
            log_group=group,
            memory_size=POLLER_MIB,
            timeout=_TIMEOUT,
            environment=self._environment,
        )
        acknowledge(function, "the Python that its packages were chosen for", "L1")
        return own, function

    def _schedule(self, poll_min: int) -> None:
        caller = role(self, "SchedulerRole", "scheduler", guarded=True)
        caller.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[self.poller.function_arn])
        )
        for what, minutes in {"poll": poll_min, "dispatch": DISPATCH_MIN, "sync": SYNC_MIN}.items():
            scheduler.CfnSchedule(
                self,
                what.title(),
                schedule_expression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=self.poller.function_arn,
                    role_arn=caller.role_arn,
                    input=json.dumps({"do": what}),
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=60 * minutes, maximum_retry_attempts=2
                    ),
                ),
            )

    def _watch_inbox(self, names: Deployment) -> None:
        """S3 tells EventBridge of every object; the poller hears of those in the inbox."""
        events.Rule(
            self,
            "Inbox",
            description=f"Files for {names.poller}",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [names.bucket(Aws.ACCOUNT_ID)]},
                    "object": {"key": [{"prefix": f"{INBOX}/"}]},
                },
            ),
            targets=[fits(targets.LambdaFunction(fits(self.poller)))],
        )

    def _announce(self, stream_arn: str) -> sqs.Queue:
        """A change that can't be told is split from its batch, tried again, and then set aside."""
        undelivered = sqs.Queue(
            self,
            "Undelivered",
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        acknowledge(undelivered, "it is itself where undelivered messages go", "SQS3")
        history = {"Keys": {"pk": {"S": functions.FilterRule.begins_with("event#")}}}
        functions.EventSourceMapping(
            self,
            "Changes",
            target=fits(self.announcer),
            event_source_arn=stream_arn,
            starting_position=functions.StartingPosition.LATEST,
            filters=[
                functions.FilterCriteria.filter(
                    {"eventName": functions.FilterRule.is_equal("INSERT"), "dynamodb": history}
                )
            ],
            bisect_batch_on_error=True,
            retry_attempts=5,
            on_failure=fits(sources.SqsDlq(undelivered)),
        )
        return undelivered
