"""What the collector makes of an agent's metrics: a model of its awsemf exporter, from its README and source.

Only what decides which metrics there are: labels are a point's attributes and its resource's; a declaration whose
pattern is found in a metric's name gives those of its sets of dimensions whose every name is a label.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.sdk.metrics.export import MetricsData

Written = tuple[str, frozenset[str]]
"""A metric's name, and the names of its dimensions."""


def written(config: Mapping[str, Any], sent: MetricsData) -> set[Written]:
    """All metrics that ``sent`` becomes, by the collector's whole ``config``."""
    exporter = config["exporters"]["awsemf"]
    added = {one["key"] for one in config["processors"]["resource"]["attributes"]}
    found: set[Written] = set()
    for name, labels in _points(sent):
        there = labels | added if exporter["resource_to_telemetry_conversion"]["enabled"] else labels
        for declaration in exporter["metric_declarations"]:
            if any(re.search(selector, name) for selector in declaration["metric_name_selectors"]):
                found |= {(name, frozenset(one)) for one in declaration["dimensions"] if there.issuperset(one)}
    return found


def _points(sent: MetricsData) -> Iterator[tuple[str, frozenset[str]]]:
    for resource in sent.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    yield metric.name, frozenset(point.attributes or ()) | frozenset(resource.resource.attributes)
