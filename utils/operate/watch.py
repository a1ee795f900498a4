"""A live table of a running local platform: ``python -m utils.operate.watch [--output DIR]``. Ctrl-C ends it.

It shows what the agents publish at /metrics, and the queues' own counts.
"""

import argparse
import asyncio
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.live import Live
from rich.table import Table

from contract.metrics import GPU_BUSY, GPU_IDLE, QUEUE_WAIT, READY, RUN_TIME, TASKS, Metric
from queue_agent.aws.clients import Clients
from utils.local.cloud import Access
from utils.local.running import NotRunning, read
from utils.local.services import ROOT

REFRESH_SECONDS = 1.0
ANSWER_SECONDS = 2.0
"""For an agent that restarts just now."""

_SAMPLE = re.compile(r'(?P<name>\w+)\{runtime="(?P<runtime>[^"]*)"(?P<labels>[^}]*)\} (?P<value>\S+)')
_OUTCOME = re.compile(r'outcome="(\w+)"')


@dataclass(frozen=True, slots=True)
class Watched:
    """Where a platform's agents tell their metrics, and its queues by runtime."""

    access: Access
    agents: Mapping[str, str]
    queues: Mapping[str, str]

    @classmethod
    def of(cls, output: Path) -> "Watched":
        """Raises NotRunning."""
        addresses = read(output)
        return cls(Access(addresses.aws_endpoint_url, addresses.region), addresses.agents, addresses.queues)


def main(argv: Sequence[str] | None = None) -> int:
    """Show until Ctrl-C, or once. Returns 2 when no platform runs there."""
    parser = argparse.ArgumentParser(prog="python -m utils.operate.watch", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "output", metavar="DIR", help="of the platform")
    parser.add_argument("--once", action="store_true", help="print the table and end")
    arguments = parser.parse_args(argv)
    try:
        asyncio.run(_show(Watched.of(arguments.output), once=arguments.once))
    except NotRunning as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


async def _show(watched: Watched, *, once: bool) -> None:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with watched.access.clients() as clients, aiohttp.ClientSession(timeout=timeout) as session:
        console = Console(width=None if sys.stdout.isatty() else 120)
        if once:
            console.print(await _table(watched, clients, session))
            return
        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update(await _table(watched, clients, session), refresh=True)
                await asyncio.sleep(REFRESH_SECONDS)


async def _table(watched: Watched, clients: Clients, session: aiohttp.ClientSession) -> Table:
    response = sums("".join(await asyncio.gather(*(_text(session, url) for url in watched.agents.values()))))
    table = Table("runtime", "ready", "waiting", "taken", "done", "failed", "mean wait", "mean run", "GPU busy")
    for name, url in watched.queues.items():
        waiting, taken = await _depth(clients, url)
        of = response[name]
        busy, idle = of[GPU_BUSY.name], of[GPU_IDLE.name]
        table.add_row(
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
    return table


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


if __name__ == "__main__":
    sys.exit(main())
