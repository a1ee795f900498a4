"""What a queue got, read from CloudWatch at the wire."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.backends import get_backend

from test.infra.embedded_stack import ACCOUNT
from test.support.moto_server import running_moto
from utils.planner.cloudwatch import PERIOD, history
from utils.planner.errors import PlannerError

SENT = ("AWS/SQS", "NumberOfMessagesSent")
NOW = datetime(2026, 11, 20, 12, 3, tzinfo=UTC)


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    # Of CloudWatch alone: the worker's other tests keep what they have in the same process.
    get_backend("cloudwatch")[ACCOUNT]["us-west-2"].reset()
    with running_moto() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield boto3.client("cloudwatch", region_name="us-west-2")


def put(client: Any, namespace: str, name: str, *, hours: float, value: float, **dimensions: str) -> None:
    """A point of so many hours ago."""
    named = [{"Name": key, "Value": one} for key, one in dimensions.items()]
    data = [{"MetricName": name, "Dimensions": named, "Timestamp": NOW - timedelta(hours=hours), "Value": value}]
    client.put_metric_data(Namespace=namespace, MetricData=data)


def read(days: int = 1) -> Any:
    queue = "sdoneks_sdruntime"
    return history(stack="sdoneksStack", queue=queue, runtime="sdruntime", days=days, region="us-west-2", now=NOW)


def test_the_rate_of_each_five_minutes_and_the_mean_run_are_read(cloudwatch: Any) -> None:
    # Given 600 tasks in one period, 300 in another, and 900 that took 7200 s
    for hours, count in ((20, 600), (2, 300)):
        put(cloudwatch, *SENT, hours=hours, value=count, QueueName="sdoneks_sdruntime")
    put(cloudwatch, *SENT, hours=1, value=10_000, QueueName="other")
    put(cloudwatch, "sdoneksStack", "gpu_busy_seconds_total", hours=2, value=7200, runtime="sdruntime")
    put(cloudwatch, "sdoneksStack", "tasks_total", hours=2, value=900, outcome="completed", runtime="sdruntime")

    # When
    found = read()

    # Then
    assert len(found.rates) == 86_400 / PERIOD
    assert sorted(found.rates)[-2:] == [1.0, 2.0]
    assert sum(found.rates) * PERIOD == 900
    assert found.run_seconds == 8.0


def test_without_agents_metrics_the_run_is_not_known(cloudwatch: Any) -> None:
    put(cloudwatch, *SENT, hours=1, value=5, QueueName="sdoneks_sdruntime")

    assert read().run_seconds is None


def test_a_queue_without_tasks_and_too_many_days_are_refused(cloudwatch: Any) -> None:
    with pytest.raises(PlannerError, match="no task in the queue sdoneks_sdruntime within 1 days"):
        read()
    with pytest.raises(PlannerError, match="for 63 days, got 64"):
        read(64)
