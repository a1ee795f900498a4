"""Standard loads: what an earlier simulator measured, and that the defaults are no worse than those before them."""

import pytest

from utils.planner import table
from utils.planner.model import HOUR
from utils.planner.settings import by_default

DEVIATING = {
    (1.5, "daily", "guidance", "mean"),
    (1.5, "daily", "300 s", "mean"),
    (8, "steady", "30 s", "p95"),
    (8, "steady", "100 s", "mean"),
    (8, "steady", "100 s", "p95"),
    (8, "steady", "300 s", "mean"),
    (8, "daily", "30 s", "p95"),
}
"""Waits that differ by more than 10 %: they depend on the hours that the loads cover, which are not recorded. No cost
does."""


@pytest.mark.slow
@pytest.mark.parametrize("row", table.FORMER, ids=lambda row: f"{row.run:g}-{row.kind}")
def test_the_table_is_reproduced_within_a_tenth(row: table.Row) -> None:
    far = set()
    for column, now, former in table.measured(row):
        for name, mine, theirs, rounding in zip(
            ("mean", "p95", "cost"), now, former, table.rounding_of(former), strict=True
        ):
            if table.differs(mine, theirs, rounding=rounding):
                far.add((row.run, row.kind, column, name))

    assert far <= DEVIATING


@pytest.mark.slow
@pytest.mark.parametrize("row", table.FORMER, ids=lambda row: f"{row.run:g}-{row.kind}")
@pytest.mark.parametrize("stated", [True, False], ids=["runSeconds stated", "nothing stated"])
def test_the_defaults_are_not_worse_in_cost_and_p95_at_once(row: table.Row, *, stated: bool) -> None:
    # Given
    default = by_default()
    setting = default.changed("stated", runSeconds=row.run) if stated else default
    some = table.sample(row.kind, row.run)

    # When
    _, p95_before, cost_before = table.cell(some, table.settings(row.run)["before"])
    _, p95, cost = table.cell(some, setting.scaling(24 * HOUR))

    # Then
    assert not (p95 > 1.05 * p95_before and cost > 1.05 * cost_before)
