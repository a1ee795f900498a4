"""How long the GPU waits between two tasks: ``.venv/bin/python -m test.bench.busy``.

moto stands behind a proxy that adds usual AWS latencies; the runtime works 0.5 s ± 10 % a task and gives 400 KB
images; image-to-image takes its input over HTTP with 150 ms. The agent is compared with a plain loop over the same
libraries, and with the limit, 0.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psutil
from aiohttp import web
from rich.progress import track
from rich.table import Table

from contract.runtimes import TaskType
from test.bench.stage import a_world, agent_environment, console, end, moto, start_agent
from test.bench.webui import IMAGE_BYTES, Gpu, serving, webui
from test.support.tables import submit
from test.support.world import until
from utils.local.aws_proxy import Conditions

LATENCY = {"sqs": 0.012, "sns": 0.025, "s3": 0.060}
INPUT_SECONDS = 0.150
SECONDS, SPREAD = 0.5, 0.1
PATIENCE = 600.0

PLAIN, AGENT = "plain loop", "queue agent"
MODULES = {PLAIN: "test.bench.plain", AGENT: "queue_agent"}

FAR_SNS_SECONDS = 4.0


@dataclass(frozen=True)
class Kind:
    """What is measured. With ``far_sns`` every run is announced on a topic that is FAR_SNS_SECONDS away; with a
    ``table`` every task is one of the task API, whose table is so many seconds away."""

    agent: str
    tasktype: TaskType
    far_sns: bool = False
    table: float | None = None

    @property
    def title(self) -> str:
        if self.far_sns:
            return f"{self.agent}, running callbacks, SNS {FAR_SNS_SECONDS:g} s away"
        return self.agent if self.table is None else f"{self.agent}, task table {self.table * 1000:g} ms away"

    @property
    def latency(self) -> dict[str, float]:
        far = {"sns": FAR_SNS_SECONDS} if self.far_sns else {}
        return {**LATENCY, **far, "dynamodb": self.table or 0.0}

    @property
    def settings(self) -> dict[str, str]:
        return {"ALLOW_LOOPBACK_LINKS": "true"} | ({"RUNNING_CALLBACKS": "true"} if self.far_sns else {})


KINDS = (
    *(Kind(agent, tasktype) for tasktype in (TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE) for agent in MODULES),
    Kind(AGENT, TaskType.TEXT_TO_IMAGE, far_sns=True),
    *(
        Kind(AGENT, tasktype, table=seconds)
        for tasktype in (TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE)
        for seconds in (0.010, 0.200)
    ),
)


@dataclass(frozen=True)
class Row:
    """One run: idle seconds between tasks, and what the agent's process used."""

    idle: list[float]
    cpu_per_task: float
    rss: int
    first_receive: float

    @property
    def median_idle(self) -> float:
        return statistics.median(self.idle)

    @property
    def mean_idle(self) -> float:
        return statistics.mean(self.idle)


async def measure(endpoint: str, kind: Kind, tasks: int, python: str) -> Row:
    """Run ``tasks`` through one agent, a process of the interpreter ``python``."""
    conditions, gpu, tasktype = Conditions(latency=kind.latency), Gpu(SECONDS, SPREAD), kind.tasktype
    async with (
        a_world(endpoint, conditions, tables=kind.table is not None) as (world, proxied),
        webui(gpu) as runtime,
        images() as inputs,
    ):
        for number in range(tasks):
            content = content_of(tasktype, inputs, number)
            if kind.table is None:
                await world.ask(f"t{number}", tasktype=tasktype, content=content)
            else:
                await submit(world, f"t{number}", tasktype=tasktype, content=content)
        begin = time.monotonic()
        process = await start_agent(
            agent_environment(world, proxied, runtime, **kind.settings), module=MODULES[kind.agent], python=python
        )
        try:
            usage = psutil.Process(process.pid)
            await until(lambda: conditions.calls["sqs", "ReceiveMessage"], PATIENCE)
            first_receive = time.monotonic() - begin
            started = sum(usage.cpu_times()[:2])
            await until(lambda: _ended(conditions, tasks), PATIENCE)
            cpu = (sum(usage.cpu_times()[:2]) - started) / tasks
            rss = usage.memory_info().rss
        finally:
            await end(process)
        return Row(gpu.idle(), cpu, rss, first_receive)


def content_of(tasktype: TaskType, inputs: str, number: int) -> dict[str, Any]:
    if tasktype is TaskType.IMAGE_TO_IMAGE:
        return {"prompt": "a dog", "init_images": [f"{inputs}/{number}.png"]}
    return {"prompt": "a dog"}


def images() -> Any:
    """An HTTP server for inputs that takes its time."""

    async def image(_: web.Request) -> web.Response:
        await asyncio.sleep(INPUT_SECONDS)
        return web.Response(body=b"\x89PNG\r\n\x1a\n" + bytes(IMAGE_BYTES))

    app = web.Application()
    app.router.add_get("/{name}", image)
    return serving(app)


def _ended(conditions: Conditions, tasks: int) -> bool:
    return conditions.calls["sqs", "DeleteMessage"] >= tasks


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind; medians of them are shown")
    parser.add_argument("--only", default="", metavar="TEXT", help="kinds whose task type and title hold TEXT")
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="the agent's interpreter; one with requirements/agent.txt alone takes the memory that the image takes "
        "(aiobotocore loads httpx, which the tests need, where it finds it)",
    )
    arguments = parser.parse_args()
    kinds = [kind for kind in KINDS if arguments.only in f"{kind.tasktype.value} {kind.title}"]
    rows: dict[Kind, list[Row]] = {kind: [] for kind in kinds}
    async with moto() as endpoint:
        for kind in track(kinds * arguments.rounds, "running"):
            rows[kind].append(await measure(endpoint, kind, arguments.tasks, arguments.python))
    show(rows, arguments.tasks, arguments.rounds)


def show(rows: dict[Kind, list[Row]], tasks: int, rounds: int) -> None:
    table = Table(title=f"{tasks} tasks of {SECONDS} s ± {SPREAD:.0%}, one agent, medians of {rounds} runs")
    for column in (
        "agent",
        "task type",
        "idle GPU a task",
        "mean",
        "worst",
        "busy",
        "CPU a task",
        "RSS",
        "first receive",
    ):
        table.add_column(column, justify="left" if column in {"agent", "task type"} else "right")
    for kind, runs in rows.items():
        mean_idle = _median(run.mean_idle for run in runs)
        table.add_row(
            kind.title,
            kind.tasktype.value,
            f"{_median(run.median_idle for run in runs) * 1000:.1f} ms",
            f"{mean_idle * 1000:.1f} ms",
            f"{max(idle for run in runs for idle in run.idle) * 1000:.0f} ms",
            f"{SECONDS / (SECONDS + mean_idle):.1%}",
            f"{_median(run.cpu_per_task for run in runs) * 1000:.1f} ms",
            f"{_median(run.rss for run in runs) / 1e6:.0f} MB",
            f"{_median(run.first_receive for run in runs):.2f} s",
        )
    table.add_row("the limit", "", "0.0 ms", "0.0 ms", "0 ms", "100.0%", "", "", "")
    console().print(table)


def _median(values: Iterable[float]) -> float:
    """Of one column over the runs: the run with the median idle time is not the one with the median CPU."""
    return statistics.median(values)


if __name__ == "__main__":
    asyncio.run(main())
