"""``sdoneks map``: the jobs of a file."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from contract.callback import Cause
from contract.task_table.item import State
from contract.task_table.writes import Ending
from test.sd_on_eks.agent import PNG, agent
from test.sd_on_eks.command import Command, on_terminal, sdoneks
from test.sd_on_eks.conftest import Site
from test.support.platform import until

__all__ = ["sdoneks"]


def job(number: int = 0, **more: Any) -> dict[str, Any]:
    content = {"prompt": f"image {number}", "steps": 2}
    return {"tasktype": "text-to-image", "runtime": "sdruntime", "content": content, **more}


def write(folder: Path, *lines: Any) -> str:
    path = folder / "jobs.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path.name


def test_the_jobs_of_a_file_run_and_their_files_are_saved(site: Site, sdoneks: Command, tmp_path: Path) -> None:
    file = write(tmp_path, *(job(number) for number in range(5)), "")
    name = f"batch-{uuid.uuid4().hex[:8]}"

    with agent(site) as ran:
        first = sdoneks("map", file, "--name", name, "--concurrency", "2", "-o", "made")
        second = sdoneks("map", file, "--name", name, "-o", "made", "--json")

    ids = [f"{name}-{number:05}" for number in range(1, 6)]
    assert (first.code, second.code) == (0, 0)
    assert first.out == [f"{task_id} completed made/{task_id}-1.png" for task_id in ids]
    assert [json.loads(line)["files"] for line in second.out] == [[f"made/{task_id}-1.png"] for task_id in ids]
    assert sorted(ran) == ids, "the second time nothing ran"
    assert {path.read_bytes() for path in (tmp_path / "made").iterdir()} == {PNG}


def test_without_a_name_the_files_content_names_the_tasks(site: Site, sdoneks: Command, tmp_path: Path) -> None:
    label = uuid.uuid4().hex
    file = write(tmp_path, job(labels={"batch": label}), job(id=f"own-{label}"))

    with agent(site) as ran:
        first, again = sdoneks("map", file), sdoneks("map", file)
        write(tmp_path, job(labels={"batch": label, "changed": "1"}))
        changed = sdoneks("map", file)

    assert first.out == again.out
    assert first.out[1].startswith(f"own-{label} completed")
    assert changed.out[0] not in first.out
    assert len(ran) == 3


def test_tasks_that_failed_are_printed_and_are_exit_code_1(site: Site, sdoneks: Command, tmp_path: Path) -> None:
    name = f"batch-{uuid.uuid4().hex[:8]}"
    failing = f"{name}-bad"
    sdoneks("submit", "text-to-image", "image 0", "--set", "steps=2", "--runtime", "sdruntime", "--id", failing)
    site.api.door.received("sdruntime")
    site.api.ends(failing, Ending(status=State.FAILED, error=Cause(type="runtime", message="out of memory")))

    with agent(site):
        ran = sdoneks("map", write(tmp_path, job(id=failing), job(1)), "--name", name)

    assert ran.code == 1
    assert [line.split()[1] for line in ran.out] == ["failed", "completed"]
    assert "out of memory" in ran.err[-1]


def test_files_are_uploaded_and_the_runtime_may_be_an_option(site: Site, sdoneks: Command, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    content = {"init_images": [{"file": "cat.png"}], "prompt": "in oil"}
    file = write(tmp_path, {"tasktype": "image-to-image", "content": content, "labels": {"run": uuid.uuid4().hex}})

    assert sdoneks("map", file, "--runtime", "sdruntime", "--timeout", "0.1").code == 5

    (message,) = site.api.door.received("sdruntime")
    assert site.api.door.content_of(message)["init_images"][0].startswith("s3://")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "jobs.jsonl, line 2: the line: Invalid JSON"),
        ({"content": {}}, "line 2: tasktype: Field required"),
        ({**job(), "id": 7}, "line 2: id: Input should be a valid string"),
        ({**job(), "prompt": "a"}, "line 2: prompt: Extra inputs are not permitted"),
        ({**job(), "content": {"image": {"file": "none.png"}}}, "line 2: there is no file 'none.png'"),
        (job(id="twice"), "the id 'twice' is on 2 lines"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_sent(
    line: Any, problem: str, site: Site, sdoneks: Command, tmp_path: Path
) -> None:
    ran = sdoneks("map", write(tmp_path, job(id="twice"), line))

    assert (ran.code, site.door.requests) == (2, [])
    assert problem in ran.err[-1]


def test_a_refused_job_says_where_it_stopped(site: Site, sdoneks: Command, tmp_path: Path) -> None:
    name = f"batch-{uuid.uuid4().hex[:8]}"

    with agent(site):
        ran = sdoneks("map", write(tmp_path, job(), job(deadline=-1)), "--name", name, "--concurrency", "1")

    assert ran.code == 3
    assert len(ran.out) == 1
    assert f"stopped at {name}-00002 after 1 of 2 tasks" in ran.err[0]


@pytest.mark.parametrize(("answer", "status"), [("y", State.CANCELED), ("n", State.QUEUED)])
def test_an_interrupted_map_offers_to_cancel(answer: str, status: State, site: Site, tmp_path: Path) -> None:
    name = f"batch-{uuid.uuid4().hex[:8]}"
    file = write(tmp_path, *(job(number) for number in range(3)))

    with on_terminal(site, tmp_path, "map", file, "--name", name, "--concurrency", "2") as command:
        command.shows("0/3")
        until(lambda: site.api.item(f"{name}-00002"))
        assert command.is_interrupted_and_answered(answer) == 130

    item = site.api.item(f"{name}-00001")
    assert item is not None
    assert item.status is status
