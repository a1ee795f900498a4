"""What the pages on runtimes show is what the code does."""

import json
import re
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

import image_kit
from contract.runtimes import TASK_TYPES, RuntimeType
from contract.task import parse_task
from frontend_lambda.content import content_problems
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.base import Job
from queue_agent.runtimes.session import runtime_session
from queue_agent.runtimes.versions import KNOWN
from test.support.runtimes import run_job
from utils.simulators.__main__ import make_app
from utils.simulators.base import Options

ROOT = Path(__file__).parents[2]
RUNTIMES = (ROOT / "docs" / "en" / "reference" / "runtimes.md").read_text()
RECIPE = (ROOT / "docs" / "en" / "contribute" / "add-a-runtime.md").read_text()

EXAMPLES = re.findall(r"```json\n(.*?)```", RUNTIMES, re.DOTALL)
PATHS = [path for path in re.findall(r"`((?:src|utils|test|charts|deploy)/[^`\s]+)", RECIPE) if "echo" not in path]


def column(title: str) -> dict[str, str]:
    """A runtime type's column of the first table, by the rows' names."""
    table = RUNTIMES[RUNTIMES.index("| |") :].split("\n\n")[0]
    head, _, *rows = (line.strip("|").split("|") for line in table.splitlines())
    place = [cell.strip() for cell in head].index(f"`{title}`")
    return {row[0].strip(): row[place].strip() for row in rows}


@pytest.mark.parametrize("kind", RuntimeType)
def test_the_table_names_the_task_types_of_every_runtime(kind: RuntimeType) -> None:
    assert re.findall(r"`([^`]+)`", column(kind)["Task types"]) == [str(tasktype) for tasktype in TASK_TYPES[kind]]


@pytest.mark.parametrize("kind", RuntimeType)
def test_every_version_in_the_table_is_one_that_was_recorded_or_is_our_own(kind: RuntimeType) -> None:
    # Given
    recorded = " ".join([*(folder.name for folder in (ROOT / "test" / "events").iterdir()), image_kit.VERSION])

    # When
    versions = re.findall(r"\d+(?:\.\d+)+", column(kind)["Servers"])

    # Then
    assert versions
    assert [version for version in versions if version not in recorded] == []


def test_the_versions_are_those_that_the_agent_knows() -> None:
    # Given
    known = {(known.server, kind.value, known.versions) for kind in RuntimeType for known in KNOWN[kind]}

    # When
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \| ([^|]+) \| [^|]+ \|$", RUNTIMES, re.MULTILINE)

    # Then
    assert set(rows) == known


@pytest.mark.parametrize("example", EXAMPLES)
async def test_the_example_is_accepted_and_gives_a_picture(example: str) -> None:
    # Given
    task = parse_task(json.loads(example))
    tasktype = task.metadata.tasktype
    kind = next(kind for kind, served in TASK_TYPES.items() if tasktype in served)

    # When
    async with (
        TestServer(make_app(kind)(Options(seconds_per_step=0))) as server,
        runtime_session() as session,
        open_runtime(kind, server.make_url("/"), session) as runtime,
    ):
        result = await run_job(runtime, Job(id=task.metadata.id, tasktype=tasktype, content=task.content))

    # Then
    assert list(content_problems(task.content, tasktype)) == []
    assert len(result.outputs) == 1


def test_there_is_an_example() -> None:
    assert len(EXAMPLES) == 1


@pytest.mark.parametrize("path", PATHS)
def test_every_file_that_the_recipe_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_recipe_names_files() -> None:
    assert len(PATHS) > 10
