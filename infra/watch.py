"""What a person is told of: alarms and the budget, by e-mail if the config names an address."""

from __future__ import annotations

from aws_cdk import Aws, Duration
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.access import fits, queue_named
from infra.functions import Functions
from pipeline.budget import SHARES
from pipeline.config import Aws as Settings
from pipeline.deployment import TAG, Deployment

_FIVE_MINUTES = Duration.minutes(5)
_SILENCE = Duration.minutes(30)  #: in which the poller is called fifteen times
_LATE = Duration.hours(2)

_Compare = cloudwatch.ComparisonOperator


class Watch(Construct):
    """Alarms say what to do, since they reach people who did not read the manual."""

    def __init__(self, scope: Construct, aws: Settings, names: Deployment, functions: Functions) -> None:
        super().__init__(scope, "Watch")
        self._topic = _topic(self, aws.notify)
        self._queue_alarms(names, functions.undelivered)
        self._poller_alarms(functions)
        if aws.budget_usd and aws.notify:
            self._budget(aws, names)

    def _queue_alarms(self, names: Deployment, undelivered: sqs.IQueue) -> None:
        dead, jobs = (
            queue_named(self, id, name) for id, name in (("Dead", names.dead_queue), ("Jobs", names.queue))
        )
        self._alarm(
            "DeadJobs",
            dead.metric_approximate_number_of_messages_visible(period=_FIVE_MINUTES, statistic="Maximum"),
            0,
            "Jobs were given up: 'proofcast episodes --state failed' says why, 'proofcast retry' brings back",
        )
        self._alarm(
            "LateJobs",
            jobs.metric_approximate_age_of_oldest_message(period=_FIVE_MINUTES, statistic="Maximum"),
            _LATE.to_seconds(),
            "A job waits for two hours: 'proofcast status' shows workers, 'proofcast doctor' quotas",
        )
        self._alarm(
            "Undelivered",
            undelivered.metric_approximate_number_of_messages_visible(
                period=_FIVE_MINUTES, statistic="Maximum"
            ),
            0,
            "EventBridge was not told of some state changes: see the announcer's log",
        )

    def _poller_alarms(self, functions: Functions) -> None:
        self._alarm(
            "PollerErrors",
            functions.poller.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
            0,
            "The poller failed: its log says why; it runs again by itself",
        )
        self._alarm(
            "NoPoll",
            functions.poller.metric_invocations(period=_SILENCE, statistic="Sum"),
            1,
            "The poller was not called for half an hour: are its schedules there, and enabled?",
            _Compare.LESS_THAN_THRESHOLD,
            cloudwatch.TreatMissingData.BREACHING,
        )

    def _alarm(
        self,
        id: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        text: str,
        comparison: cloudwatch.ComparisonOperator = _Compare.GREATER_THAN_THRESHOLD,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            id,
            alarm_description=text,
            metric=metric,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=1,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(fits(actions.SnsAction(fits(self._topic))))

    def _budget(self, aws: Settings, names: Deployment) -> None:
        """Of what carries the deployment's tag, once that was activated as a cost allocation tag."""
        _Budget = budgets.CfnBudget
        subscriber = _Budget.SubscriberProperty(subscription_type="SNS", address=self._topic.topic_arn)
        _Budget(
            self,
            "Budget",
            budget=_Budget.BudgetDataProperty(
                budget_name=f"{names.name}-{names.region}",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=_Budget.SpendProperty(amount=aws.budget_usd, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:{TAG}${names.name}"]},
            ),
            notifications_with_subscribers=[
                _Budget.NotificationWithSubscribersProperty(
                    notification=_Budget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type="ACTUAL",
                        threshold=share,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for share in SHARES
            ],
        )


def _topic(scope: Construct, notify: str) -> sns.Topic:
    topic = sns.Topic(scope, "Topic", enforce_ssl=True)
    # With a policy of its own, a topic takes messages only from whom it names.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[
                fits(iam.ServicePrincipal(f"{service}.amazonaws.com"))
                for service in ("cloudwatch", "budgets")
            ],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        )
    )
    if notify:
        topic.add_subscription(fits(subscriptions.EmailSubscription(notify)))
    return topic
