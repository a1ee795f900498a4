"""A task that runs on a simulated runtime is canceled: its job stops, nobody else's does, and the next task runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from contract.runtimes import RuntimeType, TaskType
from contract.task_table.item import State
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.session import runtime_session
from test.bench.webui import serving
from test.support.agents import QUICK, assembled, at_work, callbacks_of
from test.support.invokeai import text_to_image
from test.support.tables import cancel, has_status, item_of, submit
from test.support.world import World, until
from utils.simulators import comfyui, invokeai, sdwebui
from utils.simulators.base import Options

pytestmark = pytest.mark.usefixtures("short_polls")

STEP_SECONDS = 0.25
ENDLESS = 500
"""Steps, as many as a task may have, that no test waits for."""
BEATING = replace(QUICK, beat=0.2, look=5.0)


@dataclass(frozen=True)
class Kind:
    """A runtime, its simulator, and a task of so many steps."""

    type: RuntimeType
    tasktype: TaskType
    make_app: Callable[[Options], web.Application]
    content: Callable[[int], dict[str, Any]]
    tells_progress: bool = True


def _webui(steps: int) -> dict[str, Any]:
    return {"prompt": "a lighthouse", "seed": 7, "steps": steps, "width": 64, "height": 64}


def _workflow(steps: int) -> dict[str, Any]:
    sampling = {"seed": steps, "steps": steps, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}
    inputs: dict[str, dict[str, Any]] = {
        "CheckpointLoaderSimple": {"ckpt_name": "v1-5-pruned-emaonly.safetensors"},
        "CLIPTextEncode": {"text": "a lighthouse", "clip": ["1", 1]},
        "EmptyLatentImage": {"width": 64, "height": 64, "batch_size": 1},
        "KSampler": {
            **sampling,
            "model": ["1", 0],
            "positive": ["2", 0],
            "negative": ["2", 0],
            "latent_image": ["3", 0],
        },
        "VAEDecode": {"samples": ["4", 0], "vae": ["1", 2]},
        "SaveImage": {"images": ["5", 0], "filename_prefix": "picture"},
    }
    return {
        str(number): {"class_type": name, "inputs": given} for number, (name, given) in enumerate(inputs.items(), 1)
    }


def _graph(steps: int) -> dict[str, Any]:
    return {"graph": text_to_image(steps=steps)}


KINDS = [
    Kind(RuntimeType.SDWEBUI, TaskType.TEXT_TO_IMAGE, sdwebui.make_app, _webui),
    Kind(RuntimeType.COMFYUI, TaskType.PIPELINE, comfyui.make_app, _workflow),
    Kind(RuntimeType.INVOKEAI, TaskType.GRAPH, invokeai.make_app, _graph, tells_progress=False),
]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.type.value for kind in KINDS])
async def test_a_canceled_task_stops_and_the_next_one_is_unharmed(table_world: World, kind: Kind) -> None:
    # Given a task that would never end, and one behind it
    world = table_world
    await submit(world, "endless", tasktype=kind.tasktype, content=kind.content(ENDLESS))
    async with _agent(world, kind):
        running = await until(lambda: _seen_running(world, kind))
        await submit(world, "next", tasktype=kind.tasktype, content=kind.content(1))
        # When it is canceled
        assert await cancel(world, "endless")
        # Then it ends so, and the next one completes with its image
        canceled = await until(lambda: has_status(world, State.CANCELED, "endless"))
        completed = await until(lambda: has_status(world, State.COMPLETED, "next"))
        callbacks = await until(lambda: callbacks_of(world, 2))
    assert running.run is not None
    assert canceled.gpu_seconds > 0
    assert (len(completed.outputs), completed.attempt) == (1, 1)
    assert {callback["id"]: callback["status"] for callback in callbacks} == {
        "endless": "canceled",
        "next": "completed",
    }
    assert await world.depth() == (0, 0)


async def _seen_running(world: World, kind: Kind) -> Any:
    """The item, once the runtime is at work on the task."""
    item = await item_of(world, "endless")
    assert item is not None
    begun = item.progress is not None if kind.tells_progress else item.beat is not None
    return item if item.status is State.RUNNING and begun else None


@asynccontextmanager
async def _agent(world: World, kind: Kind) -> AsyncIterator[None]:
    """An agent at work beside the simulated runtime."""
    async with (
        serving(kind.make_app(Options(seconds_per_step=STEP_SECONDS))) as url,
        runtime_session() as session,
        open_runtime(kind.type, URL(url), session, dynamic_model=False) as runtime,
        assembled(world, runtime, timings=BEATING, runtime_type=kind.type) as parts,
        at_work(parts),
    ):
        yield
