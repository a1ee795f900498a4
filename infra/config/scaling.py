"""How the pods of a runtime follow its queue: the keys of ``scaling``, and what they come to in the chart."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from infra.config.section import Section
from infra.config.types import Cron, Many, TimeZone

PRESETS: Mapping[str, float] = {"quick": 30.0, "balanced": 100.0, "thrifty": 300.0}
"""Seconds that a task may wait for those before it."""

DEFAULT_RUN_SECONDS = 10.0
"""With the balanced preset 10 tasks a pod, as many as before there was a choice."""

SHORTEST_RUN = 0.1
"""Seconds that ``runSeconds`` may be."""

SHORTEST_BUSY_RUN = 5.0
"""Seconds. For shorter runs the time after the run weighs so much that counting busy pods by messages costs more."""

HOLD_SECONDS = 0.4
"""How long a message is in flight after its run, while its result is stored and announced: 0.2 to 0.6 s."""

MOST_REPLICAS = 1000
"""What the chart allows."""


class Warm(Section):
    """Pods that are kept from one time to another. ``start`` and ``end``: cron, five fields."""

    start: Cron
    end: Cron
    timezone: TimeZone = "UTC"
    replicas: int = Field(default=1, ge=1, le=MOST_REPLICAS)


class Scaling(Section):
    """How long tasks may wait, and what they take. A key that is absent has the chart's value.

    ``target_wait_seconds``: for the tasks before it, without a cold start; in place of ``preset``. ``run_seconds``:
    what one task takes in the runtime.
    """

    preset: Literal["quick", "balanced", "thrifty"] | None = None
    target_wait_seconds: float | None = Field(default=None, ge=1, le=86_400)
    run_seconds: float | None = Field(default=None, ge=SHORTEST_RUN, le=36_000)
    min_replicas: int | None = Field(default=None, ge=0, le=MOST_REPLICAS)
    max_replicas: int | None = Field(default=None, ge=1, le=MOST_REPLICAS)
    warm: Annotated[tuple[Warm, ...], Many, Field(max_length=10)] = ()

    @property
    def counted_run_seconds(self) -> float:
        """As stated, or what the chart counts with."""
        return self.run_seconds or DEFAULT_RUN_SECONDS

    def chart_values(self) -> dict[str, Any]:
        """``runtime.scaling`` of the chart; only what is set, so that another chart gets no unknown values."""
        values = {
            "preset": self.preset,
            "targetWaitSeconds": self.target_wait_seconds,
            "runSeconds": self.run_seconds,
            "minReplicaCount": self.min_replicas,
            "maxReplicaCount": self.max_replicas,
            "warm": [one.model_dump() for one in self.warm] or None,
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Rule:
    """What the chart makes of its values. ``busy_weight``: pods that a message in flight counts; None: not at all."""

    queue_length: int
    busy_weight: float | None


def rule_of(values: Mapping[str, Any]) -> Rule:
    """The same as templates/scaledobject.yaml does. ``values``: the chart's ``runtime.scaling``, whole."""
    run = float(values["runSeconds"])
    wait = values["targetWaitSeconds"] or PRESETS[values["preset"]]
    length = values["queueLength"] or max(1, math.floor(0.5 + wait / run))
    keep = values["keepBusyPods"]
    counts = (keep == "on" or (keep == "auto" and run >= SHORTEST_BUSY_RUN)) and values["scaleOnInFlight"]
    return Rule(int(length), round(run / (run + HOLD_SECONDS), 4) if counts else None)
