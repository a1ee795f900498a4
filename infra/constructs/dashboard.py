"""The dashboard in CloudWatch."""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from constructs import Construct

from infra.config.model import Config
from infra.cost.prices import price_book
from infra.observability.dashboard import dashboard_body
from infra.observability.subject import Subject
from infra.topology import Topology

CONSOLES = {"aws": "console.aws.amazon.com", "aws-cn": "console.amazonaws.cn"}

INTERRUPTIONS = {"SpotInterruption": "warnings, two minutes before", "Rebalance": "rebalance recommendations"}
"""Of Karpenter's rules, those that are about Spot, and what the graph calls them."""


class Dashboard(Construct):
    """One page for the whole stack. ``url`` opens it.

    ``interruption_rules``: Karpenter's, by the names of what they match. ``alarms``: ARNs. Dashboards have no region,
    so the name holds it: a stack in another region has its own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        topology: Topology,
        config: Config,
        function_name: str,
        interruption_rules: Mapping[str, events.IRule],
        alarms: Sequence[str],
    ) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        subject = Subject(
            stack=topology.stack_name,
            region=stack.region,
            cluster=topology.stack_name,
            controllers=config.cluster_components.desired_count,
            api=topology.stack_name,
            stage=topology.api.stage,
            function=function_name,
            input_topic=topology.input_topic,
            undelivered=topology.undelivered.name,
            webhooks_dead_letters=topology.webhooks.dead_letters.name,
            queues={route.name: route.queue.name for route in topology.routes},
            dead_letters={route.name: route.dead_letters.name for route in topology.routes},
            interruptions={text: interruption_rules[name].rule_name for name, text in INTERRUPTIONS.items()},
            alarms=alarms,
            agents=config.add_ons.tracing,
            insights=config.add_ons.observability,
            gpu_metrics=config.add_ons.gpu_metrics,
            run_seconds={route.name: route.scaling.counted_run_seconds for route in topology.routes},
            gpu_hour_price=config.dashboard.gpu_hour_price or price_book()["prices"]["gpu_spot_hour"],
        )
        made = cloudwatch.CfnDashboard(
            self,
            "Page",
            dashboard_name=f"{topology.stack_name}-{stack.region}",
            dashboard_body=stack.to_json_string(dashboard_body(subject)),
        )
        console = f"https://{stack.region}.{CONSOLES[config.partition]}/cloudwatch/home?region={stack.region}"
        self.url = f"{console}#dashboards:name={made.ref}"
