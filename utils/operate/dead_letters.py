"""Dead letters of a runtime, or of the webhooks: list, show, redrive, delete.

  python -m utils.operate.dead_letters list RUNTIME
  python -m utils.operate.dead_letters show RUNTIME MESSAGE_ID
  python -m utils.operate.dead_letters redrive RUNTIME [MESSAGE_ID…]
  python -m utils.operate.dead_letters delete RUNTIME MESSAGE_ID…

RUNTIME is the name of a runtime, or webhook_events. Works on the stack of the account and region that the AWS variables
name, or on a running local platform (--local). A redriven message is sent to the queue that it came from as a new
message, so its attempts count from zero, and only then deleted here.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from infra.config.errors import ConfigError
from infra.config.model import load_config
from infra.topology import Route, topology_of
from infra.webhooks import Webhooks
from utils.local.running import NotRunning
from utils.local.services import ROOT
from utils.operate.clients import client
from utils.operate.dead_letter_queue import KEPT, DeadLetters, Letter
from utils.text import printable

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

WEBHOOK_EVENTS = "webhook_events"
"""No runtime has this name, for it holds ``_``."""


class CannotAct(Exception):
    """The text says what to change."""


def main(argv: Sequence[str] | None = None, *, ask: Callable[[str], str] = input) -> int:
    """Do what the command line says. Returns 0, 1 when it was not done, 2 when it could not be."""
    arguments = _parser().parse_args(argv)
    try:
        letters = _open(arguments.local, _source(arguments.config, arguments.runtime))
        return _act(letters, arguments, ask)
    except (ConfigError, CannotAct) as error:
        print(f"error: {error}", file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"error: AWS refused the call: {error}", file=sys.stderr)
    return 2


def _act(dead: DeadLetters, arguments: argparse.Namespace, ask: Callable[[str], str]) -> int:
    wanted = list(getattr(arguments, "message_ids", []))
    with dead.held() as letters:
        missing = set(wanted) - {letter.message_id for letter in letters}
        if missing:
            raise CannotAct(f"{arguments.runtime} has no dead letter {', '.join(sorted(missing))}; see list")
        chosen = [letter for letter in letters if not wanted or letter.message_id in wanted]
        match arguments.action:
            case "list":
                _list(chosen)
            case "show":
                print(json.dumps(_shown(chosen[0]), indent=2, ensure_ascii=False))
            case action:
                return _change(action, dead.redrive if action == "redrive" else dead.delete, chosen, arguments, ask)
    return 0


def _change(
    action: str,
    act: Callable[[Letter], None],
    letters: Sequence[Letter],
    arguments: argparse.Namespace,
    ask: Callable[[str], str],
) -> int:
    _list(letters)
    if not letters:
        return 0
    if not arguments.yes and ask(f"{action} {len(letters)} of {arguments.runtime}? [y/N] ").strip().lower() != "y":
        print("nothing was changed")
        return 1
    for letter in letters:
        act(letter)
        print(f"{letter.message_id}  {action} done")
    return 0


def _list(letters: Sequence[Letter]) -> None:
    if not letters:
        print("there are no dead letters")
        return
    table = Table("message", "task", "age", "receives", "reason", box=None)
    for letter in sorted(letters, key=lambda letter: letter.age, reverse=True):
        table.add_row(
            *map(printable, (letter.message_id, letter.task_id, _duration(letter.age), letter.receives, letter.reason))
        )
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


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
    try:
        sqs = client("sqs", output)
    except NotRunning as error:
        raise CannotAct(str(error)) from error
    return DeadLetters(
        sqs, _url(sqs, source.queue.name), _url(sqs, source.dead_letters.name), keep=isinstance(source, Webhooks)
    )


def _url(client: "SQSClient", name: str) -> str:
    try:
        return client.get_queue_url(QueueName=name)["QueueUrl"]
    except client.exceptions.QueueDoesNotExist as error:
        raise CannotAct(f"there is no queue {name} in {client.meta.region_name}; is the stack there?") from error


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m utils.operate.dead_letters",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--config", type=Path, default=ROOT / "config.yaml", metavar="PATH")
    where.add_argument("--local", action="store_const", const=ROOT / "output", help="the local platform")
    where.add_argument("--output", dest="local", type=Path, metavar="DIR", help="the local platform of this folder")
    where.add_argument("runtime", metavar="RUNTIME")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", parents=[where], help="reason, age and receive count of each")
    for name, count in (("show", 1), ("redrive", "*"), ("delete", "+")):
        action = actions.add_parser(name, parents=[where])
        action.add_argument("message_ids", metavar="MESSAGE_ID", nargs=count)
        if name != "show":
            action.add_argument("--yes", action="store_true", help="do not ask")
    return parser


if __name__ == "__main__":
    sys.exit(main())
