"""A task's timeline, from a trace file and from logs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sd_on_eks.cli.app import run
from utils.operate.command import ops

TRACE = "5759e988bd862e3fe1be46a994272793"


def span(name: str, begin: float, end: float, **fields: Any) -> str:
    own = {
        "trace_id": TRACE,
        "span_id": name,
        "parent_id": "task",
        "service": "queue-agent",
        "name": name,
        "begin": begin,
        "end": end,
        "attributes": {},
        "error": None,
    }
    return json.dumps({**own, **fields})


def line(second: int, message: str, **fields: Any) -> str:
    return json.dumps({"time": f"2026-11-20T10:00:{second:02}+00:00", "level": "INFO", "message": message, **fields})


@pytest.fixture
def trace_file(tmp_path: Path) -> Path:
    path = tmp_path / "traces.jsonl"
    lines = [
        span("run", 1002.0, 1004.0, error="out-of-memory: no memory left"),
        span("wait", 1000.0, 1002.0),
        span("task", 1000.0, 1004.5, parent_id="gone", attributes={"task_id": "dog", "attempt": 1}),
        span("run", 2000.0, 2001.0, trace_id="other"),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def rows(shown: str) -> Mapping[str, list[str]]:
    """The words of each row by the stage that it begins with."""
    return {words[0]: words for words in map(str.split, shown.splitlines()) if words}


def test_the_stages_are_shown_in_order_below_their_delivery(
    trace_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["task", "dog", "--trace-file", str(trace_file)], ops) == 0
    shown = capsys.readouterr().out
    table = rows(shown)
    assert [name for name in table if name in {"task", "wait", "run"}][-3:] == ["task", "wait", "run"]
    assert table["wait"][1:3] == ["0.000", "2.000"]
    assert table["run"][1:3] == ["2.000", "2.000"]
    assert "no memory left" in shown
    assert f"task dog, trace {TRACE}" in shown


def test_the_lines_of_a_log_are_shown_by_time_whatever_else_is_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given the logs of two agents, with a foreign lines among them
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_text(
        "\n".join(
            [
                line(9, "task completed", task_id="dog", attempt=2, trace_id=TRACE, run_s=1.5),
                "Traceback: no JSON",
                "[]",
                line(3, "task completed", task_id="cat"),
            ]
        )
    )
    second.write_text(
        line(1, "task did not complete", task_id="dog", action="give_up", trace_id=TRACE, cause="no \x1b[31mmemory")
    )
    # When
    assert run(["task", "dog", str(first), str(second)], ops) == 0
    # Then
    shown = capsys.readouterr().out
    assert shown.index("task did not complete") < shown.index("task completed")
    assert f"task dog, trace {TRACE}" in shown
    assert "cause=no �[31mmemory" in shown
    assert "give_up" in shown
    assert "cat" not in shown


def test_a_task_of_which_nothing_is_known_and_files_that_are_none_are_said(
    trace_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["task", "nosuch", "--trace-file", str(trace_file)], ops) == 1
    assert "task 'nosuch' is not in these files" in capsys.readouterr().err
    assert run(["task", "dog", "--trace-file", str(tmp_path / "nosuch")], ops) == 2
    trace_file.write_text("{}\n")
    assert run(["task", "dog", "--trace-file", str(trace_file)], ops) == 2
    assert "line 1: is no span" in capsys.readouterr().err


def test_the_stages_and_the_lines_are_also_json(
    trace_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["task", "dog", "--trace-file", str(trace_file), "--json"], ops) == 0
    shown = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [span["name"] for span in shown] == ["task", "wait", "run"]
    log = tmp_path / "a.log"
    log.write_text(line(1, "task completed", task_id="dog"))
    assert run(["task", "dog", str(log), "--json"], ops) == 0
    assert json.loads(capsys.readouterr().out)["message"] == "task completed"


@pytest.mark.parametrize("both", [True, False])
def test_either_logs_or_a_trace_file_are_needed(
    both: bool, trace_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(trace_file), "--trace-file", str(trace_file)] if both else []
    assert run(["task", "dog", *files], ops) == 2
    assert "give either LOG files or --trace-file" in capsys.readouterr().err
