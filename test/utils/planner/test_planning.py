"""Which setting is the cheapest, and how settings are read from a config."""

from typing import Any

import pytest

from infra.config.model import Runtime, parse_config
from test.infra.configs import ONE
from utils.planner import loads
from utils.planner.errors import PlannerError
from utils.planner.model import Cloud, Load
from utils.planner.planning import Planner, pods_for_busiest
from utils.planner.settings import Setting, as_it_is, by_default, presets, seconds


def runtime(**keys: Any) -> Runtime:
    (one,) = ONE["modelsRuntime"]
    return parse_config({**ONE, "modelsRuntime": [{**one, **keys}]}).models_runtime[0]


def planner(load: Load) -> Planner:
    return Planner(load=load, cloud=Cloud(), price=0.5, seed=0, watch=lambda _: lambda _: None)


def test_the_config_as_it_is_has_its_values_and_the_charts_defaults() -> None:
    # Given
    extra = {
        "runtime": {
            "scaling": {"cooldownPeriod": 300, "extraHPAConfig": {"scaleDown": {"stabilizationWindowSeconds": 9}}}
        }
    }
    warm = {"start": "0 8 * * *", "end": "0 9 * * *", "replicas": 2}

    # When
    scaling = as_it_is(
        runtime(scaling={"runSeconds": 8, "preset": "quick", "maxReplicas": 5, "warm": [warm]}, extraValues=extra)
    ).scaling(86_400)

    # Then
    assert (scaling.per_pod, scaling.busy_weight) == (4, 0.9524)
    assert (scaling.cooldown, scaling.window, scaling.polling, scaling.consolidate_after) == (300, 9, 2, 10)
    assert (scaling.min_pods, scaling.max_pods, scaling.floors[0].pods) == (0, 5, 2)


def test_a_fixed_number_of_pods_is_one() -> None:
    extra = {"runtime": {"replicas": 3, "scaling": {"enabled": False}}}

    scaling = as_it_is(runtime(extraValues=extra)).scaling(1)

    assert (scaling.min_pods, scaling.max_pods) == (3, 3)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (
            {"runtime": {"scaling": {"extraHPAConfig": "fast"}}},
            "extraValues of sdruntime: are not what the chart allows",
        ),
        ({"karpenter": {"provisioner": "none"}}, "extraValues of sdruntime: are not what the chart allows"),
        ({"runtime": {"scaling": {"cooldownPeriod": "long"}}}, "extraValues of sdruntime: are not what"),
        ({"runtime": {"scaling": {"minReplicaCount": 30}}}, "minReplicas must be from 0 to maxReplicas, 20, got 30"),
        ({"runtime": {"replicas": 0, "scaling": {"enabled": False}}}, "no pod is allowed"),
    ],
)
def test_values_that_the_chart_refuses_are_refused(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PlannerError, match=complaint):
        as_it_is(runtime(extraValues=values))


@pytest.mark.parametrize(("text", "value"), [("10s", 10), ("1h30m", 5400), ("Never", 31_536_000)])
def test_durations_are_karpenters(text: str, value: float) -> None:
    assert seconds(text) == value


def test_the_presets_differ_in_what_they_allow_tasks_to_wait() -> None:
    found = {one.name: one.scaling(1).per_pod for one in presets(by_default(), 8.0)}

    assert found == {"quick": 4, "balanced": 13, "thrifty": 38}


def test_the_cheapest_setting_meets_its_wait_and_a_stricter_one_costs_more() -> None:
    # Given
    plan = planner(loads.steady(0.75, 8, length=21_600))
    base = by_default().changed("base", runSeconds=8)

    # When
    slow, fast = plan.cheapest(base, 100), plan.cheapest(base, 10)

    # Then
    assert slow is not None
    assert fast is not None
    assert slow[1].p95 <= 100
    assert fast[1].p95 <= 10
    assert slow[1].per_thousand < fast[1].per_thousand
    assert slow[0].values["targetWaitSeconds"] > fast[0].values["targetWaitSeconds"]


def test_nothing_is_found_where_a_pod_is_too_slow() -> None:
    # Given twenty pods, and a hundred tasks of a minute at once
    plan = planner(loads.burst(100, 60))

    assert plan.cheapest(by_default().changed("base", runSeconds=60), 1) is None


def test_a_wait_below_a_cold_start_needs_a_pod_that_is_kept() -> None:
    found = planner(loads.steady(1 / 600, 8)).cheapest(by_default().changed("base", runSeconds=8), 30)

    assert found is not None
    setting: Setting = found[0]
    assert setting.values["minReplicaCount"] == 1


def test_the_pods_of_the_busiest_ten_minutes_do_its_work() -> None:
    assert pods_for_busiest(loads.burst(100, 60, spread=0)) == 10
    assert pods_for_busiest(loads.steady(0.75, 8)) in {7, 8}
    assert pods_for_busiest(loads.steady(0.001, 8)) == 1
