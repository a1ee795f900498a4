"""The values of the chart in charts/ with a runtime's own over them."""

import functools
from collections.abc import Mapping
from typing import Any

import yaml

from infra.chart_values import TYPE_VALUES, merged
from infra.config.model import Runtime
from infra.versions import RUNTIME_CHART_FOLDER


def values_of(runtime: Runtime) -> dict[str, Any]:
    """The chart's defaults, then its type's, then ``scaling``, then ``extraValues``. A chart of the user's own is taken
    to have the same defaults."""
    scaling = {"runtime": {"scaling": runtime.scaling.chart_values()}}
    defaults = merged(default_values(), TYPE_VALUES.get(runtime.type, {}))
    return merged(merged(defaults, scaling), runtime.extra_values)


def scaling_values(runtime: Runtime) -> Mapping[str, Any] | None:
    """``runtime.scaling``; None where extraValues hold something else than the chart's schema allows."""
    below: Any = values_of(runtime).get("runtime")
    below = below.get("scaling") if isinstance(below, Mapping) else None
    numbers = ("runSeconds", "targetWaitSeconds", "queueLength", "minReplicaCount", "maxReplicaCount")
    usable = isinstance(below, Mapping) and all(isinstance(below[key], int | float) for key in numbers)
    return below if usable else None


@functools.cache
def default_values() -> dict[str, Any]:
    """values.yaml of the chart in charts/."""
    values: dict[str, Any] = yaml.safe_load((RUNTIME_CHART_FOLDER / "values.yaml").read_text(encoding="utf-8"))
    return values
