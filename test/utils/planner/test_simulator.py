"""The simulation, held to queueing theory, to exact sums, and to what a real control plane did."""

from array import array
from dataclasses import replace

import pytest

from utils.planner import loads
from utils.planner.model import HOUR, Cloud, Floor, Load, Outcome, Scaling
from utils.planner.simulator import Simulation

EXACT = Cloud(removal=0.0, hold=0.0)


def simulated(load: Load, scaling: Scaling, cloud: Cloud | None = None, seed: int = 0) -> Outcome:
    return Simulation(load, scaling, cloud or Cloud(), seed=seed).run()


def at(*seconds: float, run: float = 10.0, length: float = HOUR) -> Load:
    return Load(array("d", seconds), array("d", [run]) * len(seconds), length)


@pytest.mark.slow
@pytest.mark.parametrize(("busy", "spread"), [(0.5, 0.3), (0.5, 1.0), (0.7, 0.3)])
def test_one_pod_keeps_tasks_waiting_as_theory_says(busy: float, spread: float) -> None:
    # Given an M/G/1 queue, whose mean wait is that of Pollaczek and Khinchine
    load = loads.steady(busy, 1.0, length=3_000_000, spread=spread, seed=4)
    mean, square = load.work / len(load), sum(run * run for run in load.runs) / len(load)
    rate = len(load) / load.arrivals[-1]
    expected = rate * square / (2 * (1 - rate * mean))

    # When
    outcome = simulated(load, Scaling(per_pod=10, min_pods=1, max_pods=1))

    # Then
    assert sum(outcome.waits) / len(load) == pytest.approx(expected, rel=0.01)


def test_what_one_task_costs_is_the_sum_of_its_steps() -> None:
    scaling = Scaling(per_pod=10)

    # When
    outcome = simulated(at(100.0), scaling, EXACT)

    # Then a look of KEDA lies before the start, and another before the end
    steps = EXACT.cold_start + 10 + scaling.cooldown + scaling.consolidate_after
    assert outcome.node_seconds == pytest.approx(steps, abs=scaling.polling)
    assert outcome.waits[0] == pytest.approx(EXACT.cold_start, abs=scaling.polling)
    assert (outcome.cold, outcome.peak) == (1, 1)


def test_an_always_on_pod_is_paid_for_all_the_time_and_nobody_waits_for_its_start() -> None:
    outcome = simulated(at(100.0, 200.0), Scaling(per_pod=10, min_pods=1, max_pods=1))

    assert outcome.node_seconds == pytest.approx(HOUR, abs=15)
    assert list(outcome.waits) == [0.0, 0.0]
    assert outcome.cold == 0


def test_pods_by_a_schedule_are_there_before_the_task_and_gone_afterwards() -> None:
    # Given a pod from 600 s to 1200 s, and a task in between and one afterwards
    scaling = Scaling(per_pod=10, floors=(Floor(600.0, 1200.0, 1),))

    # When
    outcome = simulated(at(900.0, 2500.0), scaling, EXACT)

    # Then
    assert outcome.waits[0] == 0.0
    assert outcome.waits[1] == pytest.approx(EXACT.cold_start, abs=scaling.polling)
    assert outcome.cold == 1
    kept = 600 + scaling.cooldown + scaling.consolidate_after
    alone = EXACT.cold_start + 10 + scaling.cooldown + scaling.consolidate_after
    assert outcome.node_seconds == pytest.approx(kept + alone, abs=20)


@pytest.mark.parametrize("target", [30, 100, 300])
def test_a_burst_waits_no_longer_than_a_cold_start_and_the_target(target: int) -> None:
    run = 8.0
    scaling = Scaling(per_pod=target / run, busy_weight=run / (run + Cloud().hold))

    for seed in range(20):
        outcome = simulated(loads.burst(200, run, seed=seed), replace(scaling, max_pods=100), seed=seed)
        assert max(outcome.waits) <= Cloud().cold_start + 15 + 2 + target * 1.1 + run


def test_a_real_control_planes_transitions_are_met_within_15_seconds() -> None:
    """Seen with KEDA 2.20 and an HPA: 60 tasks for one pod per ten messages, nodes simulated with a delay of 5 s.

    1 replica after 1 s, 6 after 3 s, nodes after 8 to 10 s, the last of 60 callbacks after 66 s; then 0 replicas 59 s
    after the end, the last node gone after 144 s. The run time, 5.5 s, follows from ten tasks a pod in 56 s.
    """
    scaling = Scaling(per_pod=10, polling=1, cooldown=60, window=180, consolidate_after=60)
    cloud = Cloud(node_ready=7.0, pod_ready=1.0)
    begin = 1000.0
    load = at(*[begin] * 60, run=5.5)

    for seed in range(10):
        # When
        outcome = simulated(load, scaling, cloud, seed=seed)

        # Then
        changes = [(time - begin, count) for time, count in outcome.changes]
        assert [count for _, count in changes] == [1, 6, 0]
        end = outcome.ended - begin
        seen = [changes[0][0], changes[1][0], end, changes[2][0] - end, outcome.last_node_gone - outcome.ended]
        assert seen == [pytest.approx(real, abs=15) for real in (1, 3, 66, 59, 144)]


def test_every_task_runs_once_its_node_was_taken_and_interruptions_cost_more() -> None:
    load = loads.steady(0.2, 60, length=6 * HOUR)
    scaling = Scaling(per_pod=2, busy_weight=0.99)

    # When
    calm = simulated(load, scaling)
    rough = simulated(load, scaling, Cloud(interruptions=0.5))

    # Then
    assert (calm.interrupted, len(calm.waits)) == (0, len(load))
    assert rough.interrupted == pytest.approx(0.5 * rough.node_seconds / HOUR, rel=0.4)
    assert len(rough.waits) == len(load)
    assert rough.node_seconds > calm.node_seconds


def test_the_same_seed_gives_the_same_outcome_and_another_one_another() -> None:
    load = loads.daily(0.5, 8)
    scaling = Scaling(per_pod=13, busy_weight=0.95)

    first, again, other = (simulated(load, scaling, seed=seed).node_seconds for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_busy_pods_are_not_taken_away_where_they_are_counted() -> None:
    """Six pods' worth of work at ten messages a pod: without counting, the HPA takes pods until a backlog is there."""
    load = loads.steady(0.75, 8, length=4 * HOUR)

    counted, not_counted = (
        simulated(load, Scaling(per_pod=10, busy_weight=weight)).waits for weight in (8 / 8.4, None)
    )

    assert sum(counted) < 0.5 * sum(not_counted)


def test_progress_is_told_and_grows_to_the_end() -> None:
    seen: list[float] = []

    Simulation(loads.steady(0.2, 8), Scaling(per_pod=10), Cloud(), progress=seen.append).run()

    assert len(seen) > 10
    assert seen == sorted(seen)
    assert 0.9 < seen[-1] <= 1
