"""The rules that the dashboard is held to see what is wrong."""

from typing import Any

import pytest

from test.support.dashboards import faults

GRAPH: dict[str, Any] = {
    "type": "metric",
    "x": 0,
    "y": 0,
    "width": 12,
    "height": 6,
    "properties": {"region": "us-west-2", "metrics": [["AWS/SQS", "M", "QueueName", "q", {"id": "a"}]]},
}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"x": 13}, "outside the grid"),
        ({"width": 25}, "outside the grid"),
        ({"height": 0}, "height 0"),
        ({"y": 0.5}, "no whole number"),
        ({"properties": {"metrics": GRAPH["properties"]["metrics"]}}, "properties ['metrics']"),
        ({"properties": {"region": "x", "metrics": [["AWS/SQS", "M", "QueueName"]]}}, "metric ["),
        ({"properties": {"region": "x", "metrics": [[{"expression": "a + 1"}]]}}, "speaks of ['a']"),
        ({"properties": {"region": "x", "metrics": [[{"expression": "SEARCH('{a,b} c')"}]]}}, "SEARCH in"),
        ({"properties": {"region": "x", "metrics": [["A", "M", {"stat": "p100"}]]}}, "stat p100"),
        ({"properties": {"region": "x", "metrics": [["A", "M", {"id": "A"}]]}}, "id A"),
        ({"properties": {"region": "x", "metrics": [["A", "M", {"visible": False}]]}}, "nothing is visible"),
        ({"properties": {"region": "x", "metrics": [["A", "M"]] * 501}}, "501 lines"),
    ],
)
def test_the_rules_see_what_is_wrong(change: dict[str, Any], fault: str) -> None:
    wrong = {**GRAPH, **change}

    assert any(fault in one for one in faults({"widgets": [wrong]}))


def test_the_rules_see_widgets_that_overlap() -> None:
    assert faults({"widgets": [GRAPH, {**GRAPH, "x": 12}, {**GRAPH, "y": 6}]}) == []
    assert len(faults({"widgets": [GRAPH, {**GRAPH, "x": 11, "y": 5}]})) == 1
