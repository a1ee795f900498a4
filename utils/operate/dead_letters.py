"""A runtime's dead letters: list, show, redrive, delete.

  python -m utils.operate.dead_letters list RUNTIME
  python -m utils.operate.dead_letters show RUNTIME MESSAGE_ID
  python -m utils.operate.dead_letters redrive RUNTIME [MESSAGE_ID…]
  python -m utils.operate.dead_letters delete RUNTIME MESSAGE_ID…

Works on the stack of the account and region that the AWS variables name, or on a running local platform (--local). A
redriven message is sent to the runtime's queue as a new message, so its attempts count from zero, and only then deleted
here.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from contract.trace import ATTRIBUTE
from contract.webhook import ATTRIBUTE as WEBHOOK_ATTRIBUTE
from contract.wire import (
    CLIENT_ATTRIBUTE,
    DEADLINE_ATTRIBUTE,
    UndecodableMessage,
    decode,
    message_group,
    text_attributes,
)
from infra.config.errors import ConfigError
from infra.config.model import load_config
from infra.topology import Route, topology_of
from utils.local.cloud import Access
from utils.local.running import NotRunning, read
from utils.local.services import ROOT
from utils.text import printable

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

HOLD_SECONDS = 120
"""For how long a message that is looked at is hidden from others; it is given back at once when we are done."""

MESSAGES_AT_ONCE = 10
"""The most that SQS gives."""

POLL_SECONDS = 1

EMPTY_ANSWERS = 3
"""SQS asks a part of its servers, so that one empty answer says little."""

KEPT = (CLIENT_ATTRIBUTE, DEADLINE_ATTRIBUTE, WEBHOOK_ATTRIBUTE, ATTRIBUTE)
"""Message attributes with which a dead letter is sent again."""

MAX_LETTERS = 1000
"""Looked at in one call; a queue that holds more is shown in part."""


class CannotAct(Exception):
    """The text says what to change."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter that this process holds. ``age`` in seconds; ``receives`` of the runtime's queue, when known;
    ``kept``: message attributes of the task itself; ``group``: the message group of its client."""

    message_id: str
    receipt: str
    body: str
    reason: str
    receives: str
    age: float
    task_id: str
    kept: Mapping[str, str]
    group: str | None

    @classmethod
    def of(cls, message: "MessageTypeDef", now: float) -> "Letter":
        attributes = {
            name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()
        }
        sent = int(message.get("Attributes", {}).get("SentTimestamp", now * 1000)) / 1000
        return cls(
            message_id=message["MessageId"],
            receipt=message["ReceiptHandle"],
            body=message["Body"],
            reason=attributes.get("reason", "received too often; the agents that received it reported nothing"),
            receives=attributes.get("receives", "?"),
            age=max(0.0, now - sent),
            task_id=_task_id(message["Body"]),
            kept={name: attributes[name] for name in KEPT if name in attributes},
            group=message.get("Attributes", {}).get("MessageGroupId"),
        )


class DeadLetters:
    """The dead-letter queue of one runtime, and the queue that its letters came from."""

    def __init__(self, client: "SQSClient", queue_url: str, dead_letter_url: str) -> None:
        self._client = client
        self._queue_url = queue_url
        self._url = dead_letter_url

    @contextmanager
    def held(self) -> Iterator[list[Letter]]:
        """Every letter there is, at most MAX_LETTERS. What is neither redriven nor deleted is given back at the end."""
        letters: dict[str, Letter] = {}
        try:
            empty = 0
            while empty < EMPTY_ANSWERS and len(letters) < MAX_LETTERS:
                messages = self._receive()
                empty = 0 if messages else empty + 1
                letters |= {message["MessageId"]: Letter.of(message, time.time()) for message in messages}
            yield list(letters.values())
        finally:
            for letter in letters.values():
                self._release_upcoming(letter)

    def redrive(self, letter: Letter) -> None:
        """Send it to the runtime's queue, then delete it here: cut off in between, it would run twice, not never."""
        attributes, group = text_attributes(letter.kept), message_group(letter.group)
        self._client.send_message(
            QueueUrl=self._queue_url, MessageBody=letter.body, MessageAttributes=attributes, **group
        )
        self.delete(letter)

    def delete(self, letter: Letter) -> None:
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)

    def _receive(self) -> "list[MessageTypeDef]":
        return self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=MESSAGES_AT_ONCE,
            VisibilityTimeout=HOLD_SECONDS,
            WaitTimeSeconds=POLL_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["MessageGroupId", "SentTimestamp"],
        ).get("Messages", [])

    def _release_upcoming(self, letter: Letter) -> None:
        try:
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=letter.receipt, VisibilityTimeout=0
            )
        except ClientError:
            return  # deleted, or given back by time


def main(argv: Sequence[str] | None = None, *, ask: Callable[[str], str] = input) -> int:
    """Do what the command line says. Returns 0, 1 when it was not done, 2 when it could not be."""
    arguments = _parser().parse_args(argv)
    try:
        route = _route(arguments.config, arguments.runtime)
        letters = _open(arguments.local, route)
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
        **{name: letter.kept.get(name) for name in KEPT},
        "body": body,
    }


def _route(config: Path, runtime: str) -> Route:
    routes = {route.name: route for route in topology_of(load_config(config)).routes}
    if runtime not in routes:
        raise CannotAct(
            f"{config} has no runtime {runtime!r}; it has {', '.join(routes)}; name another file with --config"
        )
    return routes[runtime]


def _open(output: Path | None, route: Route) -> DeadLetters:
    """``output``: the folder of a running local platform; None: AWS."""
    limits = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})
    if output is None:
        client = boto3.client("sqs", config=limits)
    else:
        try:
            addresses = read(output)
        except NotRunning as error:
            raise CannotAct(str(error)) from error
        access = Access(addresses.aws_endpoint_url, addresses.region)
        own = access.environment()
        client = boto3.Session(own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"]).client(
            "sqs", region_name=access.region, endpoint_url=access.endpoint_url, config=limits
        )
    return DeadLetters(client, _url(client, route.queue.name), _url(client, route.dead_letters.name))


def _url(client: "SQSClient", name: str) -> str:
    try:
        return client.get_queue_url(QueueName=name)["QueueUrl"]
    except client.exceptions.QueueDoesNotExist as error:
        raise CannotAct(f"there is no queue {name} in {client.meta.region_name}; is the stack there?") from error


def _task_id(body: str) -> str:
    try:
        return decode(body).metadata.id
    except UndecodableMessage as error:
        return error.task_id or "?"


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
