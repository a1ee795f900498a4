"""Outputs of every kind, whole, once, and in the order of the nodes."""

import json
import re
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from queue_agent.errors import RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import Runtime
from queue_agent.runtimes.comfyui.workflow import in_node_order
from test.support.runtimes import is_ready, run_job

from .conftest import Comfy, flat, job, keys, node, painting, read


async def test_outputs_of_every_kind_arrive_by_node_number_and_as_each_node_lists_them(runtime: Runtime) -> None:
    # Given
    kinds = "gifs,videos,audio,files,images"
    webp: dict[str, Any] = {"fps": 8, "lossless": True, "quality": 80, "method": "default"}
    workflow = {
        "10": node("SaveAudio", audio=["9", 0], filename_prefix="sound"),
        "9": node("EmptyAudio", duration=0.1),
        "2": node("SimulatedOutputs", images=["1", 0], filename_prefix="all", kinds=kinds, size=10),
        "1": node("EmptyImage", width=16, height=16, batch_size=2, color=255),
        "3": node("SaveAnimatedWEBP", images=["1", 0], filename_prefix="moving", **webp),
    }

    # When
    result = await run_job(runtime, job(workflow))

    # Then
    extensions = [output.extension for output in result.outputs]
    assert extensions == ["gif", "mp4", "wav", "json", "png", "png", "webp", "wav"]
    heads = [(await read(output))[:12] for output in result.outputs]
    assert [head[:4] for head in heads] == [
        b"GIF8",
        heads[1][:4],
        b"RIFF",
        b'{"si',
        b"\x89PNG",
        b"\x89PNG",
        b"RIFF",
        b"RIFF",
    ]
    assert heads[1][4:8] == b"ftyp"


def test_nodes_are_in_the_order_of_their_numbers_also_inside_groups() -> None:
    ordered = ["2", "9", "10", "10:2", "10:11", "11.0.0.9", "11.0.0.10", "final", "first"]
    assert sorted(set(ordered), key=in_node_order) == ordered


async def test_nothing_of_a_node_with_two_kinds_of_output_is_lost(runtime: Runtime) -> None:
    # Given
    saver = node("SimulatedOutputs", images=["1", 0], filename_prefix="both", kinds="images,videos", size=10)

    # When
    result = await run_job(runtime, job(flat(**saver)))

    # Then
    assert [output.extension for output in result.outputs] == ["png", "mp4"]


async def test_previews_are_left_out_where_something_was_saved(runtime: Runtime) -> None:
    # Given
    workflow = flat() | {"0": node("PreviewImage", images=["1", 0])}

    # When
    result = await run_job(runtime, job(workflow))

    # Then
    assert len(result.outputs) == 1
    answer = result.answer(keys(result))
    assert answer["outputs"]["2"]["images"][0]["url"] == keys(result)[0]
    assert "url" not in answer["outputs"]["0"]["images"][0]


async def test_previews_are_delivered_where_nothing_else_is(runtime: Runtime) -> None:
    # When
    result = await run_job(runtime, job(flat(**node("PreviewImage", images=["1", 0]))))

    # Then
    assert len(result.outputs) == 1
    assert (await read(result.outputs[0])).startswith(b"\x89PNG")


async def test_an_animation_that_is_not_to_be_saved_is_a_preview(runtime: Runtime) -> None:
    # Given
    workflow = flat() | {
        "3": node(
            "VHS_VideoCombine",
            images=["1", 0],
            filename_prefix="v",
            frame_rate=8,
            format="image/gif",
            save_output=False,
        )
    }

    # When
    result = await run_job(runtime, job(workflow))

    # Then
    assert [output.extension for output in result.outputs] == ["png"]


async def test_a_workflow_that_gives_only_text_succeeds_and_the_text_is_in_the_answer(runtime: Runtime) -> None:
    # Given
    saver = node("SimulatedOutputs", images=["1", 0], filename_prefix="x", kinds="a caption", size=0)

    # When
    result = await run_job(runtime, job(flat(**saver)))

    # Then
    assert not result.outputs
    assert "a caption" in json.dumps(result.answer([]))


async def test_the_answer_is_the_history_record_with_places_and_without_credentials(runtime: Runtime) -> None:
    # Given
    content = {"prompt": flat(), "extra_data": {"api_key_comfy_org": "hush", "extra_pnginfo": {"kept": 1}}}

    # When
    result = await run_job(runtime, job(content))
    answer = result.answer(keys(result))

    # Then
    assert answer["status"]["status_str"] == "success"
    assert answer["prompt"][2] == flat()
    assert answer["prompt"][3]["extra_pnginfo"] == {"kept": 1}
    assert answer["outputs"]["2"]["images"][0]["filename"] == "flat_00001_.png"
    assert answer["outputs"]["2"]["images"][0]["url"] == "s3://bucket/task-1"
    assert "hush" not in json.dumps(answer)


async def test_what_ran_is_told(runtime: Runtime) -> None:
    # Given
    workflow = painting(seed=42) | {"20": node("KSampler", **(painting()["5"]["inputs"] | {"seed": 5}))}
    await is_ready(runtime)

    # When
    result = await run_job(runtime, job(workflow))

    # Then
    assert result.ran.runtime == "comfyui"
    assert result.ran.version == "0.3.64+simulated"
    assert result.ran.model == "v1-5-pruned-emaonly.safetensors"
    assert result.ran.seeds == (42, 5)


async def test_each_file_is_fetched_once_and_a_large_one_in_small_pieces(comfy: Comfy, runtime: Runtime) -> None:
    # Given
    size = 8 * 1024 * 1024
    saver = node("SimulatedOutputs", images=["1", 0], filename_prefix="big", kinds="videos", size=size)
    result = await run_job(runtime, job(flat(**saver)))

    # When
    pieces = [len(piece) async for piece in result.outputs[0].read()]

    # Then
    assert sum(pieces) > size
    assert max(pieces) <= 256 * 1024
    assert comfy.calls.count("GET /view") == 1


async def test_a_file_that_a_node_lists_twice_is_one_output(comfy: Comfy, runtime: Runtime) -> None:
    # Given
    async def doubled(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if request.path.startswith("/history/") and isinstance(answer, web.Response) and answer.text != "{}":
            (record,) = (history := json.loads(answer.text or "")).values()
            record["outputs"]["2"]["gifs"] = record["outputs"]["2"]["images"]
            return web.json_response(history)
        return answer

    comfy.tamper = doubled

    # When
    result = await run_job(runtime, job(flat()))

    # Then
    assert len(result.outputs) == 1
    entries = result.answer(keys(result))["outputs"]["2"]
    assert entries["images"][0]["url"] == entries["gifs"][0]["url"] == keys(result)[0]


async def test_a_file_that_is_missing_or_empty_raises_and_is_never_delivered_as_nothing(
    comfy: Comfy, runtime: Runtime
) -> None:
    # Given
    saver = node("SimulatedOutputs", images=["1", 0], filename_prefix="x", kinds="nothing,files", size=0)
    result = await run_job(runtime, job(flat(**saver)))
    empty, full = result.outputs

    # When
    with pytest.raises(RuntimeFault, match="is empty"):
        await read(empty)
    await comfy.stop()
    with pytest.raises(RuntimeUnavailable, match="cannot be reached"):
        await read(full)
    await comfy.start()
    with pytest.raises(RuntimeFault) as missing:
        await read(full)

    # Then
    assert re.fullmatch(r"ComfyUI answered 404 for its file x-[0-9a-f]{16}_\d+_\.json", missing.value.message)


async def test_a_file_that_breaks_off_raises(comfy: Comfy, runtime: Runtime) -> None:
    # Given
    async def cut(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != "/view":
            return await handler(request)
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b"only this")
        assert request.transport is not None
        request.transport.close()
        return answer

    comfy.tamper = cut
    result = await run_job(runtime, job(flat()))

    # When
    with pytest.raises(RuntimeUnavailable) as caught:
        await read(result.outputs[0])

    # Then
    assert "GET /view" in caught.value.message
