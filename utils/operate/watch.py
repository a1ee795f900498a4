"""``sdoneks ops watch``: a live table of a running local platform."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.live import Live
from rich.table import Table

from contract.metrics import GPU_BUSY, GPU_IDLE, QUEUE_WAIT, READY, RUN_TIME, TASKS, Metric
from queue_agent.aws.clients import Clients
from sd_on_eks.cli.options import State, json_option, pass_state
from sd_on_eks.cli.screen import Screen
from utils.local.cloud import Access
from utils.local.running import read
from utils.operate.errors import reported
from utils.operate.options import OUTPUT

REFRESH_SECONDS = 1.0
ANSWER_SECONDS = 2.0
"""For an agent that restarts just now."""

_SAMPLE = re.compile(r'(?P<name>\w+)\{runtime="(?P<runtime>[^"]*)"(?P<labels>[^}]*)\} (?P<value>\S+)')
_OUTCOME = re.compile(r'outcome="(\w+)"')


@dataclass(frozen=True, slots=True)
class Watched:
    """Where a platform's agents publish their metrics, and its queues by runtime."""

    access: Access
    agents: Mapping[str, str]
    queues: Mapping[str, str]

    @classmethod
    def of(cls, output: Path) -> "Watched":
        """Raises NotRunning."""
        addresses = read(output)
        return cls(Access(addresses.aws_endpoint_url, addresses.region), addresses.agents, addresses.queues)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a runtime does. Numbers of pods and of tasks; means in seconds; ``gpu_busy`` is 0 to 1. None is unknown."""

    runtime: str
    ready: int
    waiting: int | None
    taken: int | None
    done: int
    failed: int
    mean_wait: float | None
    mean_run: float | None
    gpu_busy: float | None


@click.command("watch")
@click.option(
    "--output", type=click.Path(path_type=Path), default=OUTPUT, metavar="DIR", help="The platform's output folder."
)
@click.option("--once", is_flag=True, help="Print the table and end.")
@json_option
@pass_state
def command(state: State, *, output: Path, once: bool) -> None:
    """Show a live table of a running local platform.

    It has what the agents publish at /metrics, and the queues' own counts. Ctrl-C ends it. With --json each row is an
    object on a line, once.
    """
    with reported():
        watched = Watched.of(output)
    try:
        asyncio.run(_show(watched, state.screen, once=once or state.screen.as_json))
    except KeyboardInterrupt:
        return  # how it is meant to be ended


async def _show(watched: Watched, screen: Screen, *, once: bool) -> None:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with watched.access.clients() as clients, aiohttp.ClientSession(timeout=timeout) as session:
        if once:
            rows = await _rows(watched, clients, session)
            for row in rows if screen.as_json else ():
                screen.value(asdict(row), "")
            if not screen.as_json:
                screen.out.print(_table(rows))
            return
        with Live(console=screen.out, auto_refresh=False) as live:
            while True:
                live.update(_table(await _rows(watched, clients, session)), refresh=True)
                await asyncio.sleep(REFRESH_SECONDS)


def _table(rows: Sequence[Row]) -> Table:
    table = Table("runtime", "ready", "waiting", "taken", "done", "failed", "mean wait", "mean run", "GPU busy")
    for row in rows:
        counts = (row.ready, row.waiting, row.taken, row.done, row.failed)
        busy = "-" if row.gpu_busy is None else f"{row.gpu_busy:.0%}"
        cells = ("?" if count is None else str(count) for count in counts)
        table.add_row(row.runtime, *cells, _seconds(row.mean_wait), _seconds(row.mean_run), busy)
    return table


async def _rows(watched: Watched, clients: Clients, session: aiohttp.ClientSession) -> Sequence[Row]:
    response = sums("".join(await asyncio.gather(*(_text(session, url) for url in watched.agents.values()))))
    return [_row(name, await _depth(clients, url), response[name]) for name, url in watched.queues.items()]


def _row(runtime: str, depth: tuple[int | None, int | None], of: Mapping[str, float]) -> Row:
    busy, idle = of[GPU_BUSY.name], of[GPU_IDLE.name]
    return Row(
        runtime=runtime,
        ready=round(of[READY.name]),
        waiting=depth[0],
        taken=depth[1],
        done=round(of["completed"] + of["repeated"]),
        failed=round(of["failed"] + of["given_up"] + of["undecodable"]),
        mean_wait=_mean(of, QUEUE_WAIT),
        mean_run=_mean(of, RUN_TIME),
        gpu_busy=round(busy / (busy + idle), 4) if busy + idle else None,
    )


def sums(text: str) -> Mapping[str, Mapping[str, float]]:
    """What the samples of all agents add up to, by runtime and name; tasks by their outcome instead."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for sample in _SAMPLE.finditer(text):
        outcome = _OUTCOME.search(sample["labels"])
        name = outcome[1] if outcome and sample["name"] == TASKS.name else sample["name"]
        found[sample["runtime"]][name] += float(sample["value"])
    return found


def _mean(response: Mapping[str, float], metric: Metric) -> float | None:
    count = response[f"{metric.name}_count"]
    return round(response[f"{metric.name}_sum"] / count, 4) if count else None


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


async def _text(session: aiohttp.ClientSession, url: str) -> str:
    with suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(url) as answer:
            return await answer.text()
    return ""


async def _depth(clients: Clients, url: str) -> tuple[int | None, int | None]:
    """Messages that wait, and that are taken; None where the queue does not answer."""
    try:
        response = await clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    except (ClientError, BotoCoreError):
        return None, None
    found = response["Attributes"]
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])
