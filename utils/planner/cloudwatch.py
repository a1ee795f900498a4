"""The tasks that a runtime's queue got, and how long they ran, as CloudWatch has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

from contract.metrics import GPU_BUSY, TASKS
from infra.observability.metrics import OUTCOME, RUNTIME
from utils.planner.errors import PlannerError

PERIOD = 300
"""Seconds of a point: CloudWatch keeps points of five minutes for 63 days."""

MOST_DAYS = 63

CLIENT = ClientConfig(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})


@dataclass(frozen=True, slots=True)
class History:
    """``rates``: tasks a second in each ``PERIOD``. ``run_seconds``: mean of a task; None where no agent sent it."""

    rates: tuple[float, ...]
    run_seconds: float | None


def history(
    *, stack: str, queue: str, runtime: str, days: int, region: str | None, now: datetime | None = None
) -> History:
    """The last days of a queue. Raises PlannerError when CloudWatch does not answer, or knows of no task."""
    if days > MOST_DAYS:
        raise PlannerError(f"--cloudwatch: CloudWatch keeps five minutes apart for {MOST_DAYS} days, got {days}")
    last = (now or datetime.now(UTC)).replace(second=0, microsecond=0)
    end = last - timedelta(minutes=last.minute % (PERIOD // 60))
    start = end - timedelta(days=days)
    by_runtime = {RUNTIME: runtime}
    queries = [
        _query("sent", "AWS/SQS", "NumberOfMessagesSent", {"QueueName": queue}),
        _query("busy", stack, GPU_BUSY.name, by_runtime),
        _query("done", stack, TASKS.name, {OUTCOME: "completed", **by_runtime}),
    ]
    found = _points(queries, start, end, region)
    counts = [0.0] * (days * 86_400 // PERIOD)
    for moment, count in found["sent"]:
        counts[min(len(counts) - 1, max(0, int((moment - start).total_seconds() // PERIOD)))] += count
    if not sum(counts):
        raise PlannerError(f"CloudWatch knows of no task in the queue {queue} within {days} days; is it the region?")
    busy, done = (sum(value for _, value in found[name]) for name in ("busy", "done"))
    return History(tuple(count / PERIOD for count in counts), busy / done if done else None)


def _query(name: str, namespace: str, metric: str, dimensions: dict[str, str]) -> dict[str, Any]:
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metrics = {"Namespace": namespace, "MetricName": metric, "Dimensions": named}
    return {"Id": name, "MetricStat": {"Metric": metrics, "Period": PERIOD, "Stat": "Sum"}}


def _points(
    queries: Sequence[dict[str, Any]], start: datetime, end: datetime, region: str | None
) -> dict[str, list[tuple[datetime, float]]]:
    points: dict[str, list[tuple[datetime, float]]] = {query["Id"]: [] for query in queries}
    try:
        client: Any = boto3.client("cloudwatch", region_name=region, config=CLIENT)
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=list(queries), StartTime=start, EndTime=end
        )
        for page in pages:
            for series in page["MetricDataResults"]:
                points[series["Id"]] += zip(series["Timestamps"], series["Values"], strict=True)
    except (BotoCoreError, ClientError) as error:
        raise PlannerError(f"CloudWatch cannot be asked: {error}") from error
    return points
