"""What the stages tell of a task while it passes: one span a stage, one call an event.

Nothing of OpenTelemetry is loaded here: ``Telemetry`` counts and keeps the trace's id for the log;
``queue_agent.telemetry.otel`` holds the one that exports, loaded only when there is somewhere to export to.
"""

import time
from types import TracebackType
from typing import Self, TypeAlias

from contract.metrics import FETCH_TIME, NOTIFY_TIME, QUEUE_WAIT, RUN_TIME, STORE_TIME, TASK_TIME, Metric
from contract.trace import TraceContext
from queue_agent.telemetry.metrics import Metrics

Attribute: TypeAlias = str | int | float | bool | None

TIMED = {"fetch": FETCH_TIME, "run": RUN_TIME, "store": STORE_TIME, "notify": NOTIFY_TIME}
"""Stages whose durations are a metric."""


class Span:
    """One stage, while its context is open. An error that leaves the context is the stage's."""

    def __init__(self, name: str, metrics: Metrics) -> None:
        self._metric = TIMED.get(name)
        self._metrics = metrics
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._metric is not None:
            self._metrics.observe(self._metric, time.perf_counter() - self._began)

    def note(self, **attributes: Attribute) -> None:
        """Say more of the stage; what is None is left out."""

    def carry(self, metric: Metric, size: int) -> None:
        """Bytes went through the stage; ``metric`` counts them."""
        self._metrics.add(metric, amount=size)


class Trace:
    """One delivery of one message, from its receive to its end. ``sent`` and others are seconds of the wall clock."""

    def __init__(self, metrics: Metrics, context: TraceContext | None, sent: float) -> None:
        self._metrics = metrics
        self._sent = sent
        self.trace_id = context.trace_id if context else None

    def span(self, name: str, **attributes: Attribute) -> Span:  # noqa: ARG002 - for those who export
        """A stage that begins now."""
        return Span(name, self._metrics)

    def record(self, name: str, began: float, ended: float) -> None:
        """A stage that is over."""

    def note(self, **attributes: Attribute) -> None:
        """Say more of the delivery."""

    def error(self, type_: str, message: str) -> None:
        """What went wrong with the delivery."""

    def end(self, outcome: str, *, final: bool) -> None:  # noqa: ARG002
        """The message is no longer this agent's; ``final`` when its task has ended with that."""
        if final:
            self._metrics.observe(TASK_TIME, max(0.0, time.time() - self._sent))


class Telemetry:
    """Counts, and exports nothing. ``metrics`` are the process's."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def received(self, context: TraceContext | None, *, sent: float, polled: float, receives: int) -> Trace:
        """A message came: ``sent`` to the queue, by a receive that began at ``polled``, for the ``receives``-th time.

        How long a message waited for a later delivery is not known: the time would hold earlier runs.
        """
        now = time.time()
        if receives == 1:
            self.metrics.observe(QUEUE_WAIT, max(0.0, now - sent))
        arrived = min(max(sent, polled), now)
        began = min(sent, arrived) if receives == 1 else arrived
        trace = self._trace(context, sent=sent, began=began)
        trace.note(receives=receives)
        if began < arrived:
            trace.record("wait", began, arrived)
        trace.record("receive", arrived, now)
        return trace

    def close(self) -> None:
        """Send what is held. May take a few seconds, in a thread of its own."""

    def _trace(self, context: TraceContext | None, *, sent: float, began: float) -> Trace:  # noqa: ARG002
        return Trace(self.metrics, context, sent)
