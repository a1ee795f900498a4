"""The keys of a runtime's scaling, and what the chart is given of them."""

from typing import Any

import pytest

from infra.chart_defaults import scaling_values, values_of
from infra.config.errors import ConfigError
from infra.config.model import Config, parse_config
from infra.config.scaling import rule_of
from infra.config.warnings import warnings_of
from test.infra.configs import ONE

WARM = {"start": "0 8 * * 1-5", "end": "0 20 * * 1-5"}


def config(scaling: Any = None, values: Any = None, **keys: Any) -> dict[str, Any]:
    (runtime,) = ONE["modelsRuntime"]
    changed = {**runtime, **({} if scaling is None else {"scaling": scaling})}
    if values is not None:
        changed["extraValues"] = {"runtime": {"scaling": values}}
    return {**ONE, **keys, "modelsRuntime": [changed]}


def parsed(*args: Any, **keys: Any) -> Config:
    return parse_config(config(*args, **keys))


def test_a_config_that_says_nothing_gives_the_chart_nothing() -> None:
    assert parsed().models_runtime[0].scaling.chart_values() == {}


def test_what_is_said_reaches_the_chart_and_only_that() -> None:
    runtime = parsed({"runSeconds": 8, "minReplicas": 0, "warm": [WARM]}).models_runtime[0]

    warm = {**WARM, "timezone": "UTC", "replicas": 1}
    assert runtime.scaling.chart_values() == {"runSeconds": 8.0, "minReplicaCount": 0, "warm": [warm]}


def test_extra_values_win_over_scaling_and_scaling_over_the_charts_defaults() -> None:
    runtime = parsed({"preset": "quick", "runSeconds": 8, "maxReplicas": 5}, {"maxReplicaCount": 7}).models_runtime[0]

    values = values_of(runtime)["runtime"]["scaling"]
    assert (values["preset"], values["maxReplicaCount"], values["pollingInterval"]) == ("quick", 7, 2)
    assert rule_of(values).queue_length == 4


@pytest.mark.parametrize(
    ("scaling", "complaint"),
    [
        ({"preset": "fast"}, "scaling.preset: must be 'quick', 'balanced' or 'thrifty', got 'fast'"),
        ({"runSeconds": 0}, "scaling.runSeconds: must be greater than or equal to 0.1, got 0"),
        ({"runSeconds": "8"}, "scaling.runSeconds: "),
        ({"targetWaitSecond": 3}, "did you mean targetWaitSeconds?"),
        ({"preset": "quick", "targetWaitSeconds": 30}, "scaling.targetWaitSeconds: is set by preset, too (quick)"),
        ({"minReplicas": 3, "maxReplicas": 2}, "scaling.minReplicas: must not be above maxReplicas, 2, got 3"),
        ({"warm": [{**WARM, "end": WARM["start"]}]}, "scaling.warm[0].end: must differ from start"),
        ({"warm": [{**WARM, "timezone": "Mars/Olympus"}]}, "warm[0].timezone: must be a time zone such as"),
        ({"warm": [{**WARM, "start": "0 24 * * *"}]}, "warm[0].start: must be five fields of cron"),
        ({"warm": [{**WARM, "start": "0 8 * *"}]}, "warm[0].start: must be five fields of cron"),
        ({"warm": [{**WARM, "start": "0 20-8 * * *"}]}, "warm[0].start: must be five fields of cron"),
        ({"warm": [{**WARM, "start": "@daily"}]}, "warm[0].start: must be five fields of cron"),
        ({"warm": [{"end": "0 8 * * *"}]}, "scaling.warm[0].start: "),
    ],
)
def test_a_problem_is_named_with_its_path(scaling: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(scaling)

    assert "modelsRuntime[0]." in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("start", ["* * * * *", "*/15 8-18 1,15 * 1-5", "59 23 31 12 6", "0 0-12/2 * * 0"])
def test_cron_as_keda_takes_it_is_accepted(start: str) -> None:
    assert parsed({"warm": [{**WARM, "start": start}]}).models_runtime[0].scaling.warm[0].start == start


def test_a_backlog_that_nobody_would_want_is_warned_of() -> None:
    (warning,) = warnings_of(parsed({"runSeconds": 60}, {"queueLength": 10}))

    assert warning.startswith("modelsRuntime[0].extraValues.runtime.scaling.queueLength: 10 x 60 s = 600 s of backlog")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (({"runSeconds": 8}, {"queueLength": 10}), None),
        (({"runSeconds": 60, "preset": "thrifty"},), None),
        (({"runSeconds": 301},), "scaling.runSeconds: is 301, and taskTimeout ends a task after 300 s"),
        (({"runSeconds": 8}, {"enabled": False}), "scaling: has no effect, because"),
        ((None, {"enabled": False}), None),
        ((None, {"queueLength": "many"}), None),
        ((None, "none"), None),
    ],
)
def test_only_what_does_not_fit_is_warned_of(args: tuple[Any, ...], expected: str | None) -> None:
    found = warnings_of(parsed(*args))

    assert [expected in one for one in found] == [True] if expected else found == ()


def test_values_of_a_wrong_type_are_left_to_the_chart() -> None:
    assert scaling_values(parsed(None, "none").models_runtime[0]) is None
