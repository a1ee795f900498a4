"""The planner as it is called."""

import json
import time
from pathlib import Path

import pytest
import yaml

from infra.config.model import parse_config
from test.infra.configs import ONE
from utils.planner.__main__ import main


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 0
    return capsys.readouterr().out


def test_it_shows_the_config_and_the_presets_with_cost_wait_and_quota(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "--burst", "100", "--run-seconds", "60", "--api-price", "0.01")

    rows = {line.split("  ")[0].strip(): line.split() for line in out.splitlines() if "%" in line}
    assert {"as it is", "quick", "balanced", "thrifty"} <= set(rows)
    assert rows["quick"][-4:] == ["20", "80", "to", "160"]
    assert float(rows["quick"][2]) == pytest.approx(357, rel=0.1)
    assert "scaling.runSeconds is 10, and a task takes 5" in out
    assert "all 20 pods that maxReplicas allows were used" in out
    assert "compare: 10 pods, always on" in out
    assert "compare: an API at 0.01 an image: 30.00 a month, 10.000 per 1,000" in out
    assert max(map(len, out.splitlines())) <= 120


def test_what_is_to_be_pasted_is_a_config_and_is_what_was_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # When
    out = printed(capsys, "--rate", "0.1", "--run-seconds", "8", "--p95", "60", "--max-pods", "8")

    # Then
    section = yaml.safe_load(out.partition("paste it into sdruntime:\n")[2])
    (runtime,) = ONE["modelsRuntime"]
    config = {**ONE, "modelsRuntime": [{**runtime, **section}]}
    assert parse_config(config).models_runtime[0].scaling.max_replicas == 8
    # And as it is then, it does what was promised
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    again = printed(capsys, "--config", str(file), "--rate", "0.1", "--run-seconds", "8")
    cheapest = next(line for line in out.splitlines() if line.startswith("cheapest")).split()
    now = next(line for line in again.splitlines() if line.startswith("as it is")).split()
    assert cheapest[1:] == now[3:]
    assert float(cheapest[2]) <= 60


def test_a_script_reads_the_plan_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    plan = json.loads(printed(capsys, "--burst", "100", "--run-seconds", "60", "--p95", "600", "--json"))

    assert (plan["runtime"], plan["tasks"]) == ("sdruntime", 100)
    assert [setting["name"] for setting in plan["settings"]] == ["as it is", "quick", "balanced", "thrifty", "cheapest"]
    assert plan["settings"][-1]["p95"] <= 600
    assert plan["cheapest"]["scaling"]["maxReplicas"] == 20
    assert any("scaling.runSeconds is 10" in warning for warning in plan["warnings"])
    assert any("always on" in comparison for comparison in plan["comparisons"])


def test_instances_whose_size_is_not_known_and_the_shortest_runs_are_planned(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (runtime,) = ONE["modelsRuntime"]
    values = {"karpenter": {"provisioner": {"instanceType": ["p4d.24xlarge"]}}}
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({**ONE, "modelsRuntime": [{**runtime, "extraValues": values}]}))

    out = printed(capsys, "--config", str(file), "--burst", "10", "--run-seconds", "0.001")

    assert next(line for line in out.splitlines() if line.startswith("as it is")).endswith(" ?")


def test_a_trace_is_planned_and_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace, image = tmp_path / "tasks.csv", tmp_path / "plan.svg"
    trace.write_text("seconds,run_seconds\n" + "".join(f"{30 * n},{5 + n % 7}\n" for n in range(500)))

    out = printed(capsys, "--csv", str(trace), "--svg", str(image))

    assert "sdruntime: 500 tasks of 7.99 s" in out
    assert image.read_text().startswith("<svg")
    assert "http" not in image.read_text().replace("http://www.w3.org/2000/svg", "").replace(
        "https://www.textualize.io", ""
    )


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "one of the arguments"),
        (["--rate", "0"], "argument --rate: must be a number above 0, got '0'"),
        (["--rate", "nan"], "argument --rate: must be a number above 0, got 'nan'"),
        (["--burst", "1.5"], "argument --burst: must be a whole number from 1, got '1.5'"),
        (["--rate", "1", "--run-seconds", "36001"], "argument --run-seconds: must not be above 36000, got '36001'"),
        (["--rate", "1", "--burst", "1"], "not allowed with argument"),
        (["--rate", "1", "--json", "--svg", "plan.svg"], "not allowed with argument"),
        (["--rate", "1", "--interruptions", "-1"], "argument --interruptions: must be a number from 0, got '-1'"),
    ],
)
def test_a_wrong_command_line_is_refused(argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)

    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--rate", "1", "--runtime", "other"], "error: --runtime: 'other' is not in the config; there are sdruntime"),
        (["--rate", "1", "--config", "missing.yaml"], "error: missing.yaml has 1 problem"),
        (["--rate", "1000000"], "error: the load has about 86,400,000,000 tasks"),
        (["--rate", "0.001", "--days", "400"], "error: the load covers 400 days; at most 366 can be"),
        (["--burst", "4000000", "--run-seconds", "36000"], "error: 20 pods would take more than a year"),
        (["--daily", "1", "--low", "2"], "error: --low: must not be above --daily, 1, got 2"),
        (["--csv", "missing.csv"], "error: missing.csv: cannot be read as CSV"),
        (["--burst", "1", "--svg", "/nowhere/plan.svg"], "error: --svg: /nowhere/plan.svg cannot be written"),
    ],
)
def test_what_cannot_be_planned_is_said_in_a_sentence(
    argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 1
    assert complaint in capsys.readouterr().err


@pytest.mark.slow
def test_a_day_at_ten_tasks_a_second_plans_in_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    begin = time.process_time()

    out = printed(capsys, "--rate", "10", "--run-seconds", "1.5")

    assert time.process_time() - begin < 10
    assert "tasks of 1.5 s in 24 h" in out


@pytest.mark.slow
def test_a_trace_of_100000_tasks_plans_in_thirty_seconds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "tasks.csv"
    trace.write_text("seconds,run_seconds\n" + "".join(f"{n * 1.3:.3f},{3 + n % 11}\n" for n in range(100_000)))
    begin = time.process_time()

    printed(capsys, "--csv", str(trace), "--p95", "60")

    assert time.process_time() - begin < 30
