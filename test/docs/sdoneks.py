"""Calls of ``sdoneks``: every sub-command and option exists."""

import re
from collections.abc import Iterator, Sequence

import click

from sd_on_eks.cli.app import app
from test.docs import helps

PLAN = "plan"
"""The one sub-command whose command line is a module's own."""


def problems(argv: Sequence[str]) -> Iterator[str]:
    """What is wrong with a command line. ``argv`` is as it is written, with its quotes and variables."""
    command: click.Command = app
    known = _options(app)
    name = "sdoneks"
    for argument in argv[1:]:
        if isinstance(command, click.Group) and not argument.startswith("-"):
            found = command.get_command(click.Context(command), argument)
            if found is None:
                yield f"{name} has no command {argument}"
                return
            command, name = found, f"{name} {argument}"
            known |= _options(command)
            if argument == PLAN:
                known |= set(re.findall(r"--[\w-]+", helps.of_module("utils.planner") or ""))
        elif re.match(r"--?[A-Za-z]", argument) and argument.partition("=")[0] not in known:
            yield f"{name} has no option {argument.partition('=')[0]}"


def _options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
