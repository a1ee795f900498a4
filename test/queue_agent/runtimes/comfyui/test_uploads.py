"""What a task's links named is uploaded for the run, and for the run only."""

import re
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler
from PIL import Image

from contract.runtimes import RuntimeType
from queue_agent.errors import PermanentError
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.base import File, Path, Result, Runtime
from queue_agent.runtimes.comfyui.api import Api
from queue_agent.runtimes.comfyui.uploads import NAMES, Uploads
from test.support.runtimes import run_job
from utils.simulators.comfyui.disk import Folder

from .conftest import Comfy, error_of, flat, job, node, painting, read

LINK = "https://example.com/photos/photo.png"


def png_file(colour: tuple[int, int, int]) -> File:
    target = BytesIO()
    Image.new("RGB", (8, 8), colour).save(target, "PNG")
    return File(name="photo.png", media_type="image/png", data=target.getvalue())


def loading(class_type: str = "LoadImage", **inputs: Any) -> dict[str, Any]:
    return {
        "1": node(class_type, image=LINK, **inputs),
        "2": node("SaveImage", images=["1", 0], filename_prefix="loaded"),
    }


async def first_pixel(result: Result) -> Any:
    return Image.open(BytesIO(await read(result.outputs[0]))).convert("RGB").getpixel((0, 0))


async def test_the_file_behind_a_link_is_what_the_loader_loads(runtime: Runtime) -> None:
    # Given
    task = job(loading(), {("1", "inputs", "image"): png_file((10, 200, 30))})

    # When
    result = await run_job(runtime, task)

    # Then
    assert await first_pixel(result) == (10, 200, 30)
    assert task.content["1"]["inputs"]["image"] == LINK, "the task itself is left as it came"


async def test_any_loader_gets_its_file(runtime: Runtime) -> None:
    # Given
    workflow = loading("LoadImageMask", channel="green")
    workflow["3"] = node("MaskToImage", mask=["1", 0])
    workflow["2"]["inputs"]["images"] = ["3", 0]

    # When
    result = await run_job(runtime, job(workflow, {("1", "inputs", "image"): png_file((1, 77, 3))}))

    # Then
    assert await first_pixel(result) == (77, 77, 77)


async def test_a_file_of_a_wrapped_workflow_finds_its_place(runtime: Runtime) -> None:
    # Given
    content = {"prompt": loading(), "extra_data": {}, "client_id": "of a script"}

    # When
    result = await run_job(runtime, job(content, {("prompt", "1", "inputs", "image"): png_file((9, 8, 7))}))

    # Then
    assert await first_pixel(result) == (9, 8, 7)


async def test_two_files_of_one_name_are_kept_apart(runtime: Runtime) -> None:
    # Given
    workflow = {
        "1": node("LoadImage", image=LINK),
        "2": node("LoadImage", image=LINK),
        "3": node("SaveImage", images=["1", 0], filename_prefix="a"),
        "4": node("SaveImage", images=["2", 0], filename_prefix="b"),
    }
    files: dict[Path, File] = {
        ("1", "inputs", "image"): png_file((1, 1, 1)),
        ("2", "inputs", "image"): png_file((2, 2, 2)),
    }

    # When
    result = await run_job(runtime, job(workflow, files))

    # Then
    colours = [Image.open(BytesIO(await read(output))).convert("RGB").getpixel((0, 0)) for output in result.outputs]
    assert colours == [(1, 1, 1), (2, 2, 2)]


async def test_the_next_task_never_gets_an_earlier_ones_image(runtime: Runtime) -> None:
    # Given
    path = ("1", "inputs", "image")
    await run_job(runtime, job(loading(), {path: png_file((1, 1, 1))}))

    # When
    result = await run_job(runtime, job(loading(), {path: png_file((2, 2, 2))}))

    # Then
    assert await first_pixel(result) == (2, 2, 2)


@pytest.mark.parametrize("fails", [False, True])
async def test_an_uploaded_file_lies_in_the_temp_folder_and_is_emptied_after_the_run(
    fails: bool, runtime: Runtime, comfy: Comfy
) -> None:
    # Given
    given: list[str] = []

    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/prompt":
            given.append((await request.json())["prompt"]["1"]["inputs"]["image"])
        return await handler(request)

    comfy.tamper = note
    file = File("photo.png", "image/png", b"this is no picture") if fails else png_file((1, 2, 3))
    task = job(loading(), {("1", "inputs", "image"): file})

    # When
    if fails:
        with pytest.raises(PermanentError, match="cannot identify image file"):
            await run_job(runtime, task)
    else:
        await run_job(runtime, task)

    # Then
    name = given[0].removesuffix(" [temp]")
    assert re.fullmatch(r"queue-agent-\d{3}\.png", name)
    assert comfy.sizes(Folder.TEMP) == {name: 0}
    assert comfy.sizes(Folder.INPUT).keys() == {"example.png"}


async def test_equal_files_are_uploaded_once(runtime: Runtime, comfy: Comfy) -> None:
    # Given
    workflow = {str(number): node("LoadImage", image=LINK) for number in range(1, 17)}
    workflow |= {f"1{number:02}": node("PreviewImage", images=[str(number), 0]) for number in range(1, 17)}
    files: dict[Path, File] = {
        (str(number), "inputs", "image"): png_file((1, 1, 1) if number < 16 else (2, 2, 2)) for number in range(1, 17)
    }

    # When
    result = await run_job(runtime, job(workflow, files))

    # Then
    assert await first_pixel(result) == (1, 1, 1)
    assert comfy.calls.count("POST /upload/image") == 4, "two distinct files, each given and emptied"


async def test_fifty_tasks_and_killed_agents_leave_a_few_empty_files(comfy: Comfy, session: ClientSession) -> None:
    # Given
    path = ("1", "inputs", "image")
    for number in range(50):
        async with open_runtime(RuntimeType.COMFYUI, comfy.url, session) as runtime:
            task = job(loading(), {path: png_file((number, 0, 0))})
            if number % 5:
                result = await run_job(runtime, task)
                await result.discard()
                continue
            # a killed agent cleans nothing up
            uploads = Uploads(Api(comfy.url, session, "queue-agent-killed"))
            await uploads.give(task.files[path])

    # When
    async with open_runtime(RuntimeType.COMFYUI, comfy.url, session) as runtime:
        result = await run_job(runtime, job(loading(), {path: png_file((1, 1, 1))}))
        await result.discard()

    # Then
    assert len(comfy.sizes(Folder.TEMP)) <= NAMES
    assert not any(comfy.sizes(Folder.TEMP).values())
    assert not any(comfy.sizes(Folder.OUTPUT).values())
    assert comfy.sizes(Folder.INPUT).keys() == {"example.png"}


async def test_what_comfyui_calls_the_file_is_what_the_loader_gets(runtime: Runtime, comfy: Comfy) -> None:
    # Given
    async def rename(request: web.Request, handler: Handler) -> web.StreamResponse:
        await handler(request)
        return web.json_response({"name": "example.png", "subfolder": "", "type": "input"})

    async def tamper(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await (rename(request, handler) if request.path == "/upload/image" else handler(request))

    comfy.tamper = tamper

    # When
    result = await run_job(runtime, job(loading(), {("1", "inputs", "image"): png_file((1, 1, 1))}))

    # Then
    assert Image.open(BytesIO(await read(result.outputs[0]))).size == (512, 512), "the example's size"


async def test_a_file_that_is_too_large_for_comfyui_is_the_callers_fault(runtime: Runtime, comfy: Comfy) -> None:
    # Given
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.Response(status=413) if request.path == "/upload/image" else await handler(request)

    comfy.tamper = refuse

    # When
    with pytest.raises(PermanentError) as caught:
        await run_job(runtime, job(loading(), {("1", "inputs", "image"): png_file((1, 1, 1))}))

    # Then
    assert "the file queue-agent-" in caught.value.message
    assert "--max-upload-size" in caught.value.message


async def test_a_runtime_that_does_not_let_its_files_be_emptied_does_not_spoil_the_result(
    runtime: Runtime, comfy: Comfy
) -> None:
    # Given
    async def once(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/upload/image" and comfy.calls.count("POST /upload/image") > 1:
            return web.Response(status=500)
        return await handler(request)

    comfy.tamper = once

    # When
    result = await run_job(runtime, job(loading(), {("1", "inputs", "image"): png_file((5, 5, 5))}))

    # Then
    assert await first_pixel(result) == (5, 5, 5)


async def test_an_image_to_image_workflow_starts_from_the_file(runtime: Runtime) -> None:
    # Given
    workflow = painting() | {
        "8": node("LoadImage", image=LINK),
        "4": node("VAEEncode", pixels=["8", 0], vae=["1", 2]),
    }
    workflow["5"]["inputs"]["denoise"] = 0.0

    # When
    result = await run_job(runtime, job(workflow, {("8", "inputs", "image"): png_file((40, 50, 60))}))

    # Then
    assert await first_pixel(result) == (40, 50, 60)


async def test_a_missing_file_is_told_with_its_node(runtime: Runtime) -> None:
    # When
    fault = await error_of(runtime, flat() | {"1": node("LoadImage", "The photo", image="gone.png")})

    # Then
    assert fault.message == (
        'ComfyUI refused the workflow: node 1 (LoadImage "The photo"), field image: '
        "Custom validation failed for node (Invalid image file: gone.png)"
    )
