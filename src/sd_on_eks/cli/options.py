"""Options that several commands have, and what they make."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import click

from sd_on_eks.cli.screen import Screen
from sd_on_eks.client import Client
from sd_on_eks.jobs import Job, JobOptions
from sd_on_eks.timings import WAIT_SECONDS

F = TypeVar("F", bound=Callable[..., Any])

Pairs: TypeAlias = tuple[str, ...]


@dataclass
class State:
    """Of one call of the command. The client is made when it is needed: ``config`` and ``--help`` need none."""

    endpoint: str | None = None
    screen: Screen = field(default_factory=Screen)
    _client: Client | None = None

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client(self.endpoint)
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


pass_state = click.make_pass_decorator(State)


def json_option(command: F) -> F:
    """``--json``, of every command."""

    def switch(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it so
        if value:
            context.ensure_object(State).screen.as_json = True

    return click.option(
        "--json", is_flag=True, expose_value=False, callback=switch, help="Print JSON, one object on each line."
    )(command)


def timeout_option(command: F) -> F:
    """``--timeout``: how long to wait."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=WAIT_SECONDS,
        show_default=True,
        metavar="SECONDS",
        help="Wait at most so long; the task goes on after that.",
    )(command)


def job_options(command: F) -> F:
    """What every job takes."""
    options = [
        click.option("--id", "task_id", help="Id of the task. Repeated with it, the command gets the same task."),
        click.option("--runtime", help="Runtime; may be left out where only one serves the job."),
        click.option("--prefix", help="Folder of the results in the bucket.", default="output", show_default=True),
        click.option("--deadline", type=int, metavar="SECONDS", help="The task expires if it has not ended by then."),
        click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label, to find the task by."),
        click.option("--webhook", metavar="URL", help="Where the end of the task is sent."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def with_options(
    job: Job,
    *,
    task_id: str | None,
    runtime: str | None,
    prefix: str,
    deadline: int | None,
    labels: Pairs,
    webhook: str | None,
) -> Job:
    """The job with the values of ``job_options``."""
    options = JobOptions(prefix=prefix)
    if task_id:
        options["id"] = task_id
    if runtime:
        options["runtime"] = runtime
    if deadline is not None:
        options["deadline"] = deadline
    if labels:
        options["labels"] = read_labels(labels)
    if webhook:
        options["webhook"] = webhook
    return job.having(**options).named()


def read_labels(labels: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` as pairs. Raises UsageError."""
    return dict(_pair(label, "--label") for label in labels)


def read_values(values: Iterable[str], option: str) -> dict[str, Any]:
    """``NAME=VALUE`` as pairs: a value is JSON where it can be read so, else text; ``@`` begins a file's name."""
    found: dict[str, Any] = {}
    for text in values:
        name, value = _pair(text, option)
        if value.startswith("@"):
            path = Path(value[1:])
            if not path.is_file():
                raise click.UsageError(f"{option} {name}: there is no file {value[1:]!r}")
            found[name] = path
            continue
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"{option} must be NAME=VALUE, got {text!r}")
    return name, value
