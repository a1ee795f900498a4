"""``sdoneks ops dead-letters``: dead letters of a runtime, or of the webhooks."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from infra.config.model import load_config
from infra.topology import Route, topology_of
from infra.webhooks import Webhooks
from sd_on_eks.cli.options import State, json_option, pass_state
from utils.operate.clients import client
from utils.operate.dead_letter_queue import KEPT, DeadLetters, Letter
from utils.operate.errors import CannotAct, reported
from utils.operate.options import output_of, stack_options
from utils.text import printable

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

Action = Callable[..., Any]

WEBHOOK_EVENTS = "webhook_events"
"""No runtime has this name, for it holds ``_``."""


@click.group("dead-letters")
def command() -> None:
    """List, show, redrive and delete dead letters.

    RUNTIME is the name of a runtime, or webhook_events. Works on the stack of the account and region that the AWS
    variables name, or on a running local platform.
    """


def _options(action: Action) -> Action:
    """What every action takes."""
    return click.argument("runtime", metavar="RUNTIME")(stack_options(json_option(pass_state(action))))


@command.command("list")
@_options
def list_letters(state: State, runtime: str, **place: Any) -> None:
    """Show reason, age and receive count of each."""
    with _held(runtime, **place) as (_, letters):
        _list(state, letters)


@command.command()
@_options
@click.argument("message_id", metavar="MESSAGE_ID")
def show(state: State, runtime: str, message_id: str, **place: Any) -> None:
    """Show one whole, as JSON."""
    with _held(runtime, **place) as (_, letters):
        (letter,) = _chosen(runtime, letters, [message_id])
        shown = _shown(letter)
        state.screen.value(shown, json.dumps(shown, indent=2, ensure_ascii=False))


@command.command()
@_options
@click.argument("message_ids", metavar="[MESSAGE_ID]...", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask.")
def redrive(state: State, runtime: str, message_ids: Sequence[str], **options: Any) -> int:
    """Send some, or all, to the queue that they came from, as new messages, whose attempts count from zero."""
    return _change(state, "redrive", runtime, message_ids, **options)


@command.command()
@_options
@click.argument("message_ids", metavar="MESSAGE_ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(state: State, runtime: str, message_ids: Sequence[str], **options: Any) -> int:
    """Delete some."""
    return _change(state, "delete", runtime, message_ids, **options)


@contextmanager
def _held(
    runtime: str, *, config: Path, local: bool, output: Path | None
) -> Iterator[tuple[DeadLetters, Sequence[Letter]]]:
    """The dead-letter queue of ``runtime`` and what is in it, which others do not see meanwhile."""
    with reported():
        dead = _open(output_of(local=local, output=output), _source(config, runtime))
        with dead.held() as letters:
            yield dead, letters


def _chosen(runtime: str, letters: Sequence[Letter], message_ids: Sequence[str]) -> list[Letter]:
    """The letters of these ids, all where none is named. Raises CannotAct."""
    missing = set(message_ids) - {letter.message_id for letter in letters}
    if missing:
        raise CannotAct(f"{runtime} has no dead letter {', '.join(sorted(missing))}; see list")
    return [letter for letter in letters if not message_ids or letter.message_id in message_ids]


def _change(state: State, action: str, runtime: str, message_ids: Sequence[str], *, yes: bool, **place: Any) -> int:
    """Redrive or delete letters once it was agreed to; the exit code, 1 when it was not."""
    with _held(runtime, **place) as (dead, letters):
        chosen = _chosen(runtime, letters, message_ids)
        if not yes or not chosen:
            _list(state, chosen)
        if chosen and not yes and not click.confirm(f"{action} {len(chosen)} of {runtime}?", default=False, err=True):
            state.screen.hint("nothing was changed")
            return 1
        for letter in chosen:
            (dead.redrive if action == "redrive" else dead.delete)(letter)
            done = {"message_id": letter.message_id, "task_id": letter.task_id, "action": action}
            state.screen.value(done, f"{letter.message_id}  {action} done")
    return 0


def _list(state: State, letters: Sequence[Letter]) -> None:
    oldest_first = sorted(letters, key=lambda letter: letter.age, reverse=True)
    if state.screen.as_json:
        for letter in oldest_first:
            state.screen.value(_shown(letter), "")
        return
    if not letters:
        state.screen.hint("there are no dead letters")
        return
    table = Table("message", "task", "age", "receives", "reason", box=None)
    for letter in oldest_first:
        cells = (letter.message_id, letter.task_id, _duration(letter.age), letter.receives, letter.reason)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    state.screen.out.print(table)


def _shown(letter: Letter) -> dict[str, Any]:
    try:
        body: Any = json.loads(letter.body)
    except ValueError:
        body = letter.body
    return {
        "message_id": letter.message_id,
        "task_id": letter.task_id,
        "age_seconds": round(letter.age),
        "receives": letter.receives,
        "reason": letter.reason,
        **{name: letter.attributes.get(name) for name in KEPT},
        "body": body,
    }


def _source(config: Path, name: str) -> Route | Webhooks:
    topology = topology_of(load_config(config))
    if name == WEBHOOK_EVENTS:
        return topology.webhooks
    routes = {route.name: route for route in topology.routes}
    if name not in routes:
        raise CannotAct(
            f"{config} has no runtime {name!r}; it has {', '.join(routes)}; name another file with --config"
        )
    return routes[name]


def _open(output: Path | None, source: Route | Webhooks) -> DeadLetters:
    """``output``: the folder of a running local platform; None: AWS."""
    sqs = client("sqs", output)
    return DeadLetters(
        sqs, _url(sqs, source.queue.name), _url(sqs, source.dead_letters.name), keep=isinstance(source, Webhooks)
    )


def _url(sqs: "SQSClient", name: str) -> str:
    try:
        return sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist as error:
        raise CannotAct(f"there is no queue {name} in {sqs.meta.region_name}; is the stack there?") from error


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
