"""``sdoneks ops probe``: what answers at a runtime's address."""

import asyncio
import base64
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from http import HTTPStatus
from io import BytesIO
from typing import Any

import click
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from PIL import Image
from yarl import URL

from contract.runtimes import TASK_TYPES, RuntimeType, TaskType
from queue_agent.errors import AgentError, RuntimeFault
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.address import base_url, shown_address, without_credentials
from queue_agent.runtimes.base import Job, RunMonitor, Runtime
from queue_agent.runtimes.identify import PRODUCTS, identify
from queue_agent.runtimes.versions import known_as
from sd_on_eks.cli.options import State, json_option, pass_state

LOOK_SECONDS = 8.0
"""As long as an agent waits for an answer before it calls a runtime not ready."""

RUN_SECONDS = 300.0
"""For one small task, which may load a model first."""

SIDE = 64
"""Pixels of the images that ``--run`` makes."""

LOGIN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Exit(IntEnum):
    """What the exit code says; 2 is a wrong command line."""

    WELL = 0
    NOT_READY = 1
    UNKNOWN = 3
    TASK_FAILED = 4


@dataclass
class Report:
    """What was found, line by line; ``code`` is the worst of it."""

    lines: list[str] = field(default_factory=list)
    code: Exit = Exit.WELL

    def say(self, line: str, code: Exit = Exit.WELL) -> None:
        self.lines.append(line)
        self.code = max(self.code, code)


class Address(click.ParamType[URL]):
    """A runtime's URL."""

    name = "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> URL:
        try:
            return base_url(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("probe")
@click.argument("url", type=Address())
@click.option("--run", "runs", is_flag=True, help="Run one small task of each type; loads a model.")
@json_option
@pass_state
def command(state: State, *, url: URL, runs: bool) -> int:
    """Show what answers at a runtime's address.

    It names the server, its version, whether it would take a task, and what is missing: the API switch, a login,
    models. URL is such as http://127.0.0.1:7860; user:password@ before the host logs in.

    Exit codes: 0 all is well; 1 it is known, and not ready or something is missing; 2 the command line is wrong; 3
    nothing known answers there; 4 a task failed.
    """
    report = asyncio.run(probe(url, run=runs))
    state.screen.value({"code": report.code, "lines": report.lines}, "\n".join(report.lines))
    return report.code


async def probe(url: URL, *, run: bool = False) -> Report:
    """What answers at ``url``; with ``run`` also what it does with a task of each type. Never raises."""
    report = Report()
    at = shown_address(url)
    async with ClientSession(connector=TCPConnector(force_close=True), timeout=ClientTimeout(total=None)) as session:
        kind = await identify(url, session, LOOK_SECONDS)
        if kind is None:
            report.say(f"{at}: {await _why_unknown(url, session)}", Exit.UNKNOWN)
            return report
        report.say(f"{at}: {PRODUCTS[kind]}; give the runtime the type {kind.value}")
        async with open_runtime(kind, url, session) as runtime:
            try:
                await runtime.check_ready()
                report.say("ready: yes")
            except RuntimeFault as fault:
                report.say(f"ready: no; {fault.message}", Exit.NOT_READY)
            ready = report.code is Exit.WELL
            await _report_models(report, kind, url, session)
            if run and ready:
                for job in jobs(kind):
                    await _try(report, runtime, job)
            _report_version(report, kind, getattr(runtime, "version", None))
    return report


def jobs(kind: RuntimeType) -> Iterator[Job]:
    """One small task for each type that the runtime serves."""
    image = _image()
    generation = {"prompt": "a lighthouse", "steps": 1, "width": SIDE, "height": SIDE, "seed": 1}
    upscaling = {"upscaler_1": "Lanczos", "upscaling_resize": 2}
    save = {"images": ["1", 0], "filename_prefix": "probe"}
    contents: Mapping[TaskType, dict[str, Any]] = {
        TaskType.TEXT_TO_IMAGE: generation,
        TaskType.IMAGE_TO_IMAGE: {**generation, "init_images": [image], "denoising_strength": 0.5},
        TaskType.EXTRA_SINGLE_IMAGE: {**upscaling, "image": image},
        TaskType.EXTRA_BATCH_IMAGES: {**upscaling, "imageList": [{"data": image, "name": "probe.png"}]},
        TaskType.PIPELINE: {
            "1": {"class_type": "EmptyImage", "inputs": {"width": SIDE, "height": SIDE, "batch_size": 1, "color": 0}},
            "2": {"class_type": "SaveImage", "inputs": save},
        },
        TaskType.GRAPH: {
            "graph": {
                "nodes": {"probe": {"id": "probe", "type": "blank_image", "width": SIDE, "height": SIDE}},
                "edges": [],
            }
        },
    }
    contents = {**contents, **{one: {"img": image} for one in TASK_TYPES[RuntimeType.IMAGEKIT]}}
    for tasktype in TASK_TYPES[kind]:
        yield Job(id="probe", tasktype=tasktype, content=contents[tasktype])


async def _why_unknown(url: URL, session: ClientSession) -> str:
    """Why no known server was found there."""
    origin = url.with_path("/")
    if url.path.strip("/") and (found := await identify(origin, session)):
        return f"the address has a path too many; {PRODUCTS[found]} answers at {shown_address(origin)}"
    try:
        async with session.get(url, timeout=ClientTimeout(total=LOOK_SECONDS)) as response:
            page = (await response.content.read(1 << 16)).decode(errors="replace")
    except TimeoutError:
        return f"something accepts connections and does not answer within {LOOK_SECONDS:g} s"
    except (ClientError, OSError) as error:
        return (
            f"nothing answers: {without_credentials(error, url)}; check host and port, and that the server has started"
        )
    if response.status in LOGIN:
        return f"it wants a login ({response.status}): put user:password@ before the host"
    if "gradio" in page.casefold():
        return "this looks like SD WebUI without its API: start it with --api"
    return (
        f"a web server answers ({response.status}), but none of {', '.join(PRODUCTS.values())}: check port and path; "
        "SD WebUI needs --api"
    )


async def _report_models(report: Report, kind: RuntimeType, url: URL, session: ClientSession) -> None:
    """How many models it has; without any, most tasks fail."""
    path = {
        RuntimeType.SDWEBUI: "sdapi/v1/sd-models",
        RuntimeType.COMFYUI: "object_info/CheckpointLoaderSimple",
        RuntimeType.INVOKEAI: "api/v2/models/?model_type=main",
    }.get(kind)
    if path is None:
        return  # its models are its own
    try:
        where = URL(f"{str(url).rstrip('/')}/{path}")
        async with session.get(where, timeout=ClientTimeout(total=LOOK_SECONDS)) as response:
            count = _count_models(kind, await response.json(content_type=None))
    except (ClientError, OSError, TimeoutError, ValueError, LookupError, TypeError):
        report.say("models: it does not list them")
        return
    if count:
        report.say(f"models: {count}")
    else:
        report.say("models: none; install one, or only tasks without a model succeed", Exit.NOT_READY)


def _count_models(kind: RuntimeType, body: Any) -> int:
    match kind:
        case RuntimeType.COMFYUI:
            return len(body["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0])
        case RuntimeType.INVOKEAI:
            return len(body["models"])
        case _:
            return len(body)


async def _try(report: Report, runtime: Runtime, job: Job) -> None:
    begun = time.monotonic()
    try:
        async with asyncio.timeout(RUN_SECONDS):
            result = await runtime.run(await runtime.prepare(job), RunMonitor())
            size = sum([len(part) for output in result.outputs async for part in output.read()])
            await result.discard()
    except AgentError as error:
        report.say(f"{job.tasktype}: failed; {error.message}", Exit.TASK_FAILED)
    except TimeoutError:
        await runtime.interrupt()
        report.say(f"{job.tasktype}: failed; it did not end within {RUN_SECONDS:g} s", Exit.TASK_FAILED)
    else:
        seconds = time.monotonic() - begun
        report.say(f"{job.tasktype}: works; {len(result.outputs)} output(s), {size} bytes, {seconds:.1f} s")


def _report_version(report: Report, kind: RuntimeType, version: str | None) -> None:
    if version is None:
        report.say("version: reported with the first image only; give --run")
        return
    known = known_as(kind, version)
    basis = ", ".join(sorted(known.basis)) if known is not None else "not tested with this agent"
    report.say(f"version: {version} ({basis})")


def _image() -> str:
    target = BytesIO()
    Image.new("RGB", (SIDE, SIDE), (40, 80, 120)).save(target, "PNG")
    return base64.b64encode(target.getvalue()).decode()
