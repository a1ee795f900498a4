"""Commands on tasks that are there: wait, status, list, cancel; and on what is around them: upload, runtimes."""

from pathlib import Path

import click

from sd_on_eks.cli.following import finish
from sd_on_eks.cli.options import Pairs, State, json_option, pass_state, read_labels, timeout_option
from sd_on_eks.describing import note
from sd_on_eks.models import Status

IDS = click.argument("ids", nargs=-1, required=True, metavar="ID...")


@click.command()
@IDS
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), help="Save the files here.")
@timeout_option
@json_option
@pass_state
def wait(state: State, ids: Pairs, folder: Path | None, timeout: float) -> None:
    """Wait until the tasks have ended."""
    finish(state, [state.client.task(task_id) for task_id in ids], timeout, folder)


@click.command()
@IDS
@json_option
@pass_state
def status(state: State, ids: Pairs) -> None:
    """Show where tasks are."""
    for task_id in ids:
        task = state.client.task(task_id)
        state.screen.value(task, f"{task.id} {task.status} {note(task)}")


@click.command("list")
@click.option("--status", "wanted", type=click.Choice([status.value for status in Status]), help="Only in this state.")
@click.option("--runtime", help="Only of this runtime.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Only with this label.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many tasks at most.")
@json_option
@pass_state
def list_tasks(state: State, wanted: str | None, runtime: str | None, labels: Pairs, limit: int) -> None:
    """List tasks, the newest first."""
    state.screen.tasks(state.client.tasks(status=wanted, runtime=runtime, labels=read_labels(labels), limit=limit))


@click.command()
@IDS
@json_option
@pass_state
def cancel(state: State, ids: Pairs) -> None:
    """Stop tasks: at once while they wait, within seconds while they run."""
    for task_id in ids:
        task = state.client.task(task_id).cancel()
        state.screen.value(task, f"{task.id} {task.status if task.status.ended else 'is being canceled'}")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_state
def upload(state: State, files: tuple[Path, ...]) -> None:
    """Upload files for tasks to read, and print their links."""
    for file in files:
        link = state.client.upload(file)
        state.screen.value({"file": str(file), "s3": link}, link)


@click.command()
@json_option
@pass_state
def runtimes(state: State) -> None:
    """Show the runtimes, and how long a task would wait."""
    state.screen.runtimes(state.client.runtimes())
