"""``sdoneks ops callbacks``: the callbacks of a stack or of a local platform, as they come."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from contract.callback import Callback
from queue_agent.aws.clients import Clients, open_clients
from sd_on_eks.cli.options import State, json_option, pass_state
from sd_on_eks.cli.screen import Screen
from utils.local.cloud import Access
from utils.local.running import read
from utils.operate.errors import CannotAct, reported
from utils.operate.options import output_of
from utils.smoke.callbacks import Listener, listening
from utils.text import printable

REGION, PARTS = 3, 6
"""Of an ARN: the place of its region, and how many parts it has."""

TERMINATED = 128 + signal.SIGTERM


@click.command("callbacks")
@click.option(
    "--topic-arn", envvar="TOPIC_ARN", metavar="ARN", help="The stack's output sdNotificationOutputArn; or TOPIC_ARN."
)
@click.option("--local", is_flag=True, help="Of the running local platform of the checkout.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Of the running local platform with this output folder.",
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many callbacks.")
@json_option
@pass_state
def command(state: State, *, topic_arn: str | None, local: bool, output: Path | None, count: int | None) -> int | None:
    """Show callbacks as they come.

    It subscribes a queue of its own to the output topic, and removes both at its end; callbacks sent before are not
    shown. Ctrl-C ends it.
    """
    folder = output_of(local=local, output=output)
    if folder is None and topic_arn is None:
        raise click.UsageError("give --topic-arn, or --local")
    try:
        with reported():
            asyncio.run(_show(state.screen, folder, topic_arn, count))
    except KeyboardInterrupt:
        return None  # how it is meant to be ended
    except asyncio.CancelledError:
        return TERMINATED
    return None


async def _show(screen: Screen, folder: Path | None, topic_arn: str | None, count: int | None) -> None:
    task = asyncio.current_task()
    assert task is not None
    # The queue and its subscription must not stay.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    shown = 0
    async with _listening(folder, topic_arn) as listener:
        screen.hint("waiting for callbacks; Ctrl-C ends it")
        while count is None or shown < count:
            for callback in (await listener.receive())[: None if count is None else count - shown]:
                screen.value(callback, _line(callback))
                shown += 1


@asynccontextmanager
async def _listening(folder: Path | None, topic_arn: str | None) -> AsyncIterator[Listener]:
    """On the local platform of ``folder``, or on the topic in AWS."""
    if folder is not None:
        addresses = read(folder)
        async with (
            Access(addresses.aws_endpoint_url, addresses.region).clients() as clients,
            listening(clients, addresses.topic_arn) as listener,
        ):
            yield listener
        return
    async with _aws(topic_arn or "") as clients, listening(clients, topic_arn or "") as listener:
        yield listener


@asynccontextmanager
async def _aws(topic_arn: str) -> AsyncIterator[Clients]:
    parts = topic_arn.split(":")
    if len(parts) != PARTS or not parts[REGION]:
        raise CannotAct(f"--topic-arn must be such as arn:aws:sns:us-west-2:123456789012:name, got {topic_arn!r}")
    async with open_clients(parts[REGION]) as clients:
        yield clients


def _line(callback: Callback) -> str:
    cause = f"{callback.error.type}: {callback.error.message}" if callback.error else ""
    return printable(" ".join((callback.id, callback.status, callback.runtime, *callback.image_url, cause)).strip())
