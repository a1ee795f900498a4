"""The time budget of a cold start: its sums are right, and the settings that it names are there."""

import re
from dataclasses import dataclass

from charts.document import values
from test.charts.chart import ROOT, render

PAGE = ROOT / "docs" / "en" / "explanation" / "cold-start.md"
BUDGET = 120
"""Seconds from the first message to the first image."""

SOURCES = ("Published", "Computed", "Measured", "Assumed")


@dataclass(frozen=True)
class Row:
    number: str
    step: str
    seconds: tuple[int, int]
    setting: str
    source: str


def rows() -> list[Row]:
    cells = [
        [cell.strip().strip("*") for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("|")
    ]
    return [Row(c[0], c[1], (int(c[2]), int(c[3])), c[4], c[5]) for c in cells if c[2].isdigit()]


def test_the_steps_add_up_to_the_sum_that_the_page_states() -> None:
    *steps, total = rows()

    assert len(steps) >= 5
    assert tuple(sum(step.seconds[model] for step in steps) for model in (0, 1)) == total.seconds


def test_both_models_are_within_the_budget() -> None:
    assert max(rows()[-1].seconds) < BUDGET


def test_every_figure_says_where_it_comes_from() -> None:
    assert all(step.source.startswith(SOURCES) for step in rows()[:-1])


def test_every_setting_of_the_chart_that_the_page_names_is_a_value() -> None:
    named = re.findall(r"`((?:runtime|karpenter|global|networkPolicy)\.[\w.]+)[`:]", PAGE.read_text())

    assert len(named) > 8
    assert set(named) <= {value.path for value in values()}


def test_the_defaults_are_those_that_the_budget_counts_with() -> None:
    rendered = render()

    assert rendered.one("ScaledObject")["spec"]["pollingInterval"] == 2
    assert rendered.runtime["startupProbe"]["periodSeconds"] == 1
    assert rendered.node_class["instanceStorePolicy"] == "RAID0"
    assert "parallel-pull-unpack" in rendered.node_class["userData"]
    assert "g5.xlarge" in str(rendered.nodes["requirements"])
    assert "disable_mmap_load_safetensors" in rendered.one("ConfigMap")["data"]["config.json"]
