"""Reads the dashboard of a template."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from test.infra.reading import the_one

EVERY = pytest.mark.parametrize("name", ["default", "three", "everything", "china", "most"])

FOUND = re.compile(r"""SEARCH\('\{(?:"([^"]+)"|(\w+)),([\w,]+)\} MetricName="(\w+)"(?: (\w+)="\w+")?', '\w+', \d+\)""")
"""A search as we write it: namespace, dimensions, name, and the dimension that has a value."""

Seen = tuple[str, str, frozenset[str]]
"""Namespace, name and dimensions."""


def body(template: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(the_one(template, "AWS::CloudWatch::Dashboard")["DashboardBody"])
    return made


def graphs(template: dict[str, Any]) -> dict[str, list[list[Any]]]:
    """Lines by title."""
    widgets = body(template)["widgets"]
    return {one["properties"]["title"]: one["properties"]["metrics"] for one in widgets if one["type"] == "metric"}


def on_the_dashboard(template: dict[str, Any]) -> Iterator[Seen]:
    for lines in graphs(template).values():
        for line in lines:
            if expression := line[-1].get("expression"):
                for quoted, plain_, dimensions, name, valued in FOUND.findall(expression):
                    assert valued in {"", *dimensions.split(",")}
                    yield quoted or plain_, name, frozenset(dimensions.split(","))
            else:
                yield line[0], line[1], frozenset(line[2:-1:2])
