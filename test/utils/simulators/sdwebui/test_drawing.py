"""The simulated WebUI's images are real: of the asked number and size, from the given image, really scaled."""

import base64
import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageChops

from test.support.sdwebui import Client
from utils.simulators.drawing import draw
from utils.simulators.sdwebui.drawing import encode

SMALL: dict[str, Any] = {"prompt": "a lighthouse", "seed": 7, "steps": 2, "width": 64, "height": 64}


def _image(encoded: str) -> Image.Image:
    with Image.open(BytesIO(base64.b64decode(encoded))) as image:
        image.load()
        return image


def _same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getbbox() is None


async def test_batches_give_as_many_images_as_asked_with_following_seeds(webui: Client) -> None:
    # When
    answer = await webui.ok("txt2img", SMALL | {"batch_size": 2, "n_iter": 3})

    # Then
    info = json.loads(answer["info"])
    assert len(set(answer["images"])) == 6
    assert info["all_seeds"] == [7, 8, 9, 10, 11, 12]
    assert info["index_of_first_image"] == 0


async def test_an_image_follows_from_prompt_and_seed_and_carries_its_parameters(webui: Client) -> None:
    # When
    first = await webui.ok("txt2img", SMALL)
    second = await webui.ok("txt2img", SMALL)
    other = await webui.ok("txt2img", SMALL | {"seed": 8})

    # Then
    assert first["images"] == second["images"]
    assert first["images"] != other["images"]
    assert _image(first["images"][0]).info["parameters"] == json.loads(first["info"])["infotexts"][0]


async def test_a_random_seed_is_told(webui: Client) -> None:
    # When
    answer = await webui.ok("txt2img", SMALL | {"seed": -1})

    # Then
    info = json.loads(answer["info"])
    again = await webui.ok("txt2img", SMALL | {"seed": info["seed"]})
    assert _same(_image(again["images"][0]), _image(answer["images"][0]))


async def test_saved_images_come_with_a_grid_in_front(webui: Client) -> None:
    # When
    answer = await webui.ok("txt2img", SMALL | {"batch_size": 4, "save_images": True})

    # Then
    assert json.loads(answer["info"])["index_of_first_image"] == 1
    sizes = [_image(image).size for image in answer["images"]]
    assert sizes == [(128, 128), (64, 64), (64, 64), (64, 64), (64, 64)]


async def test_hires_fix_gives_the_larger_image(webui: Client) -> None:
    # When
    answer = await webui.ok("txt2img", SMALL | {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.5})

    # Then
    assert _image(answer["images"][0]).size == (96, 96)


async def test_img2img_starts_from_the_given_image(webui: Client) -> None:
    # Given
    start = draw("start", 1, 64, 64, label="start")
    body = SMALL | {"init_images": [encode(start)]}

    # When
    untouched = await webui.ok("img2img", body | {"denoising_strength": 0})
    changed = await webui.ok("img2img", body | {"denoising_strength": 0.5})

    # Then
    assert _same(_image(untouched["images"][0]), start)
    assert not _same(_image(changed["images"][0]), start)


@pytest.mark.parametrize(("resize_mode", "corner_is_black"), [(1, False), (2, True)])
async def test_img2img_crops_or_pads_an_image_of_another_shape(
    webui: Client, resize_mode: int, corner_is_black: bool
) -> None:
    # Given
    body = SMALL | {"init_images": [encode(Image.new("RGB", (64, 32), "white"))], "denoising_strength": 0}

    # When
    answer = await webui.ok("img2img", body | {"resize_mode": resize_mode})

    # Then
    assert (_image(answer["images"][0]).getpixel((0, 0)) == (0, 0, 0)) is corner_is_black


async def test_a_mask_keeps_the_rest_of_the_image(webui: Client) -> None:
    # Given
    start = draw("start", 1, 64, 64, label="start")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    body = SMALL | {"init_images": [encode(start)], "mask": encode(mask), "denoising_strength": 1}

    # When
    answer = await webui.ok("img2img", body)

    # Then
    image, right = _image(answer["images"][0]), (32, 0, 64, 64)
    assert _same(image.crop(right), start.crop(right))
    assert not _same(image, start)


@pytest.mark.parametrize(
    ("upscaler", "method"), [("Nearest", Image.Resampling.NEAREST), ("Lanczos", Image.Resampling.LANCZOS)]
)
async def test_nearest_and_lanczos_really_scale(webui: Client, upscaler: str, method: Image.Resampling) -> None:
    # Given
    image = draw("small", 1, 40, 24, label="x")

    # When
    answer = await webui.ok(
        "extra-single-image", {"image": encode(image), "upscaler_1": upscaler, "upscaling_resize": 3}
    )

    # Then
    assert _same(_image(answer["image"]), image.resize((120, 72), method))


async def test_upscaling_to_a_size_gives_that_size(webui: Client) -> None:
    # Given
    body = {"upscaler_1": "R-ESRGAN 4x+", "resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 50}
    images = [{"data": encode(draw("small", seed, 40, 24, label="x")), "name": str(seed)} for seed in (1, 2)]

    # When
    answer = await webui.ok("extra-batch-images", body | {"imageList": images})

    # Then
    assert [_image(image).size for image in answer["images"]] == [(100, 50), (100, 50)]
    assert "to: 100x50" in answer["html_info"]


async def test_a_size_without_cropping_keeps_the_shape_and_two_upscalers_blend(webui: Client) -> None:
    # Given
    image = encode(draw("small", 1, 40, 20, label="x"))
    size = {"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 100, "upscaling_crop": False}
    nearest = {"image": image, "upscaler_1": "Nearest", **size}

    # When
    one = await webui.ok("extra-single-image", nearest)
    blended = await webui.ok(
        "extra-single-image", nearest | {"upscaler_2": "Lanczos", "extras_upscaler_2_visibility": 0.5}
    )
    none = await webui.ok("extra-single-image", {"image": image})

    # Then
    assert _image(one["image"]).size == _image(blended["image"]).size == (100, 50)
    assert not _same(_image(one["image"]), _image(blended["image"]))
    assert none["html_info"] == "<p></p>"


async def test_controlnet_maps_come_after_the_images(webui: Client) -> None:
    # Given
    unit = {"module": "canny", "image": encode(draw("pose", 1, 64, 64, label="x"))}
    scripts = {"ControlNet": {"args": [unit, unit | {"enabled": False}, unit]}}

    # When
    answer = await webui.ok("txt2img", SMALL | {"batch_size": 2, "alwayson_scripts": scripts})

    # Then
    assert len(answer["images"]) == 4
    assert answer["images"][2] == answer["images"][3]
    assert len(json.loads(answer["info"])["infotexts"]) == 2
