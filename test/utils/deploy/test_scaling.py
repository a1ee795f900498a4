"""What a dry run says of the scaling."""

from typing import Any

import pytest

from infra.config.model import parse_config
from test.infra.configs import ONE
from utils.deploy.scaling import show_scaling


def config(**keys: Any) -> Any:
    (runtime,) = ONE["modelsRuntime"]
    return parse_config({**ONE, "modelsRuntime": [{**runtime, **keys}]})


def test_it_says_how_long_a_burst_waits_and_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    show_scaling(config(scaling={"runSeconds": 60}))

    out = capsys.readouterr().out
    assert "sdruntime: 2 tasks of 60 s a pod; 100 at once take 20 pods" in out
    assert "sdoneks ops plan --help" in out


def test_values_that_the_chart_refuses_are_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    show_scaling(config(extraValues={"runtime": {"scaling": "none"}}))

    assert "warning: extraValues of sdruntime: are not what the chart allows" in capsys.readouterr().err
