"""No setting and no model outlives its task, and what is not changed costs no request."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from queue_agent.errors import AgentError, Interrupted, PermanentError, RuntimeFault
from queue_agent.runtimes.base import Job
from queue_agent.runtimes.sdwebui import Adapter
from test.support.runtimes import is_ready, run_job
from test.support.sdwebui import Client, scripted, serve, serve_simulator
from utils.simulators.base import Options
from utils.simulators.sdwebui import make_app

from .conftest import Connect, MakeJob

PATIENCE = 20.0

OVERRIDES: list[dict[str, Any]] = [
    {"sd_vae": "fine.vae.pt"},
    {"CLIP_stop_at_last_layers": 2},
    {"eta_noise_seed_delta": 31337},
    {"samples_format": "jpg"},
    {"sd_model_checkpoint": "art_beta"},
    {"sd_vae": "fine.vae.pt", "sd_model_checkpoint": "art_beta"},
]


async def _image(adapter: Adapter, job: Job) -> bytes:
    (output,) = (await run_job(adapter, job)).outputs
    return b"".join([part async for part in output.read()])


RESTORE: list[dict[str, Any]] = [{}, {"override_settings_restore_afterwards": False}]


@pytest.fixture(params=[False, True], ids=["fixed", "dynamic"])
async def either(request: pytest.FixtureRequest, webui: Client, connect: Connect) -> AsyncIterator[Adapter]:
    """The adapter of a runtime with a fixed model, and of one whose tasks choose."""
    async with connect(webui, dynamic_model=request.param) as adapter:
        yield adapter


@pytest.mark.parametrize("restore", RESTORE)
@pytest.mark.parametrize("overrides", OVERRIDES)
async def test_three_equal_requests_with_an_override_in_the_second(
    webui: Client, either: Adapter, make_job: MakeJob, overrides: dict[str, Any], restore: dict[str, Any]
) -> None:
    # Given
    await either.check_ready()
    _, before = await webui.get("options")

    # When
    first = await _image(either, make_job())
    second = await _image(either, make_job(override_settings=overrides, **restore))
    third = await _image(either, make_job())

    # Then
    assert first == third
    assert second != first, "the setting had its effect"
    assert (await webui.get("options"))[1] == before
    assert await is_ready(either)


async def test_settings_are_put_back_after_a_failed_task(webui: Client, adapter: Adapter, make_job: MakeJob) -> None:
    # Given
    _, before = await webui.get("options")

    # When
    with pytest.raises(PermanentError):
        await run_job(adapter, make_job(steps=0, override_settings={"sd_vae": "x.pt"}))

    # Then
    assert (await webui.get("options"))[1] == before


async def test_settings_are_put_back_after_an_interrupted_task(connect: Connect, make_job: MakeJob) -> None:
    # Given
    async with serve_simulator(Options(seconds_per_step=0.01)) as client, connect(client) as adapter:
        _, before = await client.get("options")
        run = asyncio.create_task(run_job(adapter, make_job(steps=5000, override_settings={"sd_vae": "x.pt"})))
        await client.busy()

        # When
        await adapter.interrupt()
        with pytest.raises(Interrupted):
            await asyncio.wait_for(run, PATIENCE)

        # Then
        assert (await client.get("options"))[1] == before


async def test_settings_of_a_cancelled_task_are_put_back_before_the_next_begins(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve_simulator(Options(seconds_per_step=0.01)) as client, connect(client) as adapter:
        expected = await _image(adapter, make_job())
        run = asyncio.create_task(run_job(adapter, make_job(steps=5000, override_settings={"sd_vae": "x.pt"})))
        await client.busy()
        run.cancel()
        await asyncio.wait([run])
        await adapter.interrupt()

        # When
        image = await _image(adapter, make_job())

        # Then
        assert image == expected


async def test_a_runtime_that_keeps_an_overridden_setting_is_not_ready_until_it_is_put_back(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    options = {"sd_model_checkpoint": "alpha.safetensors", "sd_vae": "Automatic"}

    def generate() -> dict[str, Any]:
        options["sd_vae"] = "x.pt"
        return {"images": ["aW1hZ2U="], "parameters": {}, "info": "{}"}

    async with (
        serve(scripted({"options": lambda: dict(options), "txt2img": generate})) as client,
        connect(client) as adapter,
    ):
        await adapter.check_ready()
        result = await run_job(adapter, make_job(override_settings={"sd_vae": "x.pt"}))

        # When
        with pytest.raises(RuntimeFault, match=r"does not take back settings .*: sd_vae \(was 'Automatic'\)"):
            await adapter.check_ready()
        with pytest.raises(RuntimeFault, match="does not take back"):
            await run_job(adapter, make_job())
        options["sd_vae"] = "Automatic"

        # Then
        assert len(result.outputs) == 1, "the task itself went well"
        await adapter.check_ready()


async def test_settings_that_an_infotext_may_hold_are_put_back_too(connect: Connect, make_job: MakeJob) -> None:
    # Given a newer WebUI, which reads settings from an infotext
    posted: list[Any] = []
    options = {"sd_model_checkpoint": "alpha.safetensors", "CLIP_stop_at_last_layers": 1, "sd_checkpoint_hash": "a"}

    def change(values: dict[str, Any]) -> None:
        posted.append(values)
        options.update(values)

    def generate() -> dict[str, Any]:
        options.update(CLIP_stop_at_last_layers=2, sd_checkpoint_hash="b")
        return {"images": ["aW1hZ2U="], "parameters": {}, "info": "{}"}

    app = scripted({"txt2img": generate, "options": lambda: dict(options)}, change)
    async with serve(app) as client, connect(client) as adapter:
        # When
        await run_job(adapter, make_job(infotext="a dog\nSteps: 2, Clip skip: 2"))

    # Then
    assert posted == [{"CLIP_stop_at_last_layers": 1}]


async def test_a_task_without_overrides_costs_three_requests(connect: Connect, make_job: MakeJob) -> None:
    # Given
    calls: list[str] = []
    app = make_app(Options(seconds_per_step=0))

    @web.middleware
    async def count(request: web.Request, handler: Any) -> web.StreamResponse:
        calls.append(request.path.rpartition("/")[2])
        response: web.StreamResponse = await handler(request)
        return response

    app.middlewares.append(count)
    async with serve(app) as client, connect(client) as adapter:
        await adapter.check_ready()
        calls.clear()

        # When
        await run_job(adapter, make_job())

    # Then
    assert calls == ["progress", "txt2img", "progress"]


async def test_a_model_that_a_person_changed_is_put_back_before_tasks_are_taken(
    webui: Client, adapter: Adapter, make_job: MakeJob
) -> None:
    # Given
    await adapter.check_ready()
    await webui.ok("options", {"sd_model_checkpoint": "art/beta.safetensors"})

    # When
    with pytest.raises(RuntimeFault, match=r"another client changed SD WebUI's model to art/beta\.safetensors"):
        await adapter.check_ready()
    async with asyncio.timeout(PATIENCE):
        while not await is_ready(adapter):  # noqa: ASYNC110 - the model is loaded in another task
            await asyncio.sleep(0.01)

    # Then
    assert (await run_job(adapter, make_job())).ran.model == "alpha"


async def test_a_model_that_a_person_changed_unseen_delivers_nothing_and_is_put_back(
    webui: Client, adapter: Adapter, make_job: MakeJob
) -> None:
    # Given
    await adapter.check_ready()
    await webui.ok("options", {"sd_model_checkpoint": "art/beta.safetensors"})

    # When
    with pytest.raises(RuntimeFault) as caught:
        await run_job(adapter, make_job())

    # Then
    assert caught.value.type == "model-mismatch"
    assert (await run_job(adapter, make_job())).ran.model == "alpha"


async def test_a_task_that_names_the_runtimes_model_gets_it_although_a_person_changed_it(
    webui: Client, adapter: Adapter, make_job: MakeJob
) -> None:
    # Given
    await adapter.check_ready()
    await webui.ok("options", {"sd_model_checkpoint": "art/beta.safetensors"})

    # When
    result = await run_job(adapter, make_job(alwayson_scripts={"sd_model_checkpoint": "alpha"}))

    # Then
    assert result.ran.model == "alpha"


async def test_an_adapter_that_is_closed_while_it_loads_the_model_leaves_no_task(connect: Connect) -> None:
    # Given
    options = Options(models=("alpha.safetensors", "beta.safetensors"), seconds_per_step=0.5)
    async with serve_simulator(options) as client:
        async with connect(client) as adapter:
            await adapter.check_ready()
            loading = asyncio.create_task(client.post("options", {"sd_model_checkpoint": "beta.safetensors"}))
            await asyncio.sleep(0.05)
            with pytest.raises(AgentError):
                await adapter.check_ready()

        # Then
        assert "put back the model" not in {task.get_name() for task in asyncio.all_tasks()}
        loading.cancel()
