"""Every metric that the agent emits: name, kind, unit, labels, meaning. The dashboard and the docs are made from it."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How values add up."""

    COUNTER = "counter"
    """Only grows."""
    GAUGE = "gauge"
    """What it is now."""
    HISTOGRAM = "histogram"
    """How single values are spread."""


@dataclass(frozen=True, slots=True)
class Metric:
    """``unit`` as UCUM writes it (``s``, ``By``, ``1``); ``labels``: besides ``runtime``, which every metric has."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()


TASKS = Metric(
    "tasks_total",
    Kind.COUNTER,
    "1",
    "tasks that ended; outcome is completed, failed, given_up, canceled, expired, repeated or undecodable, cause is "
    "that of the failure",
    ("outcome", "cause"),
)
RETRIES = Metric("task_retries_total", Kind.COUNTER, "1", "runs that failed and were put back to run again", ("cause",))
RELEASES = Metric("task_hand_backs_total", Kind.COUNTER, "1", "messages given back unrun, or stopped by a shutdown")
DEAD_LETTERS = Metric("dead_letters_total", Kind.COUNTER, "1", "messages moved to the dead-letter queue by the agent")
LEASES_LOST = Metric("leases_lost_total", Kind.COUNTER, "1", "messages that became another agent's while held")
LEASE_RENEWALS = Metric("lease_renewals_total", Kind.COUNTER, "1", "leases renewed while a message was held")
MODEL_SWITCHES = Metric("model_switches_total", Kind.COUNTER, "1", "runs on another model than the run before")
IMAGES = Metric("pictures_total", Kind.COUNTER, "1", "images and other files stored")
FETCHED_BYTES = Metric("fetched_bytes_total", Kind.COUNTER, "By", "bytes fetched for links")
STORED_BYTES = Metric("stored_bytes_total", Kind.COUNTER, "By", "bytes of images and other files stored")
GPU_BUSY = Metric("gpu_busy_seconds_total", Kind.COUNTER, "s", "time in which the runtime worked on a task")
GPU_IDLE = Metric("gpu_idle_seconds_total", Kind.COUNTER, "s", "time in which it did not, its start included")
READY = Metric("runtime_ready", Kind.GAUGE, "1", "1 while the runtime would take a task or runs one, else 0")
DELIVERY_SUSPENDED = Metric(
    "delivery_suspended",
    Kind.GAUGE,
    "1",
    "1 while AWS does not take results, callbacks or deletions and no task is taken for that, else 0",
)
TABLE_FAILURES = Metric(
    "task_table_failures_total",
    Kind.COUNTER,
    "1",
    "calls of the task table that AWS did not take; call is look, claim, beat, end, requeue or report",
    ("call",),
)
QUEUE_WAIT = Metric("queue_wait_seconds", Kind.HISTOGRAM, "s", "from the sending of a message to its first delivery")
FETCH_TIME = Metric("fetch_seconds", Kind.HISTOGRAM, "s", "fetching one link")
RUN_TIME = Metric("run_seconds", Kind.HISTOGRAM, "s", "the runtime's work on one task")
STORE_TIME = Metric("store_seconds", Kind.HISTOGRAM, "s", "storing the results of one task")
NOTIFY_TIME = Metric("notify_seconds", Kind.HISTOGRAM, "s", "sending one callback")
TASK_TIME = Metric("task_seconds", Kind.HISTOGRAM, "s", "from the sending of a message to the end of its task")

METRICS = (
    TASKS,
    RETRIES,
    RELEASES,
    DEAD_LETTERS,
    LEASES_LOST,
    LEASE_RENEWALS,
    MODEL_SWITCHES,
    IMAGES,
    FETCHED_BYTES,
    STORED_BYTES,
    GPU_BUSY,
    GPU_IDLE,
    READY,
    DELIVERY_SUSPENDED,
    TABLE_FAILURES,
    QUEUE_WAIT,
    FETCH_TIME,
    RUN_TIME,
    STORE_TIME,
    NOTIFY_TIME,
    TASK_TIME,
)

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the histograms in seconds, from a call of AWS to the longest wait that one looks at."""
