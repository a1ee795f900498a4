"""``sdoneks run`` and ``sdoneks submit``: the same jobs, waited for or not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sd_on_eks.cli.following import finish
from sd_on_eks.cli.options import (
    Pairs,
    State,
    job_options,
    json_option,
    pass_state,
    read_values,
    timeout_option,
    with_options,
)
from sd_on_eks.jobs import (
    Job,
    graph,
    human_segmentation,
    image_to_image,
    ocr,
    super_resolution,
    text_to_image,
    upscale,
)
from sd_on_eks.workflow import workflow

SETS = click.option(
    "--set", "sets", multiple=True, metavar="FIELD=VALUE", help="A field of the runtime's own body, such as steps=20."
)

IMAGE = click.argument("source", metavar="IMAGE")

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

Made = Callable[..., Job]


def text(prompt: str, sets: Pairs) -> Job:
    """Images from the text PROMPT, on SD WebUI."""
    return _having(text_to_image(prompt), sets)


def image(source: str, prompt: str, sets: Pairs) -> Job:
    """Images from the file or link IMAGE and the text PROMPT, on SD WebUI."""
    return _having(image_to_image(source, prompt), sets)


def larger(source: str, scale: float, sets: Pairs) -> Job:
    """A larger image from the file or link IMAGE, on SD WebUI."""
    return _having(upscale(source, scale=scale), sets)


def resolution(source: str, scale: str) -> Job:
    """An image of 2 or 4 times the size from the file or link IMAGE, on the image kit."""
    return super_resolution(source, scale=int(scale))


def people(source: str, foreground: bool) -> Job:  # noqa: FBT001 - click calls it by name
    """Where people are in the file or link IMAGE, on the image kit."""
    return human_segmentation(source, foreground=foreground)


def reading(source: str) -> Job:
    """The text in the file or link IMAGE, on the image kit."""
    return ocr(source)


def flow(file: Path, inputs: Pairs) -> Job:
    """A workflow in API format from FILE, on ComfyUI."""
    return workflow(file, read_values(inputs, "--input"))


def nodes(file: Path) -> Job:
    """A graph from FILE, on InvokeAI."""
    return graph(file)


KINDS: tuple[tuple[str, Made, tuple[Callable[[Any], Any], ...]], ...] = (
    ("text-to-image", text, (click.argument("prompt"), SETS)),
    ("image-to-image", image, (IMAGE, click.argument("prompt"), SETS)),
    (
        "upscale",
        larger,
        (
            IMAGE,
            click.option("--scale", type=float, default=2.0, show_default=True, help="How many times larger."),
            SETS,
        ),
    ),
    (
        "workflow",
        flow,
        (
            click.argument("file", type=FILE),
            click.option(
                "--input",
                "inputs",
                multiple=True,
                metavar="TITLE.FIELD=VALUE",
                help="A field of the node with this title, or id; @ begins the name of a file to upload.",
            ),
        ),
    ),
    ("graph", nodes, (click.argument("file", type=FILE),)),
    (
        "super-resolution",
        resolution,
        (
            IMAGE,
            click.option(
                "--scale", type=click.Choice(["2", "4"]), default="2", show_default=True, help="How many times larger."
            ),
        ),
    ),
    (
        "human-segmentation",
        people,
        (IMAGE, click.option("--foreground", is_flag=True, help="The people themselves, in place of a mask.")),
    ),
    ("ocr", reading, (IMAGE,)),
)
"""Of each kind of job: its name, what makes it, and the parameters of that."""


@click.group()
def run() -> None:
    """Submit a job, wait for its end, and save its files."""


@click.group()
def submit() -> None:
    """Submit a job, and print its task's id."""


def _having(job: Job, sets: Pairs) -> Job:
    """The job with fields of its content set."""
    return replace(job, content={**job.content, **read_values(sets, "--set")})


def _run_command(name: str, make: Made) -> click.Command:
    @pass_state
    def command(state: State, /, folder: Path, timeout: float, **values: Any) -> None:
        job = _job(make, values)
        state.screen.hint(f"task {job.id}")
        finish(state, [state.client.submit(job)], timeout, folder)

    output = click.option(
        "-o",
        "--output",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(),
        show_default=True,
        help="Folder for the files.",
    )
    return click.command(name, help=make.__doc__)(output(timeout_option(command)))


def _submit_command(name: str, make: Made) -> click.Command:
    @pass_state
    def command(state: State, /, **values: Any) -> None:
        task = state.client.submit(_job(make, values))
        state.screen.value(task, task.id)

    return click.command(name, help=make.__doc__)(command)


def _job(make: Made, values: dict[str, Any]) -> Job:
    """Of a command's parameters those of ``make`` make the job, the others are its options."""
    names = make.__code__.co_varnames[: make.__code__.co_argcount]
    own = {name: values.pop(name) for name in names}
    return with_options(make(**own), **values)


def _add_all() -> None:
    for name, make, parameters in KINDS:
        for group, build in ((run, _run_command), (submit, _submit_command)):
            command = json_option(job_options(build(name, make)))
            for parameter in reversed(parameters):
                command = parameter(command)
            command.params.sort(key=lambda parameter: isinstance(parameter, click.Option))
            group.add_command(command)


_add_all()
