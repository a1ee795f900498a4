"""How the alarms are defined: which queues they look at, whom they tell, and what their texts say."""

import re
from typing import Any

import pytest

from infra.app import ROOT
from infra.observability import run_seconds
from test.infra.configs import MOST, ONE, THREE
from test.infra.reading import of_type, the_one

STACK = "sdoneksStack"

MOST_METRICS = 10
"""That an alarm's metric math may use."""

MOST_TEXT = 1024
"""Characters of an alarm's description, and of an expression."""


def alarms(template: dict[str, Any]) -> list[dict[str, Any]]:
    return list(of_type(template, "AWS::CloudWatch::Alarm").values())


def looked_at(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    return [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]


@pytest.mark.parametrize(
    ("kind", "suffix", "metrics"),
    [
        ("oldest_message", "", {"ApproximateAgeOfOldestMessage"}),
        ("no_pods", "", {"ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"}),
        ("dead_letters", "_dead", {"ApproximateNumberOfMessagesVisible"}),
    ],
)
@pytest.mark.parametrize("name", ["default", "three", "most"])
def test_every_queue_is_watched_once(
    name: str, kind: str, suffix: str, metrics: set[str], request: pytest.FixtureRequest
) -> None:
    # Given
    template = request.getfixturevalue(name)
    raw = {"default": ONE, "three": THREE, "most": MOST}[name]
    expected = [f"{raw['stackName']}_{runtime['name']}{suffix}" for runtime in raw["modelsRuntime"]]

    # When
    looks = [
        (look["Dimensions"][0]["Value"], look["MetricName"])
        for alarm in alarms(template)
        if f"Stack_{kind}_" in alarm["AlarmName"]
        for look in looked_at(alarm)
    ]

    # Then
    assert sorted(looks) == sorted((queue, metric) for queue in expected for metric in metrics)


def test_few_runtimes_have_each_an_alarm_of_their_own(three: dict[str, Any]) -> None:
    texts = {one["AlarmName"]: one["AlarmDescription"] for one in alarms(three)}

    for number, runtime in enumerate(("sdruntime", "comfy", "invoke"), 1):
        for kind in ("oldest_message", "no_pods", "dead_letters"):
            assert f" of {runtime} " in texts[f"{STACK}_{kind}_{number}"]


@pytest.mark.parametrize("name", ["default", "three", "everything", "china", "most"])
def test_an_alarm_is_within_cloudwatchs_limits(name: str, request: pytest.FixtureRequest) -> None:
    for alarm in alarms(request.getfixturevalue(name)):
        assert len(looked_at(alarm)) <= MOST_METRICS
        assert len(alarm["AlarmDescription"]) <= MOST_TEXT
        assert all(len(one.get("Expression", "")) <= MOST_TEXT for one in alarm["Metrics"])
        assert sum(one["ReturnData"] for one in alarm["Metrics"]) == 1
        (period,) = {one["MetricStat"]["Period"] for one in alarm["Metrics"] if "MetricStat" in one}
        assert period % 60 == 0
        assert period * alarm["EvaluationPeriods"] <= 86_400


@pytest.mark.parametrize("name", ["default", "three", "everything", "china", "most"])
def test_an_expression_names_only_metrics_of_its_alarm(name: str, request: pytest.FixtureRequest) -> None:
    for alarm in alarms(request.getfixturevalue(name)):
        known = {one["Id"] for one in alarm["Metrics"]}
        for one in alarm["Metrics"]:
            assert set(re.findall(r"\b[a-z]\w*", one.get("Expression", ""))) <= known - {one["Id"]}


@pytest.mark.parametrize("name", ["default", "three", "everything", "china", "most"])
def test_missing_data_is_no_alarm(name: str, request: pytest.FixtureRequest) -> None:
    for alarm in alarms(request.getfixturevalue(name)):
        assert alarm["TreatMissingData"] == "notBreaching"


def test_every_alarm_tells_the_topic_when_it_begins_and_when_it_is_over(three: dict[str, Any]) -> None:
    (topic,) = [name for name in of_type(three, "AWS::SNS::Topic") if name.startswith("Alarms")]

    for alarm in alarms(three):
        assert alarm["AlarmActions"] == alarm["OKActions"] == [f"<{topic}>"]
        assert alarm.get("ActionsEnabled", True) is True


def test_every_alarm_says_what_to_do_next_and_where_it_is_told(three: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "en" / "how-to" / "troubleshoot.md").read_text()
    headings = re.findall(r"(?m)^## (.+)$", page)

    for alarm in alarms(three):
        text = alarm["AlarmDescription"]
        assert "Next: " in text
        assert "docs/en/how-to/troubleshoot.md" in text
        assert all(heading in headings for heading in re.findall(r"md, '([^']+)'", text))


def test_only_this_stacks_alarms_may_publish(default: dict[str, Any]) -> None:
    # Given
    (name,) = [name for name in of_type(default, "AWS::SNS::TopicPolicy") if name.startswith("Alarms")]
    refuse, allow = of_type(default, "AWS::SNS::TopicPolicy")[name]["PolicyDocument"]["Statement"]

    # Then
    assert (refuse["Effect"], refuse["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allow["Action"] == "sns:Publish"
    assert allow["Condition"] == {
        "ArnLike": {"aws:SourceArn": "arn:<Partition>:cloudwatch:<Region>:<AccountId>:alarm:sdoneksStack_*"}
    }
    assert {alarm["AlarmName"].split("_")[0] for alarm in alarms(default)} == {STACK}


def test_mails_go_to_whom_the_config_names(default: dict[str, Any], everything: dict[str, Any]) -> None:
    assert "Subscription" not in the_one(default, "AWS::SNS::Topic", "Alarms")
    assert the_one(everything, "AWS::SNS::Topic", "Alarms")["Subscription"] == [
        {"Protocol": "email", "Endpoint": "operators@example.com"}
    ]


def test_thresholds_are_the_configs(everything: dict[str, Any]) -> None:
    thresholds = {one["AlarmName"].removeprefix("otherStack_"): one for one in alarms(everything)}

    assert thresholds["oldest_message_1"]["Threshold"] == 3600
    assert thresholds["dead_letters_1"]["Threshold"] == 5
    assert thresholds["undelivered"]["Threshold"] == 1
    assert thresholds["throttled"]["Threshold"] == 100
    assert thresholds["no_pods_1"]["EvaluationPeriods"] == thresholds["no_pods_1"]["DatapointsToAlarm"] == 6


def test_without_a_collector_nobody_looks_for_failures(default: dict[str, Any], everything: dict[str, Any]) -> None:
    names = {one["AlarmName"] for one in alarms(everything)}

    assert "sdoneksStack_failures" in {one["AlarmName"] for one in alarms(default)}
    assert "otherStack_throttled" in names
    assert "otherStack_failures" not in names


def test_alarms_can_be_left_out(unwatched: dict[str, Any]) -> None:
    assert not of_type(unwatched, "AWS::CloudWatch::Alarm")
    assert not [name for name in unwatched["Resources"] if name.startswith("Alarms")]
    assert "AlarmsTopicArn" not in unwatched["Outputs"]


@pytest.mark.parametrize(
    ("busy", "done", "fires"),
    [(200, 20, 0), (401, 20, 1), (399, 20, 0), (99, 20, 1), (101, 20, 0), (9000, 19, 0), (0, 0, 0)],
)
def test_the_alarm_of_run_seconds_fires_below_half_and_above_twice(busy: float, done: float, fires: int) -> None:
    # Given a runtime that is said to take 10 s, and what its agents sent within an hour
    (condition,) = run_seconds.conditions([10.0]).values()

    # When
    parts = re.fullmatch(r"IF\((.*), 1, 0\)", condition)
    assert parts
    rule = re.sub(r"FILL\((\w+), 0\)", r"\1", parts[1]).replace("AND", "and").replace("OR", "or")

    # Then
    assert int(eval(rule, {"busy0": busy, "done0": done})) == fires
    assert run_seconds.PERIOD == 3600


def test_the_alarm_of_run_seconds_names_each_runtime_with_what_is_said(default: dict[str, Any]) -> None:
    (alarm,) = [one for one in alarms(default) if "run_seconds" in one["AlarmName"]]

    assert "sdruntime 10 s" in alarm["AlarmDescription"]
    assert {look["MetricName"] for look in looked_at(alarm)} == {"gpu_busy_seconds_total", "tasks_total"}
