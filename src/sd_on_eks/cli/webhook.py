"""``sdoneks webhook``: see and check the webhooks that the platform sends, while developing a receiver."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import click

from sd_on_eks.cli.options import Pairs, State, json_option, pass_state
from sd_on_eks.cli.receiver import HOST, Receiver
from sd_on_eks.cli.screen import Screen
from sd_on_eks.describing import note
from sd_on_eks.webhooks import TOLERANCE_SECONDS, WebhookEvent, verify_webhook

SECRET = click.option(
    "--secret",
    envvar="WEBHOOK_SECRET",
    required=True,
    metavar="WHSEC",
    help="The client's secret, whsec_…; better in the variable WEBHOOK_SECRET.",
)


@click.group()
def webhook() -> None:
    """Receive webhooks on this machine, or verify one."""


@webhook.command()
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="0 takes a free one.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many events.")
@SECRET
@json_option
@pass_state
def listen(state: State, port: int, count: int | None, secret: str) -> None:
    """Print each event that arrives with a valid signature, once. Ctrl-C ends it.

    Others are answered 401, and standard error says why. It listens on 127.0.0.1 only, where a local platform reaches
    it: submit a task with --webhook and the URL that is printed.
    """
    screen = state.screen
    with Receiver(port, secret, screen.hint) as receiver:
        screen.hint(f"listening on http://{HOST}:{receiver.port}/; Ctrl-C ends it")
        try:
            for number, event in enumerate(receiver.events(), start=1):
                _show(screen, event)
                if number == count:
                    break
        except KeyboardInterrupt:
            return  # how it is meant to be ended


@webhook.command()
@click.argument("body", type=click.File("rb"), default="-")
@click.option("--header", "lines", multiple=True, metavar="NAME:VALUE", help="A header of the request; repeat it.")
@click.option(
    "--headers",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the headers, a line each; other lines are passed over.",
)
@click.option("--any-time", is_flag=True, help="Accept a request that was signed long ago.")
@SECRET
@json_option
@pass_state
def verify(state: State, *, body: BinaryIO, lines: Pairs, file: Path | None, any_time: bool, secret: str) -> None:
    """Verify a request's signature, and print its event. BODY is the file of its body as it arrived, or - for standard
    input. The exit code is 1 when it is not valid."""
    found = _headers([*(file.read_text("utf-8").splitlines() if file else ()), *lines])
    tolerance = None if any_time else TOLERANCE_SECONDS
    _show(state.screen, verify_webhook(body.read(), found, secret, tolerance=tolerance))


def _headers(lines: list[str]) -> Mapping[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _show(screen: Screen, event: WebhookEvent) -> None:
    screen.value(event, f"{event.type} {event.data.id} {event.data.status} {note(event.data)}")
