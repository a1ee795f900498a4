"""Alarms in CloudWatch, and the topic that they notify.

An alarm cannot look at all queues of a stack by itself: a search is not allowed in one, and a query over a namespace
sees the queues of every stack in the account. So the queues are named, as many in one alarm as its ten metrics allow,
and in few enough alarms that a stack with the most runtimes still fits CloudFormation's 500 resources. A stack with few
runtimes has an alarm for each.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from contract.metrics import DELIVERY_SUSPENDED, TASKS
from infra.config.model import Alarms as AlarmsConfig
from infra.observability import run_seconds
from infra.observability.metrics import OUTCOME, THROTTLED, WEBHOOK_OUTCOMES
from infra.observability.queries import MetricQuery, filled
from infra.topology import Route, Topology

PERIOD = 300
"""Seconds. A metric of SQS has a point each minute; what lasts shorter is no reason for an alarm."""

FAILURE_PERIOD = 900

GROUPS = 5
"""Alarms of a kind at most, where one metric tells of a runtime: the most runtimes are eight for each."""

PAIRED_GROUPS = 9
"""… and where two do: five runtimes for each."""

WEBHOOK_ERROR_PERIODS = 3
"""A call of AWS fails now and then, and is made again."""

ENDED = ("completed", "failed", "given_up", "undecodable")
"""Outcomes; all but the first are failures. A task that came again after its end (repeated) does not count twice."""

HELP = "docs/en/how-to/troubleshoot.md"

Item = TypeVar("Item")


class Alarms(Construct):
    """``topic`` hears of every alarm, also when it is over. ``arns`` of all alarms.

    ``agents``: whether the agents' metrics arrive; without them nobody knows of failures.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        topology: Topology,
        config: AlarmsConfig,
        oldest_message_seconds: int,
        function_name: str,
        webhooks_function_name: str,
        agents: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        self._topology = topology
        self._stack = topology.stack_name
        self.topic = self._topic()
        self.arns: list[str] = []
        self._oldest_message(oldest_message_seconds)
        self._no_pods()
        self._dead_letters()
        self._webhooks(webhooks_function_name)
        self._throttled(function_name)
        if agents:
            self._run_seconds()
            self._failures()
            self._suspended()

    def _topic(self) -> sns.Topic:
        topic = sns.Topic(self, "Topic", topic_name=f"{self._stack}_alarms", enforce_ssl=True)
        stack = cdk.Stack.of(self)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={
                    "ArnLike": {
                        "aws:SourceArn": stack.format_arn(
                            service="cloudwatch",
                            resource="alarm",
                            resource_name=f"{self._stack}_*",
                            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                        )
                    }
                },
            )
        )
        mails = [{"Protocol": "email", "Endpoint": address} for address in self._config.emails]
        if mails:
            # Within the topic, since each resource counts.
            cast("sns.CfnTopic", topic.node.default_child).add_property_override("Subscription", mails)
        return topic

    def _oldest_message(self, seconds: int) -> None:
        for number, routes in enumerate(_parted(self._topology.routes, GROUPS), 1):
            queries = [
                MetricQuery.at_queue(f"age{n}", route.queue.name, "ApproximateAgeOfOldestMessage", "Maximum")
                for n, route in enumerate(routes)
            ]
            self._alarm(
                f"oldest_message_{number}",
                f"A task of {_names(routes)} is older than {seconds} s, counted from its sending. "
                f"Next: {HELP}, 'Task is not picked up': kubectl get pods,nodes -A, and the log of the agents.",
                queries,
                f"MAX([{filled(queries)}])",
                threshold=seconds,
                comparison="GreaterThanThreshold",
            )

    def _no_pods(self) -> None:
        """Seen from the queue, since an agent that is not there tells nothing: messages wait, and nobody holds one."""
        for number, routes in enumerate(_parted(self._topology.routes, PAIRED_GROUPS), 1):
            queries = [
                query
                for n, route in enumerate(routes)
                for query in (
                    MetricQuery.at_queue(f"wait{n}", route.queue.name, "ApproximateNumberOfMessagesVisible", "Minimum"),
                    MetricQuery.at_queue(
                        f"held{n}", route.queue.name, "ApproximateNumberOfMessagesNotVisible", "Maximum"
                    ),
                )
            ]
            left = {f"left{n}": f"IF(FILL(wait{n}, 0) > 0 AND FILL(held{n}, 0) < 1, 1, 0)" for n in range(len(routes))}
            self._alarm(
                f"no_pods_{number}",
                f"Tasks of {_names(routes)} wait, and for {self._config.no_pods_minutes} minutes no pod has had one. "
                f"Next: {HELP}, 'Task is not picked up': kubectl get scaledobject,pods,nodes -A, then the logs of "
                "Karpenter and KEDA, and the runtime's own if there are pods.",
                queries,
                f"MAX([{', '.join(left)}])",
                steps=left,
                threshold=1,
                periods=self._config.no_pods_minutes * 60 // PERIOD,
            )

    def _dead_letters(self) -> None:
        for number, routes in enumerate(_parted(self._topology.routes, GROUPS), 1):
            self._alarm_of_dead_letters(
                f"dead_letters_{number}",
                f"{self._config.dead_letters} or more tasks of {_names(routes)} were given up and are in the "
                f"dead-letter queue. Next: {HELP}, 'Dead letters': "
                "sdoneks ops dead-letters list RUNTIME lists the reasons, redrive runs them again.",
                [route.dead_letters.name for route in routes],
                threshold=self._config.dead_letters,
            )
        undelivered = self._topology.undelivered.name
        self._alarm_of_dead_letters(
            "undelivered",
            f"An accepted task reached no runtime's queue and is in {undelivered}; no callback was sent. Next: "
            "deploy again, for a queue or its policy is missing, then send the task to its runtime's queue; from there "
            f"{HELP} says how to continue.",
            [undelivered],
            threshold=1,
        )

    def _alarm_of_dead_letters(self, name: str, description: str, queues: Sequence[str], *, threshold: int) -> None:
        queries = [
            MetricQuery.at_queue(f"dead{n}", queue, "ApproximateNumberOfMessagesVisible", "Maximum")
            for n, queue in enumerate(queues)
        ]
        self._alarm(name, description, queries, f"SUM([{filled(queries)}])", threshold=threshold)

    def _webhooks(self, function_name: str) -> None:
        self._alarm_of_dead_letters(
            "webhook_dead_letters",
            f"{self._config.dead_letters} or more webhooks were given up after three days. Next: {HELP}, 'Dead "
            "letters': sdoneks ops dead-letters list webhook_events lists the reasons, redrive sends them "
            "again once their receivers answer.",
            [self._topology.webhooks.dead_letters.name],
            threshold=self._config.dead_letters,
        )
        queries = [
            MetricQuery("failed", self._stack, WEBHOOK_OUTCOMES["error"], {}, "Sum"),
            MetricQuery("crashed", "AWS/Lambda", "Errors", {"FunctionName": function_name}, "Sum"),
        ]
        self._alarm(
            "webhook_errors",
            f"For {WEBHOOK_ERROR_PERIODS * PERIOD // 60} minutes webhooks were not sent: their function failed. "
            f"They are kept and tried again. Next: {HELP}, 'Dead letters': the function's log names the call of "
            "AWS that fails, in its lines with outcome error.",
            queries,
            f"SUM([{filled(queries)}])",
            threshold=1,
            periods=WEBHOOK_ERROR_PERIODS,
        )

    def _failures(self) -> None:
        queries = [MetricQuery(name, self._stack, TASKS.name, {OUTCOME: name}, "Sum") for name in ENDED]
        self._alarm(
            "failures",
            f"{self._config.failure_percent:g} % or more of the tasks that ended in {FAILURE_PERIOD // 60} minutes "
            f"failed, by their callers' fault or ours (from {self._config.failure_tasks} tasks on). Next: {HELP}, "
            "'Find a task' with the id of one: the callback and the agents' log name the cause.",
            queries,
            f"IF(ended >= {self._config.failure_tasks}, 100 * failing / ended, 0)",
            steps={"failing": f"SUM([{filled(queries[1:])}])", "ended": f"SUM([{filled(queries)}])"},
            threshold=self._config.failure_percent,
            period=FAILURE_PERIOD,
        )

    def _run_seconds(self) -> None:
        for number, routes in enumerate(_parted(self._topology.routes, PAIRED_GROUPS), 1):
            stated = {route.name: route.scaling.counted_run_seconds for route in routes}
            far = run_seconds.conditions(list(stated.values()))
            self._alarm(
                f"run_seconds_{number}",
                f"{run_seconds.explanation(stated)} Next: {HELP}, 'Task is not picked up' for the tasks that wait, and "
                "docs/en/how-to/scale.md: set scaling.runSeconds to the seconds of a run that the dashboard shows.",
                run_seconds.queries(self._stack, list(stated)),
                f"MAX([{', '.join(far)}])",
                steps=far,
                threshold=1,
                period=run_seconds.PERIOD,
            )

    def _suspended(self) -> None:
        queries = [MetricQuery("suspended", self._stack, DELIVERY_SUSPENDED.name, {}, "Maximum")]
        self._alarm(
            "suspended",
            f"For {2 * PERIOD // 60} minutes an agent has taken no tasks, because AWS does not take its results, "
            f"callbacks or deletions. Next: {HELP}, 'Task is not picked up': the agents' log names the missing "
            "permission, or the outage; they continue by themselves.",
            queries,
            f"MAX([{filled(queries)}])",
            threshold=1,
            periods=2,
        )

    def _throttled(self, function_name: str) -> None:
        queries = [
            MetricQuery("refused", self._stack, THROTTLED, {}, "Sum"),
            MetricQuery("function", "AWS/Lambda", "Throttles", {"FunctionName": function_name}, "Sum"),
        ]
        self._alarm(
            "throttled",
            f"{self._config.throttled_requests} or more requests within {PERIOD // 60} minutes were refused since they "
            f"came too fast (429). Next: {HELP}, 'Request is refused': raise APIGW.throttle or "
            "lambda.reservedConcurrency in config.yaml, or let the client send slower.",
            queries,
            f"SUM([{filled(queries)}])",
            threshold=self._config.throttled_requests,
        )

    def _alarm(
        self,
        name: str,
        description: str,
        queries: Sequence[MetricQuery],
        result: str,
        *,
        threshold: float,
        steps: Mapping[str, str] | None = None,
        comparison: str = "GreaterThanOrEqualToThreshold",
        period: int = PERIOD,
        periods: int = 1,
    ) -> None:
        """Missing data is no alarm, as in what ``filled`` makes of it."""
        metrics: list[dict[str, Any]] = [
            *(query.data(period) for query in queries),
            *({"id": id_, "expression": step, "returnData": False} for id_, step in (steps or {}).items()),
            {"id": "result", "expression": result, "returnData": True},
        ]
        made = cloudwatch.CfnAlarm(
            self,
            name.title().replace("_", ""),
            alarm_name=f"{self._stack}_{name}",
            alarm_description=description,
            metrics=metrics,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            treat_missing_data="notBreaching",
            alarm_actions=[self.topic.topic_arn],
            ok_actions=[self.topic.topic_arn],
        )
        self.arns.append(made.attr_arn)


def _parted(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    """At most so many parts, of about the same size, in order."""
    size = -(-len(items) // most)
    return [items[start : start + size] for start in range(0, len(items), size)]


def _names(routes: Sequence[Route]) -> str:
    return ", ".join(route.name for route in routes)
