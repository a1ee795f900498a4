"""Options that several operators' commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from utils.local.services import ROOT

F = TypeVar("F", bound=Callable[..., Any])

OUTPUT = ROOT / "output"
"""The local platform's own default."""


def stack_options(command: F) -> F:
    """Where the command works: ``config``, and ``output``, which ``output_of`` makes of the other two."""
    options = [
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            default=ROOT / "config.yaml",
            metavar="PATH",
            help="The stack's configuration; by default config.yaml of the checkout.",
        ),
        click.option("--local", is_flag=True, help="On the running local platform of the checkout, not on AWS."),
        click.option(
            "--output",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="On the running local platform with this output folder.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def output_of(*, local: bool, output: Path | None) -> Path | None:
    """The folder of a running local platform; None: AWS."""
    return output or (OUTPUT if local else None)
