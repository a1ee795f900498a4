"""Reads each runtime's queue and pods, and keeps what it read for a moment."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import boto3
from botocore.config import Config

from frontend_lambda.failures import CALL_FAILURES
from frontend_lambda.logs import LOGGER
from frontend_lambda.settings import Settings
from frontend_lambda.tasks.estimate import Load
from frontend_lambda.tasks.table import TableUnavailable, TaskTable
from frontend_lambda.tasks.timings import TaskTimings

SQS_SECONDS = 1.0
"""To connect, and to answer. An estimate is not worth waiting longer."""


@dataclass(frozen=True, slots=True)
class _Kept:
    load: Load
    until: float


class Loads:
    """The load of each runtime. Safe to use from many threads; never raises: what cannot be read is not known."""

    def __init__(
        self,
        settings: Settings,
        session: boto3.Session,
        table: TaskTable,
        timings: TaskTimings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keep_seconds = timings.keep_load
        self._queue_url_prefix = settings.queue_url_prefix
        self._table = table
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()
        self._sqs = session.client(
            "sqs",
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            config=Config(
                connect_timeout=SQS_SECONDS,
                read_timeout=SQS_SECONDS,
                max_pool_connections=16,
                retries={"mode": "standard", "total_max_attempts": 1},
            ),
        )

    def of(self, runtime: str) -> Load:
        """At most ``keep_load`` seconds old, but for the time, which is now's."""
        now = self._clock()
        with self._lock:
            kept = self._kept.get(runtime)
        if kept is None or kept.until < now:
            kept = _Kept(self._read(runtime), now + self._keep_seconds)
            with self._lock:
                self._kept[runtime] = kept
        return replace(kept.load, now=now)

    def sent(self, runtime: str) -> None:
        """A task was sent to the runtime: it is behind all that were counted."""
        with self._lock:
            kept = self._kept.get(runtime)
            if kept and kept.load.waiting is not None:
                load = replace(kept.load, waiting=kept.load.waiting + 1)
                self._kept[runtime] = replace(kept, load=load)

    def _read(self, runtime: str) -> Load:
        waiting, taken = self._queue(runtime)
        try:
            pods = self._table.pods(runtime)
        except TableUnavailable as error:
            _warn("read the pods", runtime, error)
            pods = []
        return Load(now=self._clock(), waiting=waiting, taken=taken, pods=pods)

    def _queue(self, runtime: str) -> tuple[int | None, int]:
        names: list[Literal["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]] = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        try:
            response: Any = self._sqs.get_queue_attributes(
                QueueUrl=f"{self._queue_url_prefix}{runtime}", AttributeNames=names
            )
        except CALL_FAILURES as error:
            _warn("read the queue", runtime, error)
            return None, 0
        waiting, taken = (int(response["Attributes"][name]) for name in names)
        return waiting, taken


def _warn(what: str, runtime: str, error: Exception) -> None:
    facts = {"action": "estimate", "step": what, "runtime": runtime, "error": type(error).__name__}
    LOGGER.warning("no estimate of waiting times", extra=facts)
