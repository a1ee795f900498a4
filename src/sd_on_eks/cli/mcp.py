"""``sdoneks mcp``: the client's verbs for assistants and agents."""

import signal

import click

from sd_on_eks.cli.options import State, pass_state
from sd_on_eks.config import Config
from sd_on_eks.errors import ConfigError


@click.command()
@pass_state
def mcp(state: State) -> None:
    """Serve the Model Context Protocol on standard input and output.

    Its tools are list_runtimes, submit, wait, get, list and cancel. An assistant starts this command; it ends when its
    input is closed.
    """
    config = Config.of(state.endpoint)
    try:
        from sd_on_eks.mcp_server import make_server  # noqa: PLC0415 - its package may be missing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"mcp", "mcp_types"}:
            raise
        raise ConfigError('sdoneks mcp needs the package mcp 2: pip install "sd-on-eks[mcp]"') from error
    # The server reads its input in a thread, which Python would wait for; there is nothing to be tidied up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    make_server(config).run("stdio")
