"""The page on cost states the costs that infra/README.md states, which are computed from the stack's template."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FIGURES = re.compile(r"\| ([+-]?[\d,]+\.\d\d|\*\*[\d,]+\.\d\d\*\*) \|$")
"""The last column of a row."""


def figures(text: str) -> list[str]:
    return [found[1] for line in text.splitlines() if (found := FIGURES.search(line))]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_costs_are_those_that_were_computed(language: str) -> None:
    # Given
    computed = (ROOT / "infra" / "README.md").read_text("utf-8").split("<!-- cost -->")[1].split("<!-- /cost -->")[0]
    # When
    stated = figures((ROOT / "docs" / language / "explanation" / "cost.md").read_text("utf-8"))
    # Then
    assert len(stated) > 20
    assert stated == figures(computed)
