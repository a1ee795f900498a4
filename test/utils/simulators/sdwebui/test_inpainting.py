"""Masks of the simulated WebUI: which sizes they may have, which size comes back, and which masks are refused."""

from base64 import b64decode
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageChops

from test.support.sdwebui import Client
from utils.simulators.sdwebui.drawing import encode

WHITE = Image.new("RGB", (128, 96), "white")
BODY: dict[str, Any] = {"prompt": "a lighthouse", "seed": 7, "steps": 2, "denoising_strength": 1}
BODY |= {"init_images": [encode(WHITE)], "width": 64, "height": 32}


def _mask(*box: int, size: tuple[int, int] = WHITE.size) -> str:
    mask = Image.new("L", size)
    if box:
        mask.paste(255, (box[0], box[1], box[2], box[3]))
    return encode(mask)


def _image(answer: dict[str, Any]) -> Image.Image:
    with Image.open(BytesIO(b64decode(answer["images"][0]))) as image:
        return image.convert("RGB")


def _changed(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The box around all that is not white."""
    return ImageChops.invert(image).getbbox()


async def test_the_masked_region_is_put_back_into_the_image_whose_size_stays(webui: Client) -> None:
    # When
    image = _image(await webui.ok("img2img", BODY | {"mask": _mask(64, 48, 96, 64)}))

    # Then
    assert image.size == (128, 96)
    left, top, right, bottom = _changed(image) or (0, 0, 0, 0)
    assert (64, 48) <= (left, top) < (right, bottom) <= (96, 64)


async def test_padding_widens_the_region_that_is_drawn_and_not_what_changes(webui: Client) -> None:
    # Given
    body = BODY | {"mask": _mask(64, 48, 96, 64)}

    # When
    narrow = _image(await webui.ok("img2img", body))
    padded = _image(await webui.ok("img2img", body | {"inpaint_full_res_padding": 32}))

    # Then
    assert narrow.tobytes() != padded.tobytes()
    left, top, right, bottom = _changed(padded) or (0, 0, 0, 0)
    assert (64, 48) <= (left, top) < (right, bottom) <= (96, 64)


@pytest.mark.parametrize("mask_size", [(128, 96), (32, 24), (500, 500)])
async def test_of_the_whole_image_the_asked_size_comes_back_whatever_the_masks_size(
    webui: Client, mask_size: tuple[int, int]
) -> None:
    # Given
    mask = _mask(0, 0, mask_size[0] // 2, mask_size[1], size=mask_size)

    # When
    image = _image(await webui.ok("img2img", BODY | {"mask": mask, "inpaint_full_res": False}))

    # Then
    assert image.size == (64, 32)
    assert _changed(image.crop((40, 0, 64, 32))) is None
    assert _changed(image.crop((0, 0, 24, 32)))


@pytest.mark.parametrize(
    ("mask", "text"),
    [(_mask(0, 0, 32, 32, size=(64, 64)), "images do not match"), (_mask(), "Coordinate 'right' is less than 'left'")],
    ids=["another size", "nothing masked"],
)
async def test_a_mask_whose_region_is_none_of_the_image_fails_before_anything_is_sampled(
    webui: Client, mask: str, text: str
) -> None:
    # When
    status, answer = await webui.post("img2img", BODY | {"mask": mask})

    # Then
    assert (status, answer["error"], answer["errors"]) == (500, "ValueError", text)
    assert (await webui.state())["sampling_steps"] == 0


async def test_a_mask_that_is_no_image_is_refused_before_the_sampler_is_looked_at(webui: Client) -> None:
    # When
    status, answer = await webui.post("img2img", BODY | {"mask": "bm8gaW1hZ2U=", "sampler_name": "nope"})

    # Then
    assert (status, answer["error"], answer["detail"]) == (500, "HTTPException", "Invalid encoded image")
    assert (await webui.state())["job_timestamp"] == "0", "no job began"


@pytest.mark.parametrize(("invert", "changed"), [(0, (0, 0, 32, 32)), (1, (32, 0, 64, 32))])
async def test_where_a_mask_has_transparency_that_is_the_mask_and_it_may_be_inverted(
    webui: Client, invert: int, changed: tuple[int, int, int, int]
) -> None:
    # Given
    mask = Image.new("RGBA", WHITE.size, (0, 0, 0, 0))
    mask.paste((0, 0, 0, 200), (0, 0, 64, 96))
    body = BODY | {"mask": encode(mask), "inpaint_full_res": False, "inpainting_mask_invert": invert}

    # When
    image = _image(await webui.ok("img2img", body))

    # Then
    left, _, right, _ = _changed(image) or (0, 0, 0, 0)
    assert changed[0] - 4 <= left < right <= changed[2] + 4
