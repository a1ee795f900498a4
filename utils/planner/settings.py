"""The scaling of a runtime as config.yaml has it, and as it could be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.chart_defaults import default_values, values_of
from infra.chart_values import merged
from infra.config.model import Runtime
from infra.config.scaling import PRESETS, rule_of
from utils.planner.errors import PlannerError
from utils.planner.model import Scaling
from utils.planner.schedules import floors

WINDOW = 120.0
"""Seconds of the scale-down stabilisation in the chart's template."""

UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """``values``: the chart's ``runtime.scaling``, whole. ``consolidate_after`` in seconds."""

    name: str
    values: Mapping[str, Any]
    consolidate_after: float

    def changed(self, name: str, **values: Any) -> "Setting":
        """Another one with some values changed."""
        return Setting(name=name, values={**self.values, **values}, consolidate_after=self.consolidate_after)

    def scaling(self, length: float) -> Scaling:
        """For a simulation of ``length`` seconds."""
        values, rule = self.values, rule_of(self.values)
        least, most = int(values["minReplicaCount"]), int(values["maxReplicaCount"])
        if values["enabled"] and not 0 <= least <= max(1, most):
            raise PlannerError(f"minReplicas must be from 0 to maxReplicas, {most}, got {least}")
        if most < 1 or not (values["enabled"] or values["replicas"]):
            raise PlannerError("no pod is allowed: maxReplicas, or replicas where scaling is off, must be 1 or more")
        down = values["extraHPAConfig"].get("scaleDown", {})
        fixed = None if values["enabled"] else int(values["replicas"])
        return Scaling(
            per_pod=rule.queue_length,
            busy_weight=rule.busy_weight,
            min_pods=least if fixed is None else fixed,
            max_pods=most if fixed is None else fixed,
            polling=max(1.0, float(values["pollingInterval"])),
            cooldown=float(values["cooldownPeriod"]),
            window=float(down.get("stabilizationWindowSeconds", WINDOW)),
            consolidate_after=self.consolidate_after,
            floors=floors(values["warm"], length),
        )


def as_it_is(runtime: Runtime) -> Setting:
    """Of a runtime in config.yaml. Raises PlannerError for values that the chart would refuse."""
    return _setting(values_of(runtime), runtime.name)


def instance_types(runtime: Runtime) -> tuple[str, ...]:
    """That the runtime's nodes may be of."""
    return tuple(map(str, values_of(runtime)["karpenter"]["provisioner"]["instanceType"]))


def by_default() -> Setting:
    """Of a config that says nothing of scaling."""
    return _setting(default_values(), "")


def _setting(values: Mapping[str, Any], name: str) -> Setting:
    try:
        disruption = values["karpenter"]["provisioner"]["disruption"]
        scaling = {**values["runtime"]["scaling"], "replicas": values["runtime"]["replicas"]}
        setting = Setting(name="as it is", values=scaling, consolidate_after=seconds(disruption["consolidateAfter"]))
        setting.scaling(1.0)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlannerError(
            f"extraValues of {name}: are not what the chart allows ({error}); see docs/en/reference/chart.md"
        ) from error
    return setting


def seconds(duration: str) -> float:
    """Karpenter's ``1h30m`` in seconds; ``Never`` is infinite, here a year."""
    if duration == "Never":
        return 365 * 86_400.0
    return float(sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", duration)))


def presets(base: Setting, run: float) -> list[Setting]:
    """The three, with all that they leave open as the runtime has it."""
    fresh = merged(base.values, {"queueLength": 0, "targetWaitSeconds": 0, "runSeconds": run, "enabled": True})
    opened = Setting(name="", values=fresh, consolidate_after=base.consolidate_after)
    return [opened.changed(name, preset=name) for name in PRESETS]
