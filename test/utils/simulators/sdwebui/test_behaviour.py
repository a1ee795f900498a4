"""What no single recording shows of the simulated WebUI: its queue, its models, and what it refuses."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientTimeout

from test.support.sdwebui import Client, serve_simulator
from utils.simulators.base import Options
from utils.simulators.sdwebui.flavour import flavour_of

SMALL: dict[str, Any] = {"prompt": "a lighthouse", "seed": 7, "steps": 2, "width": 64, "height": 64}
LONG = SMALL | {"steps": 150, "n_iter": 50}
SLOW = Options(models=("alpha.safetensors", "beta.safetensors"), seconds_per_step=0.005)


@pytest.mark.parametrize("images", [[], ["https://example.com/cat.png"]])
async def test_img2img_without_a_usable_image_fails_as_the_real_one_does(webui: Client, images: list[str]) -> None:
    # When
    status, answer = await webui.post("img2img", SMALL | {"init_images": images})

    # Then
    assert status == 500
    assert answer["errors"] or answer["detail"] == "Requests not allowed"


async def test_a_controlnet_unit_without_an_image_fails(webui: Client) -> None:
    # When
    scripts = {"ControlNet": {"args": [{"image": {"image": None}}]}}
    status, answer = await webui.post("txt2img", SMALL | {"alwayson_scripts": scripts})

    # Then
    assert (status, answer["error"]) == (500, "ValueError")


async def test_jobs_run_one_after_the_other_in_the_order_of_arrival() -> None:
    # Given
    finished: list[int] = []
    async with serve_simulator(SLOW) as client:

        async def run(number: int) -> None:
            await client.ok("txt2img", SMALL | {"steps": 40 - 10 * number})
            finished.append(number)

        # When
        jobs = [asyncio.create_task(run(0))]
        await client.busy()
        for number in (1, 2):
            jobs.append(asyncio.create_task(run(number)))
            assert (await client.get("sd-models"))[0] == 200, "what only reads is answered at once"
        await asyncio.gather(*jobs)

    # Then
    assert finished == [0, 1, 2]


async def test_an_interrupt_stops_the_running_job_only() -> None:
    # Given
    async with serve_simulator(SLOW) as client:
        running = asyncio.create_task(client.ok("txt2img", LONG))
        await client.busy()
        waiting = asyncio.create_task(client.ok("txt2img", SMALL | {"n_iter": 2}))
        await client.get("sd-models")

        # When
        await client.post("interrupt")

        # Then
        partial, whole = await running, await waiting
    assert len(partial["images"]) < 50
    assert len(json.loads(partial["info"])["infotexts"]) == len(partial["images"])
    assert len(whole["images"]) == 2


async def test_an_interrupt_of_nothing_is_forgotten_but_shows_until_the_next_job(webui: Client) -> None:
    # When
    await webui.post("interrupt")
    shown = (await webui.state())["interrupted"]
    answer = await webui.ok("txt2img", SMALL | {"n_iter": 2})

    # Then
    assert shown
    assert len(answer["images"]) == 2
    assert not (await webui.state())["interrupted"]


async def test_skip_ends_one_batch_and_goes_on_with_the_next() -> None:
    # Given
    async with serve_simulator(SLOW) as client:
        running = asyncio.create_task(client.ok("txt2img", SMALL | {"steps": 150, "n_iter": 2}))
        await client.busy()

        # When
        await client.post("skip")
        await client.eventually(lambda state: bool(state["job_no"] == 1))
        await client.post("skip")

        # Then
        assert len((await running)["images"]) == 2


async def test_closing_the_connection_does_not_end_the_job() -> None:
    # Given
    async with serve_simulator(SLOW) as client:
        url = f"{client.base}/sdapi/v1/txt2img"

        # When
        with pytest.raises(TimeoutError):
            await client.session.post(url, json=LONG, timeout=ClientTimeout(total=0.2))

        # Then
        await client.busy()
        await client.post("interrupt")
        await client.eventually(lambda state: bool(state["job_count"] == 0))


@pytest.mark.parametrize(("path", "body"), [("options", {"sd_model_checkpoint": "beta"}), ("refresh-checkpoints", {})])
async def test_a_change_of_models_waits_until_nothing_runs(path: str, body: Any) -> None:
    # Given
    async with serve_simulator(SLOW) as client:
        job = asyncio.create_task(client.ok("txt2img", LONG))
        await client.busy()

        # When
        change = asyncio.create_task(client.ok(path, body))
        await client.eventually(lambda state: bool(state["job_no"] > 0))

        # Then
        assert not change.done()
        await client.post("interrupt")
        await asyncio.gather(job, change)


@pytest.mark.parametrize("alias", ["beta.safetensors", "beta"])
async def test_a_model_is_switched_by_its_names_and_its_title_gains_the_hash(webui: Client, alias: str) -> None:
    # When
    await webui.ok("options", {"sd_model_checkpoint": alias})

    # Then
    _, models = await webui.get("sd-models")
    beta = next(model for model in models if model["model_name"] == "beta")
    _, options = await webui.get("options")
    info = json.loads((await webui.ok("txt2img", SMALL))["info"])
    assert options["sd_model_checkpoint"] == alias, "the options show the name that was set last"
    assert options["sd_checkpoint_hash"] == beta["sha256"]
    assert beta["title"] == f"beta.safetensors [{beta['hash']}]"
    assert (info["sd_model_name"], info["sd_model_hash"]) == ("beta", beta["hash"])
    await webui.ok("options", {"sd_model_checkpoint": "alpha"})
    await webui.ok("options", {"sd_model_checkpoint": beta["hash"]})


async def test_override_settings_change_the_model_for_one_job(webui: Client) -> None:
    # When
    other = await webui.ok("txt2img", SMALL | {"override_settings": {"sd_model_checkpoint": "beta"}})
    usual = await webui.ok("txt2img", SMALL)
    unknown = await webui.ok("txt2img", SMALL | {"override_settings": {"sd_model_checkpoint": "nope"}})

    # Then
    assert [json.loads(answer["info"])["sd_model_name"] for answer in (other, usual, unknown)] == [
        "beta",
        "alpha",
        "alpha",
    ]


async def test_a_model_is_loaded_as_a_part_of_the_job_that_asks_for_it() -> None:
    # Given
    slow = Options(models=SLOW.models, seconds_per_step=0.05)
    async with serve_simulator(slow) as client:
        asked = SMALL | {"override_settings": {"sd_model_checkpoint": "beta"}}
        job = asyncio.create_task(client.ok("txt2img", asked))
        await client.eventually(lambda state: state["job_count"] != 0)

        # When it is interrupted before it has begun to sample
        _, loading = await client.get("progress")
        await client.post("interrupt")
        answer = await job

        # Then
        assert (loading["state"]["job_count"], loading["progress"]) == (-1, 0.01)
        assert answer["images"] == []


async def test_an_upscaling_that_fails_shows_as_running_until_another_job_has_run(webui: Client) -> None:
    # When
    image = (await webui.ok("txt2img", SMALL))["images"][0]
    status, _ = await webui.post("extra-single-image", {"image": image, "upscaler_1": "none such"})
    _, left = await webui.get("progress")
    await webui.ok("extra-single-image", {"image": image})

    # Then
    assert status == 500
    assert (left["state"]["job_count"], left["progress"]) == (1, 1.0)
    assert (await webui.state())["job_count"] == 0


async def test_an_image_too_large_for_the_gpu_is_out_of_memory(webui: Client) -> None:
    # When
    status, answer = await webui.post("txt2img", SMALL | {"width": 8192, "height": 8192})

    # Then
    assert (status, answer["error"]) == (500, "OutOfMemoryError")
    assert (await webui.state())["job_count"] == 0


@pytest.mark.parametrize("path", ["txt2img", "img2img", "extra-single-image", "extra-batch-images", "options"])
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"text"', b"[" * 5000])
async def test_a_body_that_is_no_object_is_refused(webui: Client, path: str, data: bytes) -> None:
    # When
    async with webui.session.post(f"{webui.base}/sdapi/v1/{path}", data=data) as response:
        answer = await response.json()

    # Then
    assert response.status == 422
    assert answer["detail"][0]["loc"] == ["body"]


async def test_the_api_is_not_there_before_the_start_is_over() -> None:
    # Given
    async with serve_simulator(Options(startup_seconds=0.5)) as client:
        # When
        status, answer = await client.get("sd-models")

        # Then
        assert (status, answer) == (404, {"detail": "Not Found"})
        async with asyncio.timeout(20):
            while (await client.get("sd-models"))[0] != 200:  # noqa: ASYNC110 - the condition is the server's to fulfil
                await asyncio.sleep(0.05)


async def test_the_page_says_that_it_is_simulated() -> None:
    # Given
    async with serve_simulator(Options(name="<anime>")) as client, client.session.get(client.base) as response:
        # When
        page = await response.text()

    # Then
    assert "Simulated SD WebUI: &lt;anime&gt;" in page


def test_an_unknown_flavour_is_refused() -> None:
    # When / Then
    with pytest.raises(ValueError, match="must be a1111 or forge, got 'nope'"):
        flavour_of("nope")
