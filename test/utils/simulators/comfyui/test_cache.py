"""What the simulated ComfyUI repeats from its cache, with --cache-lru and without, and what it does not look at."""

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from utils.simulators.base import Options
from utils.simulators.comfyui.cache import OutputCache
from utils.simulators.comfyui.disk import Folder
from utils.simulators.comfyui.node import Produced

from .conftest import Comfy, serve_comfy

RED, BLUE = 0xFF0000, 0x0000FF


def flat(color: int) -> dict[str, Any]:
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": color},
        },
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "flat"}},
    }


@pytest.fixture
async def lru() -> AsyncIterator[Comfy]:
    async with serve_comfy(Options(seconds_per_step=0.0, cache_lru=10)) as comfy:
        yield comfy


async def entry_of(comfy: Comfy, color: int) -> dict[str, Any]:
    (entry,) = (await comfy.run(flat(color)))["outputs"]["2"]["images"]
    return dict(entry)


async def pixel(comfy: Comfy, entry: dict[str, Any]) -> Any:
    return Image.open(BytesIO(await comfy.view(entry))).getpixel((0, 0))


def sweep(comfy: Comfy) -> None:
    for place in comfy.disk.places(Folder.OUTPUT):
        comfy.disk.remove(place)


async def test_with_cache_lru_a_repeated_graph_names_the_file_that_another_graph_has_written_since(lru: Comfy) -> None:
    # Given
    blue = await entry_of(lru, BLUE)
    sweep(lru)
    red = await entry_of(lru, RED)

    # When
    again = await entry_of(lru, BLUE)

    # Then
    assert blue == red == again
    assert await pixel(lru, again) == (255, 0, 0), "another graph's image, as success"


async def test_without_cache_lru_another_graph_in_between_drops_the_result(comfy: Comfy) -> None:
    # Given
    await entry_of(comfy, BLUE)
    sweep(comfy)
    await entry_of(comfy, RED)

    # When
    again = await entry_of(comfy, BLUE)

    # Then
    assert await pixel(comfy, again) == (0, 0, 255)


@pytest.mark.parametrize("cache_lru", [0, 10])
async def test_a_repeated_graph_whose_file_is_gone_is_a_success_that_names_it(cache_lru: int) -> None:
    # Given
    async with serve_comfy(Options(seconds_per_step=0.0, cache_lru=cache_lru)) as comfy:
        await entry_of(comfy, BLUE)
        sweep(comfy)

        # When
        again = await entry_of(comfy, BLUE)

        # Then
        async with comfy.session.get(comfy.url + "/view", params=again) as answer:
            assert answer.status == 404


async def test_free_empties_the_cache(lru: Comfy) -> None:
    # Given
    first = await entry_of(lru, BLUE)

    # When
    await lru.post("/free", {"free_memory": True})
    again = await entry_of(lru, BLUE)

    # Then
    assert first["filename"] != again["filename"]


def test_the_prompt_that_was_used_longest_ago_is_dropped_as_a_whole_and_never_what_is_needed_now() -> None:
    # Given
    cache = OutputCache(lru_size=4)
    for prompt in ("ab", "cd", "ef"):
        cache.begin(prompt)
        cache.keep({sign: Produced((sign,)) for sign in prompt})

    # When
    kept = cache.begin("a")

    # Then
    assert set(kept) == {"a"}
    assert set(cache.begin("abcdef")) == {"a", "e", "f"}
