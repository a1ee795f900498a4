"""The PyPI client ``webuiapi``, unmodified, works with the simulated WebUI."""

import asyncio

import pytest
import webuiapi
from PIL import Image
from yarl import URL

from test.support.sdwebui import Client
from utils.simulators.drawing import draw


@pytest.fixture
async def api(webui: Client) -> webuiapi.WebUIApi:
    url = URL(webui.base)
    return await asyncio.to_thread(webuiapi.WebUIApi, host=url.host, port=url.port, sampler="Euler a", steps=2)


async def test_it_generates_from_text_and_from_an_image(api: webuiapi.WebUIApi) -> None:
    # When
    made = await asyncio.to_thread(api.txt2img, prompt="a lighthouse", seed=7, width=64, height=64, batch_size=2)
    changed = await asyncio.to_thread(api.img2img, images=[made.image], prompt="at night", width=64, height=64)

    # Then
    assert [drawn.size for drawn in made.images] == [(64, 64), (64, 64)]
    assert made.info["all_seeds"] == [7, 8]
    assert made.parameters["prompt"] == "a lighthouse"
    assert changed.image.size == (64, 64)


async def test_it_sends_controlnet_units(api: webuiapi.WebUIApi) -> None:
    # Given
    unit = webuiapi.ControlNetUnit(image=draw("pose", 1, 64, 64, label="x"), module="canny")

    # When
    made = await asyncio.to_thread(api.txt2img, prompt="a dancer", width=64, height=64, controlnet_units=[unit])

    # Then
    assert len(made.images) == 2


async def test_it_upscales_one_image_and_many(api: webuiapi.WebUIApi) -> None:
    # Given
    drawn = draw("small", 1, 32, 32, label="x")

    # When
    single = await asyncio.to_thread(
        api.extra_single_image, drawn, upscaler_1=webuiapi.Upscaler.Lanczos, upscaling_resize=2
    )
    batch = await asyncio.to_thread(
        api.extra_batch_images, [drawn, drawn], upscaler_1=webuiapi.Upscaler.Nearest, upscaling_resize=4
    )

    # Then
    assert single.image.size == (64, 64)
    assert [made.size for made in batch.images] == [(128, 128), (128, 128)]
    assert "Lanczos" in single.info


async def test_it_switches_models_and_reads_what_there_is(api: webuiapi.WebUIApi) -> None:
    # When
    await asyncio.to_thread(api.util_set_model, "beta")

    # Then
    assert "beta" in await asyncio.to_thread(api.util_get_current_model)
    assert len(await asyncio.to_thread(api.util_get_model_names)) == 2
    assert "Euler a" in await asyncio.to_thread(api.util_get_sampler_names)
    assert await asyncio.to_thread(api.refresh_checkpoints) is None
    readers = (
        *(api.get_options, api.get_cmd_flags, api.get_upscalers, api.get_latent_upscale_modes, api.get_sd_vae),
        *(api.get_hypernetworks, api.get_loras, api.get_face_restorers, api.get_realesrgan_models),
        *(api.get_prompt_styles, api.get_embeddings, api.get_scripts, api.get_memory),
    )
    for read in readers:
        assert "detail" not in await asyncio.to_thread(read), read.__name__


async def test_it_waits_interrupts_skips_and_reads_an_images_parameters(api: webuiapi.WebUIApi) -> None:
    # Given
    made = await asyncio.to_thread(api.txt2img, prompt="a lighthouse", width=64, height=64)

    # When
    await asyncio.to_thread(api.util_wait_for_ready)
    interrupted = await asyncio.to_thread(api.interrupt)
    skipped = await asyncio.to_thread(api.skip)
    read = await asyncio.to_thread(api.png_info, made.image)

    # Then
    assert interrupted == {}
    assert skipped is None
    assert isinstance(made.image, Image.Image)
    assert read.info.startswith("a lighthouse\nSteps: 2")
