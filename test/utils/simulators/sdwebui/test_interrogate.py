"""Captions of the simulated WebUI: a job of their own that waits its turn, and what is refused."""

import asyncio
from typing import Any

import pytest

from test.support.sdwebui import Client, serve_simulator
from utils.simulators.base import Options
from utils.simulators.drawing import draw
from utils.simulators.sdwebui.drawing import encode

IMAGE = encode(draw("a lighthouse", 1, 96, 64, label="x"))
LONG: dict[str, Any] = {"prompt": "a lighthouse", "steps": 150, "n_iter": 50, "width": 64, "height": 64}


@pytest.mark.parametrize(("body", "start"), [({}, "a drawing, wide"), ({"model": "deepdanbooru"}, "wide, 96x64")])
async def test_an_image_gets_a_caption_of_the_model_that_is_asked(
    webui: Client, body: dict[str, str], start: str
) -> None:
    # When
    answer = await webui.ok("interrogate", {"image": IMAGE} | body)

    # Then
    assert list(answer) == ["caption"]
    assert answer["caption"].startswith(start)


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"image": IMAGE, "model": "blip"}, 404, "Model not found"),
        ({"image": IMAGE, "model": ""}, 404, "Model not found"),
        ({}, 500, "Invalid encoded image"),
        ({"image": "bm8gaW1hZ2U="}, 500, "Invalid encoded image"),
        ({"image": "https://example.com/cat.png"}, 500, "Requests not allowed"),
    ],
)
async def test_what_cannot_be_captioned_is_refused(
    webui: Client, body: dict[str, str], status: int, detail: str
) -> None:
    # When
    answer = await webui.post("interrogate", body)

    # Then
    assert answer[0] == status
    assert answer[1]["detail"] == detail
    assert (await webui.state())["job_count"] == 0


async def test_an_image_that_is_null_does_not_fit(webui: Client) -> None:
    # When
    status, answer = await webui.post("interrogate", {"image": None})

    # Then
    assert status == 422
    assert answer["detail"][0]["loc"] == ["body", "image"]


async def test_a_caption_waits_its_turn_and_shows_as_a_job_that_runs() -> None:
    # Given
    async with serve_simulator(Options(seconds_per_step=0.2)) as client:
        job = asyncio.create_task(client.ok("txt2img", LONG))
        await client.busy()

        # When
        caption = asyncio.create_task(client.ok("interrogate", {"image": IMAGE}))
        await client.eventually(lambda state: bool(state["sampling_step"] > 2))
        waited = not caption.done()
        await client.post("interrupt")

        # Then
        assert waited
        await client.eventually(lambda state: (state["job"], state["job_count"]) == ("interrogate", -1))
        assert (await caption)["caption"]
        await job
