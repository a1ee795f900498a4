"""The dashboard: its widgets, what they show, and what the config adds to it or leaves out."""

import json
from typing import Any

import pytest

from infra.cost.prices import price_book
from infra.observability.metrics import THROTTLED, WEBHOOK_OUTCOMES, search
from test.infra.configs import MOST
from test.infra.observability.dashboard import EVERY, body, graphs, on_the_dashboard
from test.infra.reading import of_type, the_one

COLUMNS = 24
"""Of a dashboard's grid."""


@EVERY
def test_widgets_are_inside_the_grid_and_do_not_overlap(name: str, request: pytest.FixtureRequest) -> None:
    cells = [
        (x, y)
        for widget in body(request.getfixturevalue(name))["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(cells) == len(set(cells))
    assert all(0 <= x < COLUMNS for x, _ in cells)


def test_a_namespace_with_a_dash_is_quoted() -> None:
    assert search("my-stack", "m", ("runtime",), "Sum", 300) == (
        "SEARCH('{\"my-stack\",runtime} MetricName=\"m\"', 'Sum', 300)"
    )


def test_it_shows_what_one_wants_to_know(default: dict[str, Any]) -> None:
    shown = graphs(default)

    assert list(shown) == [
        "Tasks accepted",
        "API",
        "Tasks that ended, by outcome",
        "Tasks that wait",
        "Age of the oldest task, s (those that run count too)",
        "Dead letters",
        "Time from task to image, s",
        "Time from task to image by runtime, p95, s",
        "Where the time goes, p95 of each stage, s",
        "Pods that take tasks",
        "Pods that work on a task",
        "GPU use, %",
        "Nodes",
        "Spot interruptions (of the whole account in this region)",
        "GPU cost of 1,000 images, USD, at 0.4968 an hour of a node",
        "Tasks completed, by runtime",
        "Runs put back to run again",
        "Seconds of a run, by runtime",
        "Webhooks: tries by outcome",
    ]
    assert [line[-1]["stat"] for line in shown["Time from task to image, s"]] == ["p50", "p95", "p99"]


def test_the_states_of_all_alarms_are_on_top(three: dict[str, Any]) -> None:
    (widget,) = [one for one in body(three)["widgets"] if one["type"] == "alarm"]

    assert widget["properties"]["alarms"] == [f"<{name}.Arn>" for name in of_type(three, "AWS::CloudWatch::Alarm")]


def test_every_queue_is_shown(most: dict[str, Any]) -> None:
    # Given
    queues = {f"most_{runtime['name']}" for runtime in MOST["modelsRuntime"]}
    dead = {f"{queue}_dead" for queue in queues} | {"most_undelivered_tasks", "most_webhook_events_dead"}

    # Then
    shown = graphs(most)
    for title, expected in {
        "Tasks that wait": queues,
        "Age of the oldest task, s (those that run count too)": queues,
        "Dead letters": dead,
    }.items():
        assert {line[3] for line in shown[title]} == expected


def test_the_rules_of_spot_are_karpenters(default: dict[str, Any]) -> None:
    # Given
    rules = {f"<{name}>": rule for name, rule in of_type(default, "AWS::Events::Rule").items()}

    # When
    lines = graphs(default)["Spot interruptions (of the whole account in this region)"]

    # Then
    assert [rules[line[3]]["EventPattern"]["detail-type"] for line in lines] == [
        ["EC2 Spot Instance Interruption Warning"],
        ["EC2 Instance Rebalance Recommendation"],
    ]


def test_throttled_requests_are_counted_in_the_access_log(default: dict[str, Any]) -> None:
    # Given
    counting = the_one(default, "AWS::Logs::MetricFilter", "FrontDoor")
    (stage,) = of_type(default, "AWS::ApiGateway::Stage").values()

    # Then
    assert counting["LogGroupName"].removesuffix(">") in stage["AccessLogSetting"]["DestinationArn"]
    assert json.loads(stage["AccessLogSetting"]["Format"])["status"] == "$context.status"
    assert counting["FilterPattern"] == '{ $.status = "429" }'
    assert counting["MetricTransformations"][0]["MetricName"] == THROTTLED


def evaluated(lines: list[list[Any]], label: str, **values: float) -> float:
    """The value of the expression with ``label``: plain arithmetic, which Python reads as CloudWatch does."""
    (expression,) = [line[-1]["expression"] for line in lines if line[-1].get("label") == label]
    return float(eval(expression, {}, values))


def test_the_cost_is_that_of_the_nodes_for_the_images_of_an_hour(default: dict[str, Any]) -> None:
    # Given four GPU nodes, two for the controllers, and 3,000 images in an hour
    lines = graphs(default)["GPU cost of 1,000 images, USD, at 0.4968 an hour of a node"]
    price = price_book()["prices"]["gpu_spot_hour"]

    # Then
    assert evaluated(lines, "all GPU nodes", nodes=6, pictures=3000) == pytest.approx(4 * price / 3)
    assert evaluated(lines, "while agents ran", busy=7200, idle=3600, pictures=3000) == pytest.approx(3 * price / 3)


def test_gpu_use_is_the_share_of_the_agents_time(default: dict[str, Any]) -> None:
    lines = graphs(default)["GPU use, %"]

    assert evaluated(lines, "share of the agents' time with a task", busy=870, idle=130) == pytest.approx(87)


def test_the_controllers_are_no_gpu_nodes(default: dict[str, Any]) -> None:
    assert evaluated(graphs(default)["Nodes"], "GPU nodes", nodes=7) == 5


def test_the_price_is_the_configs_and_told(everything: dict[str, Any], most: dict[str, Any]) -> None:
    assert "GPU cost of 1,000 images, USD, at 1.5 an hour of a node" in graphs(most)
    assert "1.5 USD an hour" in text(most)
    assert "USD" not in text(everything)


def test_what_is_switched_off_is_left_out_and_said(everything: dict[str, Any]) -> None:
    # Given neither the collector nor Container Insights
    seen = {namespace for namespace, _, _ in on_the_dashboard(everything)}

    # Then
    assert seen == {"AWS/SNS", "AWS/SQS", "AWS/ApiGateway", "AWS/Lambda", "AWS/Events", "otherStack"}
    assert {name for namespace, name, _ in on_the_dashboard(everything) if namespace == "otherStack"} == {
        THROTTLED,
        *WEBHOOK_OUTCOMES.values(),
    }
    assert "Without `addOns.tracing`" in text(everything)
    assert "Without `addOns.observability`" in text(everything)


def test_a_stack_in_another_region_has_its_own_dashboard(default: dict[str, Any], everything: dict[str, Any]) -> None:
    assert the_one(default, "AWS::CloudWatch::Dashboard")["DashboardName"] == "sdoneksStack-<Region>"
    assert the_one(everything, "AWS::CloudWatch::Dashboard")["DashboardName"] == "otherStack-us-east-1"


def test_the_output_opens_it(everything: dict[str, Any], china: dict[str, Any], unwatched: dict[str, Any]) -> None:
    def url(template: dict[str, Any]) -> str:
        parts = template["Outputs"]["DashboardUrl"]["Value"]["Fn::Join"][1]
        return "".join(part if isinstance(part, str) else "X" for part in parts)

    assert url(everything) == (
        "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#dashboards:name=X"
    )
    assert url(china).startswith("https://cn-northwest-1.console.amazonaws.cn/")
    assert "DashboardUrl" not in unwatched["Outputs"]
    assert not of_type(unwatched, "AWS::CloudWatch::Dashboard")


def text(template: dict[str, Any]) -> str:
    (widget,) = [one for one in body(template)["widgets"] if one["type"] == "text"]
    return str(widget["properties"]["markdown"])


def test_the_seconds_of_a_run_are_shown_with_what_the_config_says(default: dict[str, Any]) -> None:
    lines = graphs(default)["Seconds of a run, by runtime"]

    assert [line[-1].get("expression") for line in lines] == [None, None, "busy0 / done0"]
    assert lines[-1][-1]["label"] == "sdruntime (runSeconds 10)"
