"""What the local platform prints: colours and a spinner on a terminal, plain lines elsewhere."""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from contract.callback import Callback, Status
from infra.config.api import Auth
from utils.local.cloud import LOCAL_CREDENTIALS
from utils.local.running import Addresses
from utils.local.services import ROOT
from utils.local.signature import SERVICE
from utils.smoke import samples
from utils.smoke.client import Request

SHOWN_FILES = 3
"""Files that one line names; the others are in the same folder."""

MAX_TEXT = 300


class Display:
    """Writes to stdout, until its reader is gone."""

    def __init__(self) -> None:
        self._console = _Console(highlight=False, markup=False, soft_wrap=True, emoji=False)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Say what takes a while, with a spinner on a terminal."""
        if not self._console.is_terminal:
            self._line(f"{what} …")
            yield
            return
        with self._console.status(f"{what} …"):
            yield

    def event(self, text: str) -> None:
        """Something that a person should know."""
        self._line(f"! {text}", "yellow")

    def error(self, text: str) -> None:
        """Why the platform ends."""
        self._line(f"error: {text}", "bold red")

    def welcome(self, addresses: Addresses, first: Request | None, image: str) -> None:
        """Where the platform is reached, and ``first`` as a line to paste. ``image`` is a URL for links."""
        self._line("The platform serves on this machine. Ctrl-C stops it.", "bold green")
        for name, value in (
            ("console", f"{addresses.endpoint}console"),
            ("endpoint", addresses.endpoint),
            *_keys(addresses),
            ("bucket", addresses.bucket),
            ("topic ARN", addresses.topic_arn),
            ("AWS endpoint", f"{addresses.aws_endpoint_url} (AWS_ENDPOINT_URL; region {addresses.region}, any keys)"),
            ("logs", shown_path(Path(addresses.logs))),
        ):
            self._line(f"  {name:<13} {value}")
        if first:
            self._line("Send a first request:", "bold")
            self._line(
                f"  curl -sS {addresses.endpoint}{samples.version(first.name)} {_credentials(addresses)}"
                f"-H 'Content-Type: application/json' -d {shlex.quote(json.dumps(first.body))}"
            )
        if addresses.api_key:
            self._line("Or every sample request:", "bold")
            script = shown_path(ROOT / "test" / "run.sh")
            self._line(f"  ENDPOINT={addresses.endpoint} API_KEY={addresses.api_key} LINK={image} {script}")

    def callback(self, callback: Callback, files: Sequence[Path], note: str = "") -> None:
        """One line for a callback: how the task ended, and its images, which come first in ``files``."""
        if callback.status is Status.COMPLETED:
            images = files[: len(callback.image_url)] or files
            names = [shown_path(path) for path in images[:SHOWN_FILES]]
            more = f" and {len(images) - SHOWN_FILES} more" if len(images) > SHOWN_FILES else ""
            self._line(f"{callback.status:<10} {callback.id}  {' '.join(names)}{more}{note}", "green")
        else:
            cause = f"{callback.error.type}: {callback.error.message}" if callback.error else ""
            self._line(f"{callback.status:<10} {callback.id}  {cause}{note}", "red" if callback.error else "")

    def note(self, text: str, *, success: bool = True) -> None:
        """A step of ``--once``."""
        self._line(text, "" if success else "red")

    def _line(self, text: str, style: str = "") -> None:
        printable = "".join(char if char.isprintable() or char == "\n" else "�" for char in text)
        try:
            self._console.print(printable, style=style)
        except OSError:
            self._go_quiet()

    def _go_quiet(self) -> None:
        """A closed stdout is no reason to end at once and leave processes running."""
        self._console.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _keys(addresses: Addresses) -> Iterator[tuple[str, str]]:
    """A line for each client's key; the only one needs no name."""
    if addresses.auth == Auth.AWS_IAM:
        yield "signatures", f"SigV4 of {SERVICE} in {addresses.region}, with {' and '.join(LOCAL_CREDENTIALS)} as keys"
    elif len(addresses.api_keys) == 1:
        yield "API key", addresses.api_key
    else:
        yield from ((f"key of {name}", key) for name, key in addresses.api_keys.items())


def _credentials(addresses: Addresses) -> str:
    """Arguments of curl, with a space at their end."""
    if addresses.auth == Auth.AWS_IAM:
        key, secret = LOCAL_CREDENTIALS
        return f"--aws-sigv4 aws:amz:{addresses.region}:{SERVICE} --user {key}:{secret} "
    return f"-H 'x-api-key: {addresses.api_key}' " if addresses.api_key else ""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich would end the process here, and leave its children running."""
        raise BrokenPipeError


def shown_path(path: Path) -> str:
    """Relative to where the user is, when that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
