"""``sdoneks ops``: the commands of people who operate a stack, or the local platform of a checkout.

The client's command finds this group by the entry point that pyproject.toml declares.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import click

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "task": ("utils.operate.task", "Show where the time of a task went."),
        "dead-letters": ("utils.operate.dead_letters", "List, show, redrive and delete dead letters."),
        "watch": ("utils.operate.watch", "Show a live table of a running local platform."),
        "callbacks": ("utils.operate.callbacks", "Show callbacks as they come."),
        "webhook-secret": ("utils.operate.webhook_secret", "Show or rotate the secret that signs a client's webhooks."),
        "probe": ("utils.operate.probe", "Show what answers at a runtime's address."),
        "plan": ("utils.operate.plan", "Compute waits and cost of scaling settings."),
    }
)
"""By name: the module whose ``command`` it is, imported when it is used, and the first line of its help."""


class Operators(click.Group):
    """A group that imports a command when it is used: some import a second's worth of libraries."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in COMMANDS.items()])


@click.group(cls=Operators)
def ops() -> None:
    """Operate a stack, or the local platform of this checkout.

    Stacks are found by the account and region that the AWS variables name. Exit codes are those of sdoneks, 2 when AWS
    refuses a call; 'probe' and 'task' have their own.
    """
