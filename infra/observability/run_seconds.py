"""Whether runs take as long as config.yaml says, by which the number of pods is computed.

The mean of a run is the GPUs' busy time over the tasks that were completed: metrics that are paid for already.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from contract.metrics import GPU_BUSY, TASKS
from infra.observability.metrics import OUTCOME, RUNTIME
from infra.observability.queries import MetricQuery

PERIOD = 3600
"""Seconds that the mean is of."""

FEW_TASKS = 20
"""Fewer in the period say nothing of the usual run."""

FAR = 2
"""So many times too long or too short, a queue gets twice or half the pods that it should."""

COMPLETED = "completed"


def queries(stack: str, runtimes: Sequence[str]) -> list[MetricQuery]:
    """Two for each runtime: ``busyN``, seconds, and ``doneN``, tasks."""
    return [
        query
        for number, name in enumerate(runtimes)
        for query in (
            MetricQuery(f"busy{number}", stack, GPU_BUSY.name, {RUNTIME: name}, "Sum"),
            MetricQuery(f"done{number}", stack, TASKS.name, {OUTCOME: COMPLETED, RUNTIME: name}, "Sum"),
        )
    ]


def conditions(stated: Sequence[float]) -> dict[str, str]:
    """``farN`` is 1 where a run is far from what is stated, in seconds, else 0."""
    return {
        f"far{number}": (
            f"IF(FILL(done{number}, 0) >= {FEW_TASKS} AND (FILL(busy{number}, 0) > {FAR * seconds:g} * "
            f"FILL(done{number}, 0) OR {FAR} * FILL(busy{number}, 0) < {seconds:g} * FILL(done{number}, 0)), 1, 0)"
        )
        for number, seconds in enumerate(stated)
    }


def explanation(stated: Mapping[str, float]) -> str:
    """What the alarm means."""
    named = ", ".join(f"{name} {seconds:g} s" for name, seconds in stated.items())
    return (
        f"Tasks of {' or '.join(stated)} take less than half or more than twice as long as scaling.runSeconds says "
        f"({named}; mean of an hour), so that there are too many or too few pods."
    )


def lines(stack: str, stated: Mapping[str, float]) -> list[list[Any]]:
    """Of the dashboard's graph: the mean of each runtime, labelled with what is stated."""
    made: list[list[Any]] = []
    for query in queries(stack, list(stated)):
        pairs = [part for pair in query.dimensions.items() for part in pair]
        made.append([query.namespace, query.name, *pairs, {"id": query.id, "visible": False}])
    for number, (name, seconds) in enumerate(stated.items()):
        made.append([{"expression": f"busy{number} / done{number}", "label": f"{name} (runSeconds {seconds:g})"}])
    return made
