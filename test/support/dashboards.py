"""The rules of CloudWatch's dashboard body. Source: Dashboard Body Structure and Syntax, and the service's quotas."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

COLUMNS = 24
MAX_HEIGHT = 1000
MAX_WIDGETS = 500
MAX_LINES = 500
"""Of one graph."""
MAX_LINES_OF_ALL = 2500
MAX_ALARMS = 100
MAX_SEARCH = 1024
"""Characters of the first argument of SEARCH."""

PROPERTIES: Mapping[str, tuple[set[str], set[str]]] = {
    "text": ({"markdown"}, {"background"}),
    "alarm": ({"alarms"}, {"title", "sortBy", "states"}),
    "metric": (
        {"metrics", "region"},
        {
            "title",
            "view",
            "stat",
            "period",
            "yAxis",
            "stacked",
            "annotations",
            "legend",
            "timezone",
            "setPeriodToTimeRange",
        },
    ),
}
"""Those that a widget of a type must have, and those that it may have."""

OPTIONS = {"id", "label", "stat", "period", "visible", "color", "yAxis", "region", "expression"}
VIEWS = {"timeSeries", "singleValue", "gauge", "bar", "pie", "table"}
STAT = re.compile(r"Sum|Average|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d+)?")
ID = re.compile(r"[a-z][A-Za-z0-9_]*")
WORD = re.compile(r"\b[a-z][A-Za-z0-9_]*\b")
SEARCH = re.compile(r"SEARCH\('([^']*)', '([^']*)', (\d+)\)")

Widget = Mapping[str, Any]


def faults(body: Mapping[str, Any]) -> list[str]:
    """What CloudWatch would refuse, or show as an error. Empty when all is well."""
    return list(_faults(body))


def _faults(body: Mapping[str, Any]) -> Iterator[str]:
    if unknown := body.keys() - {"widgets", "start", "end", "periodOverride", "variables"}:
        yield f"unknown keys {unknown}"
    widgets: Sequence[Widget] = body["widgets"]
    if len(widgets) > MAX_WIDGETS:
        yield f"{len(widgets)} widgets"
    if sum(len(widget["properties"].get("metrics", ())) for widget in widgets) > MAX_LINES_OF_ALL:
        yield "too many lines on all graphs"
    for one, other in combinations(widgets, 2):
        if _overlap(one, other):
            yield f"{_name(one)} and {_name(other)} overlap"
    for widget in widgets:
        for fault in (*_place(widget), *_properties(widget)):
            yield f"{_name(widget)}: {fault}"


def _name(widget: Widget) -> str:
    return str(widget["properties"].get("title", widget["type"]))


def _overlap(one: Widget, other: Widget) -> bool:
    def apart(start: str, size: str) -> bool:
        return bool(one[start] + one[size] <= other[start] or other[start] + other[size] <= one[start])

    return not apart("x", "width") and not apart("y", "height")


def _place(widget: Widget) -> Iterator[str]:
    if widget.keys() != {"type", "x", "y", "width", "height", "properties"}:
        yield f"keys {sorted(widget)}"
    if not all(type(widget[key]) is int for key in ("x", "y", "width", "height")):
        yield "a place that is no whole number"
    if widget["x"] < 0 or widget["y"] < 0 or widget["width"] < 1 or widget["x"] + widget["width"] > COLUMNS:
        yield "outside the grid"
    if not 1 <= widget["height"] <= MAX_HEIGHT:
        yield f"height {widget['height']}"


def _properties(widget: Widget) -> Iterator[str]:
    needed, allowed = PROPERTIES[widget["type"]]
    properties = widget["properties"]
    if not needed <= properties.keys() <= needed | allowed:
        yield f"properties {sorted(properties)}"
    if widget["type"] == "text" and not properties["markdown"]:
        yield "no text"
    if widget["type"] == "alarm" and not 1 <= len(properties["alarms"]) <= MAX_ALARMS:
        yield f"{len(properties['alarms'])} alarms"
    if widget["type"] == "metric":
        yield from _graph(properties)


def _graph(properties: Mapping[str, Any]) -> Iterator[str]:
    lines = properties["metrics"]
    if not 1 <= len(lines) <= MAX_LINES:
        yield f"{len(lines)} lines"
    if properties.get("view", "timeSeries") not in VIEWS:
        yield f"view {properties['view']}"
    if not STAT.fullmatch(properties.get("stat", "Average")):
        yield f"stat {properties['stat']}"
    if properties.get("period", 300) % 60:
        yield f"period {properties['period']}"
    ids = [line[-1]["id"] for line in lines if isinstance(line[-1], Mapping) and "id" in line[-1]]
    if len(ids) != len(set(ids)):
        yield f"ids {ids}"
    if all(isinstance(line[-1], Mapping) and line[-1].get("visible") is False for line in lines):
        yield "nothing is visible"
    for line in lines:
        yield from _line(line, ids)


def _line(line: Sequence[Any], ids: Sequence[str]) -> Iterator[str]:
    options = line[-1] if isinstance(line[-1], Mapping) else {}
    names = line[:-1] if options else line
    if options.keys() - OPTIONS:
        yield f"options {sorted(options)}"
    if "id" in options and not ID.fullmatch(options["id"]):
        yield f"id {options['id']}"
    if "stat" in options and not STAT.fullmatch(options["stat"]):
        yield f"stat {options['stat']}"
    if "expression" in options:
        if names:
            yield "an expression and a metric in one"
        yield from _expression(options["expression"], ids)
    elif len(names) < 2 or len(names) % 2 or not all(isinstance(name, str) and name for name in names):
        yield f"metric {names}"


def _expression(text: str, ids: Sequence[str]) -> Iterator[str]:
    if text.count("SEARCH(") != len(SEARCH.findall(text)):
        yield f"SEARCH in {text}"
    for query, stat, period in SEARCH.findall(text):
        if len(query) > MAX_SEARCH or not STAT.fullmatch(stat) or int(period) % 60:
            yield f"SEARCH in {text}"
    if unknown := set(WORD.findall(SEARCH.sub("", text))) - set(ids):
        yield f"{text} speaks of {sorted(unknown)}"
    if text.count("(") != text.count(")"):
        yield f"brackets of {text}"
