"""What a config is warned of, and what not."""

from typing import Any

import pytest

from infra.config.model import parse_config
from infra.config.warnings import warnings_of
from test.infra.configs import ONE
from test.infra.synthesis import run_app


def config(timeout: int, **persistence: Any) -> dict[str, Any]:
    (runtime,) = ONE["modelsRuntime"]
    values = {"runtime": {"persistence": persistence}} if persistence else {}
    return {**ONE, "taskTimeout": timeout, "modelsRuntime": [{**runtime, "extraValues": values}]}


def test_a_task_that_may_outlive_the_mount_of_its_models_is_warned_of() -> None:
    (warning,) = warnings_of(parse_config(config(541)))

    assert warning.startswith("taskTimeout: is 541")
    assert "sdruntime" in warning
    assert "540 or less" in warning


@pytest.mark.parametrize(
    ("timeout", "persistence"),
    [(540, {}), (900, {"enabled": False}), (900, {"existingClaim": "mine"}), (900, {"storageClass": "fast"})],
)
def test_shorter_tasks_and_other_volumes_are_not(timeout: int, persistence: dict[str, Any]) -> None:
    assert warnings_of(parse_config(config(timeout, **persistence))) == ()


def test_a_persistence_that_only_names_other_things_still_mounts_the_bucket() -> None:
    assert warnings_of(parse_config(config(900, size="1Ti", storageClass="")))


def test_the_synthesis_prints_warnings_and_goes_on(tmp_path: Any) -> None:
    done = run_app(tmp_path, config(600))

    assert done.returncode == 0, done.stderr
    assert "warning: taskTimeout: is 600" in done.stderr
