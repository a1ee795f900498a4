"""The Task as the API and webhooks show it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contract.task_table.item import MAX_OUTPUTS, Output, State, TaskItem, timestamp


@dataclass(frozen=True, slots=True)
class Link:
    """A link that opens without credentials until ``expires`` (epoch seconds)."""

    url: str
    expires: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a task waits: for its ``turn``, for a ``pod``, or for a ``retry``. Estimates; None where there is no basis.

    ``ahead`` counts the tasks before it, ``start_in`` is in seconds.
    """

    waiting_for: str
    ahead: int | None = None
    start_in: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things are: ``base_url`` ends in ``/v1alpha2/tasks``, ``bucket`` holds outputs and records, ``sign`` makes
    a link of an object's key; None where the Task is shown without links. ``linked`` is how many of a task's outputs
    have one, the first ones."""

    base_url: str
    bucket: str
    sign: Callable[[str], Link] | None
    linked: int = MAX_OUTPUTS


def task_view(item: TaskItem, places: Places, waiting: Waiting | None = None) -> dict[str, Any]:
    """The body that shows ``item``. ``waiting`` is shown of a queued task only."""
    own_url = f"{places.base_url}/{item.id}"
    body: dict[str, Any] = {
        "id": item.id,
        "status": item.status.value,
        "revision": item.revision,
        "runtime": item.runtime,
        "tasktype": item.tasktype.value,
        "labels": dict(item.labels),
        "attempt": item.attempt,
        "created": item.created,
        "started": item.started,
        "ended": item.ended,
        "deadline": _time(item.deadline),
        "expires": _time(item.ttl) if item.status.terminal else None,
        "cancel_requested": item.cancel,
        "queue": _queue(waiting) if item.status is State.QUEUED and waiting else None,
        "progress": {"value": item.progress, "updated": item.beat} if item.progress is not None else None,
        "outputs": [_output(number, output, places) for number, output in enumerate(item.outputs, start=1)],
        "outputs_omitted": item.omitted_outputs,
        "error": {**item.error.model_dump(), "retryable": item.retryable} if item.error else None,
        "usage": {"gpu_seconds": item.gpu_seconds, "usd": item.usd} if item.gpu_seconds is not None else None,
        "webhook": _webhook(item),
        "urls": {
            "self": own_url,
            "cancel": f"{own_url}/cancel",
            "record": f"s3://{places.bucket}/{item.record}" if item.record else None,
            "record_url": places.sign(item.record).url if item.record and places.sign else None,
        },
    }
    return body


def _queue(waiting: Waiting) -> dict[str, Any]:
    start_in = None if waiting.start_in is None else round(waiting.start_in, 1)
    return {"waiting_for": waiting.waiting_for, "ahead": waiting.ahead, "start_in": start_in}


def _output(number: int, output: Output, places: Places) -> dict[str, Any]:
    link = places.sign(output.key) if places.sign and number <= places.linked else None
    return {
        "n": number,
        "type": output.type,
        "bytes": output.size,
        "s3": f"s3://{places.bucket}/{output.key}",
        "url": link.url if link else None,
        "url_expires": timestamp(link.expires) if link else None,
    }


def _webhook(item: TaskItem) -> dict[str, Any] | None:
    webhook = item.webhook
    return {"state": webhook.state, "tries": webhook.tries, "last_status": webhook.last_status} if webhook else None


def _time(epoch_seconds: int | None) -> str | None:
    return None if epoch_seconds is None else timestamp(epoch_seconds)
