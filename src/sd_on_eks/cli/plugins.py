"""Commands that other installed packages add: entry points of the group ``sd_on_eks.commands``.

The platform's checkout adds ``ops`` so; the client by itself does without, and imports nothing of the platform.
"""

from importlib.metadata import EntryPoint, entry_points

import click

GROUP = "sd_on_eks.commands"

OPERATORS = "ops"

WHERE = (
    "'sdoneks ops' is part of the platform, not of the client: call it in a checkout that ./deploy/deploy.sh has "
    "prepared, as .venv/bin/sdoneks ops"
)


class Extended(click.Group):
    """A group whose commands are its own, and those of entry points; these are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *sorted(_found())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        found = _found()
        if own is not None or cmd_name not in found:
            return own
        try:
            command = found[cmd_name].load()
        except ModuleNotFoundError as error:
            return _missing(cmd_name, error.name or str(error))
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] == OPERATORS and self.get_command(ctx, OPERATORS) is None:
            raise click.UsageError(WHERE, ctx)
        return super().resolve_command(ctx, args)


def _missing(name: str, package: str) -> click.Command:
    """In place of a command that cannot be imported, so that the others still work."""

    def fail(**_: object) -> None:
        raise click.UsageError(f"sdoneks {name} needs {package}, which is not installed here; {WHERE}")

    arguments = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    return click.Command(
        name,
        callback=fail,
        params=[arguments],
        short_help=f"Not available: {package} is not installed.",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True},
    )


def _found() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
