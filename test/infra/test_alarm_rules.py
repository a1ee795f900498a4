"""The evaluation that the alarms are held to: what CloudWatch does with thresholds, periods and missing data."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from test.support.alarms import READINGS, Alarm, Expression, Reading
from test.support.aws import embedded

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

PERIODS = [NOW - timedelta(minutes=5 * number) for number in (3, 2, 1)]


@pytest.fixture(scope="module")
def cloudwatch() -> Iterator[Any]:
    with embedded() as aws:
        yield aws.client("cloudwatch")


def put(cloudwatch: Any, name: str, values: dict[int, float], missing: str = "notBreaching", enough: int = 2) -> None:
    """An alarm at 10 in ``enough`` of three periods; ``values`` by period, 3 is the oldest."""
    metric = {"Namespace": name, "MetricName": "m", "Dimensions": []}
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Metrics=[
            {"Id": "m", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Maximum"}, "ReturnData": False},
            {"Id": "result", "Expression": "m * 1", "ReturnData": True},
        ],
        EvaluationPeriods=3,
        DatapointsToAlarm=enough,
        Threshold=10,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData=missing,
    )
    data = [
        {"MetricName": "m", "Timestamp": NOW - timedelta(minutes=5 * period - 1), "Value": value}
        for period, value in values.items()
    ]
    if data:
        cloudwatch.put_metric_data(Namespace=name, MetricData=data)


def state(cloudwatch: Any, name: str) -> str:
    return Alarm(cloudwatch, name, NOW, READINGS[0]).evaluate()


def test_moto_itself_compares_nothing(cloudwatch: Any) -> None:
    put(cloudwatch, "alone", {3: 99, 2: 99, 1: 99})

    (told,) = cloudwatch.describe_alarms(AlarmNames=["alone"])["MetricAlarms"]
    assert told["StateValue"] == "OK"
    assert state(cloudwatch, "alone") == "ALARM"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({3: 10, 2: 10, 1: 10}, "ALARM"),
        ({3: 0, 2: 10, 1: 10}, "ALARM"),
        ({3: 10, 1: 10}, "ALARM"),
        ({3: 10, 2: 9.9, 1: 9.9}, "OK"),
        ({1: 10}, "OK"),
        ({9: 10, 8: 10, 7: 10}, "OK"),
    ],
)
def test_enough_of_the_last_periods_must_breach(cloudwatch: Any, values: dict[int, float], expected: str) -> None:
    name = f"enough-{len(values)}-{sum(values.values())}-{min(values)}-{max(values)}"
    put(cloudwatch, name, values)

    assert state(cloudwatch, name) == expected


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("notBreaching", "OK"), ("breaching", "ALARM"), ("missing", "INSUFFICIENT_DATA"), ("ignore", "OK")],
)
def test_no_data_means_what_the_alarm_says(cloudwatch: Any, missing: str, expected: str) -> None:
    put(cloudwatch, f"silent-{missing}", {}, missing)

    assert state(cloudwatch, f"silent-{missing}") == expected


def test_an_alarm_that_ignores_silence_stays_as_it_was(cloudwatch: Any) -> None:
    put(cloudwatch, "stays", {}, "ignore")
    cloudwatch.set_alarm_state(AlarmName="stays", StateValue="ALARM", StateReason="before")

    assert state(cloudwatch, "stays") == "ALARM"


@pytest.mark.parametrize(
    ("reading", "text", "expected"),
    [
        (READINGS[0], "SUM([a, b])", [1, 22, 3]),
        (Reading(fills_nothing=True, skips_gaps=False), "SUM([a, b])", [None, 22, None]),
        (READINGS[0], "a + b", [None, 22, None]),
        (READINGS[0], "FILL(b, 0) + a", [1, 22, 3]),
        (READINGS[0], "FILL(never, 7)", [7, 7, 7]),
        (Reading(fills_nothing=False, skips_gaps=True), "FILL(never, 7)", [None, None, None]),
        (READINGS[0], "MAX([a, never])", [1, 2, 3]),
        (READINGS[0], "IF(a >= 2 AND a < 3, 100 * a / 4, 0)", [0, 50, 0]),
        (READINGS[0], "IF(a > 1, b, 5)", [5, 20, None]),
        (READINGS[0], "a / (a - 1)", [None, 2, 1.5]),
    ],
)
def test_expressions_come_to_what_cloudwatch_says(reading: Reading, text: str, expected: list[float | None]) -> None:
    # Given
    a = dict(zip(PERIODS, (1.0, 2.0, 3.0), strict=True))
    series = {"a": a, "b": {PERIODS[1]: 20.0}, "never": {}}

    # When
    made = Expression(series, PERIODS, reading)(text)

    # Then
    assert [made.get(period) for period in PERIODS] == expected
