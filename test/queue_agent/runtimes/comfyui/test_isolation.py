"""No task reads what another wrote, and none is given it."""

import pytest

from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.base import File, Runtime
from test.support.runtimes import run_job
from utils.simulators.comfyui.disk import Folder

from .conftest import Comfy, error_of, flat, job, keys, node, pixels, read


def loading(name: str, field: str = "image") -> dict[str, object]:
    return {
        "1": node("LoadImage", "The photo", **{field: name}),
        "2": node("SaveImage", images=["1", 0], filename_prefix="loaded"),
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ComfyUI_00001_.png [output]", "all tasks share"),
        ("a.png[temp]", "all tasks share"),
        ("a.png [input] ", "all tasks share"),
        ("/etc/ssl/cert.pem", "absolute"),
        ("/my folder/a.png", "absolute"),
        ("C:\\a.png", "absolute"),
        ("\\\\host\\share\\a.png", "absolute"),
        ("../output/a.png", "leads out"),
        ("a/../../b.png", "leads out"),
        ("..\\a.png", "leads out"),
        ("..", "leads out"),
    ],
)
async def test_a_name_outside_the_input_folder_is_refused(
    name: str, reason: str, runtime: Runtime, comfy: Comfy
) -> None:
    # When
    fault = await error_of(runtime, loading(name))

    # Then
    assert isinstance(fault, PermanentError)
    assert 'node 1 (LoadImage "The photo"), field image' in fault.message
    assert reason in fault.message
    assert "POST /prompt" not in comfy.calls


async def test_a_name_inside_another_value_is_refused_too(runtime: Runtime) -> None:
    # When
    fault = await error_of(runtime, flat() | {"9": node("Any", files={"list": ["ok.png", "a.png [output]"]})})

    # Then
    assert "node 9 (Any), field files" in fault.message


@pytest.mark.parametrize(
    "text", ["/imagine a cat. and a dog", "wait ... what", "a/b.png", "50/50", "[output] of a machine", "..a\n../b"]
)
async def test_text_is_no_path(text: str, runtime: Runtime) -> None:
    # When
    prepared = await runtime.prepare(job(flat() | {"9": node("CLIPTextEncode", text=text)}))

    # Then
    assert prepared.job.content["9"]["inputs"]["text"] == text


async def test_no_two_runs_save_under_one_name_and_the_caller_sees_its_own(runtime: Runtime, comfy: Comfy) -> None:
    # When
    results = [await run_job(runtime, job(flat())) for _ in range(3)]

    # Then
    assert len(comfy.sizes(Folder.OUTPUT)) == 3
    assert all(name.startswith("flat-") for name in comfy.sizes(Folder.OUTPUT))
    answers = [result.answer(keys(result)) for result in results]
    assert {answer["outputs"]["2"]["images"][0]["filename"] for answer in answers} == {"flat_00001_.png"}
    assert {answer["prompt"][2]["2"]["inputs"]["filename_prefix"] for answer in answers} == {"flat"}


async def test_a_repeated_workflow_whose_file_was_overwritten_by_another_gives_its_own_image(
    runtime: Runtime, comfy: Comfy
) -> None:
    # Given
    blue = await pixels((await run_job(runtime, job(flat()))).outputs[0])
    for place in comfy.disk.places(Folder.OUTPUT):
        comfy.disk.remove(place)
    red = flat() | {"1": node("EmptyImage", width=16, height=16, batch_size=1, color=0xFF0000)}
    await run_job(runtime, job(red))

    # When
    result = await run_job(runtime, job(flat()))

    # Then
    assert await pixels(result.outputs[0]) == blue


async def test_with_cache_lru_a_repeated_workflow_gives_its_own_image_and_never_another_workflows(
    runtime: Runtime, comfy: Comfy
) -> None:
    # Given a cache that outlives other workflows; without the random part of the names it would name red's file
    await comfy.stop()
    await comfy.start(cache_lru=100)
    red = flat() | {"1": node("EmptyImage", width=16, height=16, batch_size=1, color=0xFF0000)}
    images = []

    # When
    for workflow in (flat(), red, flat(), red):
        images.append(await pixels((await run_job(runtime, job(workflow))).outputs[0]))
        for place in comfy.disk.places(Folder.OUTPUT):
            comfy.disk.remove(place)

    # Then
    assert images[0] == images[2]
    assert images[1] == images[3]
    assert images[0] != images[1]


async def test_an_output_that_comfyui_kept_and_whose_file_is_gone_is_made_again_by_the_next_run(
    runtime: Runtime, comfy: Comfy
) -> None:
    # Given a preview, whose name the workflow does not set, so that ComfyUI repeats it from its cache
    workflow = flat(**node("PreviewImage", images=["1", 0]))
    await run_job(runtime, job(workflow))
    (place,) = comfy.disk.places(Folder.TEMP)
    comfy.disk.remove(place)

    # When
    fault = await error_of(runtime, workflow)
    again = await run_job(runtime, job(workflow))

    # Then
    assert isinstance(fault, RuntimeFault)
    assert fault.type == "output-lost"
    assert place.filename in fault.message
    assert await read(again.outputs[0])


async def test_discarded_outputs_are_emptied_on_the_runtime(runtime: Runtime, comfy: Comfy) -> None:
    # Given
    result = await run_job(runtime, job(flat()))

    # When
    await result.discard()

    # Then
    assert list(comfy.sizes(Folder.OUTPUT).values()) == [0]
    with pytest.raises(RuntimeFault, match="is empty"):
        await read(result.outputs[0])


async def test_a_runtime_that_is_gone_does_not_trouble_a_discard(runtime: Runtime, comfy: Comfy) -> None:
    # Given
    result = await run_job(runtime, job(flat()))
    await comfy.stop()

    # When / Then
    await result.discard()


async def test_a_link_is_not_taken_for_a_path(runtime: Runtime) -> None:
    # Given
    link = "https://example.com/../photo.png"
    task = job(loading(link), {("1", "inputs", "image"): File("photo.png", "image/png", b"")})

    # When / Then
    await runtime.prepare(task)


async def test_an_edge_from_a_missing_node_is_named(runtime: Runtime) -> None:
    # Given
    workflow = flat() | {
        "3": node("ImageInvert", image=["99", 0]),
        "2": node("SaveImage", "Keep", images=["3", 0], filename_prefix="x"),
    }

    # When
    inner = await error_of(runtime, workflow)
    outer = await error_of(runtime, flat(**node("SaveImage", "Keep", images=["98", 0], filename_prefix="x")))

    # Then
    assert inner.message == (
        "ComfyUI refused the workflow: node 3 (ImageInvert), field image: takes its value from node 99, which the "
        "workflow does not have"
    )
    assert 'node 2 (SaveImage "Keep"), field images: takes its value from node 98' in outer.message
