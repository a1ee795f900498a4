"""The command itself: its sub-commands, and how errors become exit codes."""

from collections.abc import Sequence

import click
from click.shell_completion import get_completion_class

from sd_on_eks.cli import configure, jobs, tasks
from sd_on_eks.cli.exits import Exit, exit_of
from sd_on_eks.cli.mapping import map_jobs
from sd_on_eks.cli.mcp import mcp
from sd_on_eks.cli.options import State
from sd_on_eks.cli.plugins import Extended
from sd_on_eks.cli.webhook import webhook
from sd_on_eks.errors import Error

NAME = "sdoneks"

SHELLS = ("bash", "zsh", "fish")


@click.group(cls=Extended, name=NAME, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--endpoint", metavar="URL", help="The API's stage, where it is not the configured one.")
@click.pass_obj
def app(state: State, endpoint: str | None) -> None:
    """Generate images with Stable Diffusion on EKS.

    The endpoint and the key come from SDONEKS_ENDPOINT and SDONEKS_API_KEY, or from what 'sdoneks config' saved.

    Exit codes: 0 all is well; 1 a task failed, was canceled or expired, or a webhook is not valid; 2 the command or a
    file is wrong; 3 the API refused the request; 4 the API does not answer; 5 the time to wait is over; 130
    interrupted.
    """
    state.endpoint = endpoint


@app.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of SHELL, for its start-up file."""
    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(app, {}, NAME, "_SDONEKS_COMPLETE").source())


for command in (
    jobs.run,
    jobs.submit,
    map_jobs,
    tasks.wait,
    tasks.status,
    tasks.list_tasks,
    tasks.cancel,
    tasks.upload,
    tasks.runtimes,
    configure.config,
    webhook,
    mcp,
):
    app.add_command(command)


def run(arguments: Sequence[str], command: click.Command = app) -> int:
    """Run the command; its exit code."""
    state = State()
    try:
        # The code of a context that exits, else what the command returned.
        code = command.main(list(arguments), prog_name=NAME, standalone_mode=False, obj=state)
    except click.ClickException as error:
        # The option may not have been reached when the command line turned out to be wrong.
        state.screen.as_json |= "--json" in arguments
        if state.screen.as_json:
            state.screen.failure({"error": type(error).__name__, "message": error.format_message()})
        else:
            error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return Exit.INTERRUPTED
    except Error as error:
        state.screen.error(error)
        return exit_of(error)
    except OSError as error:
        state.screen.failure({"error": type(error).__name__, "message": str(error)})
        return Exit.USAGE
    finally:
        state.close()
    return code if isinstance(code, int) else Exit.OK
