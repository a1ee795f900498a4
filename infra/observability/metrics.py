"""The metrics in CloudWatch that this stack makes: the agents', as the collector writes them, and the front door's.

Each (name, set of dimensions) with values of its own is a metric that CloudWatch charges for. So only what the
dashboard or an alarm shows is written as one; the rest stays in the collector's log group.
"""

from collections.abc import Mapping

from contract.metrics import (
    DELIVERY_SUSPENDED,
    FETCH_TIME,
    GPU_BUSY,
    GPU_IDLE,
    IMAGES,
    NOTIFY_TIME,
    QUEUE_WAIT,
    READY,
    RETRIES,
    RUN_TIME,
    STORE_TIME,
    TASK_TIME,
    TASKS,
    Metric,
)

RUNTIME = "runtime"
OUTCOME = "outcome"

Dimensions = tuple[str, ...]

WHOLE: Dimensions = ()
"""All runtimes together."""

BY_RUNTIME: Dimensions = (RUNTIME,)
BY_OUTCOME: Dimensions = (OUTCOME,)
BY_BOTH: Dimensions = (OUTCOME, RUNTIME)

WRITTEN: Mapping[Metric, tuple[Dimensions, ...]] = {
    TASKS: (BY_OUTCOME, BY_BOTH),
    RETRIES: (BY_RUNTIME,),
    IMAGES: (BY_RUNTIME,),
    GPU_BUSY: (BY_RUNTIME,),
    GPU_IDLE: (BY_RUNTIME,),
    READY: (BY_RUNTIME,),
    DELIVERY_SUSPENDED: (WHOLE,),
    TASK_TIME: (WHOLE, BY_RUNTIME),
    QUEUE_WAIT: (WHOLE,),
    FETCH_TIME: (WHOLE,),
    RUN_TIME: (WHOLE,),
    STORE_TIME: (WHOLE,),
    NOTIFY_TIME: (WHOLE,),
}
"""Which metrics of the agents become metrics of CloudWatch, and with which sets of dimensions."""

UNITS: Mapping[str, str] = {"1": "Count", "s": "Seconds", "By": "Bytes"}
"""CloudWatch's words for the units."""

THROTTLED = "throttled_requests"
"""Requests that API Gateway answered with 429: counted in its access log, since it has no metric for them. No
dimensions."""


WEBHOOK_OUTCOMES: Mapping[str, str] = {
    "delivered": "webhooks_delivered",
    "retried": "webhooks_retried",
    "error": "webhook_errors",
}
"""Metrics without dimensions, by the outcome of a try in the log of the webhooks' function: receivers that answered
2xx, those that did not, and failures of our own."""


def search(namespace: str, metric: str, dimensions: Dimensions, stat: str, period: int, **values: str) -> str:
    """CloudWatch's SEARCH for every series of a metric with exactly these dimensions; ``values`` of some of them."""
    schema = ",".join(name if name.isalnum() else f'"{name}"' for name in (namespace, *dimensions))
    terms = "".join(f' {name}="{value}"' for name, value in values.items())
    return f"SEARCH('{{{schema}}} MetricName=\"{metric}\"{terms}', '{stat}', {period})"
