"""``sdoneks ops plan``: the planner, whose command line is its own."""

from collections.abc import Sequence

import click

from utils.planner.__main__ import main


@click.command("plan", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: Sequence[str]) -> int:
    """Compute waits and cost of scaling settings."""
    return main(arguments)
