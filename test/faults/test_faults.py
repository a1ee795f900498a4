"""A small play of faults, so that the program itself stays true; the whole is ``-m test.faults``."""

from pathlib import Path

import pytest

from test.bench.stage import moto
from test.faults.__main__ import Scenario, kill_agents, kill_runtimes, play


@pytest.mark.slow
async def test_nothing_is_lost_when_agents_and_runtimes_die_and_aws_fails(tmp_path: Path) -> None:
    # Given agents and runtimes that are killed, and AWS calls that fail
    worst = Scenario("small", (kill_agents, kill_runtimes), share_failing=0.1)
    async with moto() as endpoint:
        # When a few tasks go through that
        outcome = await play(worst, endpoint, tasks=8, agents=2, logs=tmp_path)
    # Then every promise holds
    assert outcome.broken(killed_agents=True) == []
