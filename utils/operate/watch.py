"""``sdoneks ops watch``: a live table of a running local platform."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
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

COLUMNS = ("runtime", "ready", "waiting", "taken", "done", "failed", "mean wait", "mean run", "GPU busy")

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
                screen.value(row, "")
            if not screen.as_json:
                screen.out.print(_table(rows))
            return
        with Live(console=screen.out, auto_refresh=False) as live:
            while True:
                live.update(_table(await _rows(watched, clients, session)), refresh=True)
                await asyncio.sleep(REFRESH_SECONDS)


def _table(rows: list[dict[str, str]]) -> Table:
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*row.values())
    return table


async def _rows(watched: Watched, clients: Clients, session: aiohttp.ClientSession) -> list[dict[str, str]]:
    """A row for each runtime, by COLUMNS."""
    response = sums("".join(await asyncio.gather(*(_text(session, url) for url in watched.agents.values()))))
    rows = []
    for name, url in watched.queues.items():
        waiting, taken = await _depth(clients, url)
        of = response[name]
        busy, idle = of[GPU_BUSY.name], of[GPU_IDLE.name]
        cells = (
            name,
            f"{of[READY.name]:.0f}",
            waiting,
            taken,
            f"{of['completed'] + of['repeated']:.0f}",
            f"{of['failed'] + of['given_up'] + of['undecodable']:.0f}",
            _mean(of, QUEUE_WAIT),
            _mean(of, RUN_TIME),
            f"{busy / (busy + idle):.0%}" if busy + idle else "-",
        )
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
    return rows


def sums(text: str) -> Mapping[str, Mapping[str, float]]:
    """What the samples of all agents add up to, by runtime and name; tasks by their outcome instead."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for sample in _SAMPLE.finditer(text):
        outcome = _OUTCOME.search(sample["labels"])
        name = outcome[1] if outcome and sample["name"] == TASKS.name else sample["name"]
        found[sample["runtime"]][name] += float(sample["value"])
    return found


def _mean(response: Mapping[str, float], metric: Metric) -> str:
    count = response[f"{metric.name}_count"]
    return f"{response[f'{metric.name}_sum'] / count:.2f} s" if count else "-"


async def _text(session: aiohttp.ClientSession, url: str) -> str:
    with suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(url) as answer:
            return await answer.text()
    return ""


async def _depth(clients: Clients, url: str) -> tuple[str, str]:
    try:
        response = await clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    except (ClientError, BotoCoreError):
        return "?", "?"
    attributes = response["Attributes"]
    return attributes["ApproximateNumberOfMessages"], attributes["ApproximateNumberOfMessagesNotVisible"]
