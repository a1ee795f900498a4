"""What a task gets from a WebUI: its outputs in order, the full answer, and what ran."""

import base64
import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from contract.runtimes import TaskType
from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.base import File, Job, Output, Path, Ran
from queue_agent.runtimes.sdwebui import Adapter
from test.support.runtimes import run_job
from test.support.sdwebui import scripted, serve, serve_simulator
from utils.simulators.base import Options
from utils.simulators.drawing import draw, encode_png
from utils.simulators.sdwebui.drawing import encode

from .conftest import SMALL, Connect, MakeJob

LINK = "s3://inputs/cat.png"
FILE = File(name="cat.png", media_type="image/png", data=encode_png(draw("cat", 1, 64, 64, label="x")))


async def _size(output: Output) -> tuple[int, int]:
    with Image.open(BytesIO(b"".join([part async for part in output.read()]))) as image:
        return image.size


def _places(count: int) -> list[str]:
    return [f"s3://bucket/output/task/task-abcd-{number}.png" for number in range(1, count + 1)]


async def test_the_answer_is_whole_with_places_for_images(adapter: Adapter, make_job: MakeJob) -> None:
    # When
    result = await run_job(adapter, make_job(n_iter=2))
    answer = result.answer(_places(2))

    # Then
    assert answer["images"] == _places(2)
    assert answer["image_kinds"] == ["picture", "picture"]
    assert answer["parameters"]["prompt"] == "a lighthouse"
    assert json.loads(answer["info"])["all_seeds"] == [7, 8]
    assert answer.keys() == {"images", "parameters", "info", "image_kinds"}
    assert result.ran == Ran(
        runtime="sdwebui",
        version="1.8.0-simulated",
        model="alpha",
        model_hash=json.loads(answer["info"])["sd_model_hash"],
        seeds=(7, 8),
    )


async def test_a_grid_is_told_from_the_images(adapter: Adapter, make_job: MakeJob) -> None:
    # When
    result = await run_job(adapter, make_job(batch_size=2, save_images=True))

    # Then
    assert [await _size(output) for output in result.outputs] == [(128, 64), (64, 64), (64, 64)]
    assert result.answer(_places(3))["image_kinds"] == ["grid", "picture", "picture"]


async def test_controlnet_maps_are_kept_behind_the_images_and_links_stay_links(
    adapter: Adapter, make_job: MakeJob
) -> None:
    # Given
    unit = {"module": "canny", "image": LINK}
    job = make_job(batch_size=2, alwayson_scripts={"ControlNet": {"args": [unit, unit]}})
    files: dict[Path, File] = {("alwayson_scripts", "ControlNet", "args", n, "image"): FILE for n in (0, 1)}

    # When
    result = await run_job(adapter, Job(id=job.id, tasktype=job.tasktype, content=job.content, files=files))
    answer = result.answer(_places(4))

    # Then
    assert answer["image_kinds"] == ["picture", "picture", "extra", "extra"]
    assert [unit["image"] for unit in answer["parameters"]["alwayson_scripts"]["ControlNet"]["args"]] == [LINK, LINK]


async def test_an_image_is_changed_from_the_file_that_a_link_named(adapter: Adapter) -> None:
    # Given
    content = SMALL | {"init_images": [LINK], "denoising_strength": 0}
    files: dict[Path, File] = {("init_images", 0): FILE}

    # When
    result = await run_job(adapter, Job(id="t", tasktype=TaskType.IMAGE_TO_IMAGE, content=content, files=files))

    # Then
    data = b"".join([part async for part in result.outputs[0].read()])
    with Image.open(BytesIO(data)) as made, Image.open(BytesIO(FILE.data)) as given:
        assert made.tobytes() == given.tobytes()


async def test_a_masked_image_keeps_its_size_and_what_is_not_masked(adapter: Adapter) -> None:
    # Given
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    content = SMALL | {"init_images": [LINK], "mask": encode(mask), "width": 128, "height": 128}
    files: dict[Path, File] = {("init_images", 0): FILE}
    whole = {"inpaint_full_res": False}

    # When
    jobs = [
        Job(id="t", tasktype=TaskType.IMAGE_TO_IMAGE, content=each, files=files) for each in (content, content | whole)
    ]
    (region,), (redrawn,) = [(await run_job(adapter, job)).outputs for job in jobs]

    # Then
    assert await _size(region) == (64, 64), "the default draws the masked region only"
    assert await _size(redrawn) == (128, 128)
    data = b"".join([part async for part in region.read()])
    with Image.open(BytesIO(data)) as made, Image.open(BytesIO(FILE.data)) as given:
        right = (32, 0, 64, 64)
        assert made.crop(right).tobytes() == given.convert("RGB").crop(right).tobytes()
        assert made.tobytes() != given.convert("RGB").tobytes()


@pytest.mark.parametrize(
    ("mask", "cause"),
    [
        (encode(Image.new("L", (32, 32), 255)), "ValueError: images do not match"),
        ("bm8gaW1hZ2U=", "Invalid encoded image"),
    ],
    ids=["another size", "no image"],
)
async def test_a_mask_that_does_not_fit_is_the_callers_fault(adapter: Adapter, mask: str, cause: str) -> None:
    # Given
    content = SMALL | {"init_images": [LINK], "mask": mask}
    job = Job(id="t", tasktype=TaskType.IMAGE_TO_IMAGE, content=content, files={("init_images", 0): FILE})

    # When
    with pytest.raises(PermanentError) as caught:
        await run_job(adapter, job)

    # Then
    assert cause in caught.value.message


async def test_one_image_is_upscaled(adapter: Adapter) -> None:
    # Given
    content = {"upscaler_1": "R-ESRGAN 4x+", "upscaling_resize": 4, "image": LINK}
    job = Job(id="t", tasktype=TaskType.EXTRA_SINGLE_IMAGE, content=content, files={("image",): FILE})

    # When
    result = await run_job(adapter, job)

    # Then
    assert [await _size(output) for output in result.outputs] == [(256, 256)]
    answer = result.answer(_places(1))
    assert answer["image"] == _places(1)[0]
    assert "R-ESRGAN 4x+" in answer["html_info"]
    assert result.ran == Ran(runtime="sdwebui")


async def test_many_images_are_upscaled_in_order(adapter: Adapter) -> None:
    # Given
    small = File(name="s.png", media_type="image/png", data=encode_png(draw("cat", 1, 8, 8, label="x")))
    images = [{"data": LINK, "name": "a"}, {"data": LINK, "name": "b"}]
    files: dict[Path, File] = {("imageList", 0, "data"): FILE, ("imageList", 1, "data"): small}
    content = {"upscaler_1": "Lanczos", "upscaling_resize": 2, "imageList": images}

    # When
    result = await run_job(adapter, Job(id="t", tasktype=TaskType.EXTRA_BATCH_IMAGES, content=content, files=files))

    # Then
    assert [await _size(output) for output in result.outputs] == [(128, 128), (16, 16)]
    assert result.answer(_places(2))["images"] == _places(2)


async def test_a_job_that_gives_no_image_is_told_why(adapter: Adapter, make_job: MakeJob) -> None:
    # When / Then
    with pytest.raises(PermanentError, match="send_images must not be false") as caught:
        await run_job(adapter, make_job(send_images=False))
    assert caught.value.type == "no-output"


@pytest.mark.parametrize(
    ("sampler", "ran"), [("Euler a", "Euler a"), ("DPM++ 2M Karras", "DPM++ 2M"), ("DPM++ SDE sgm uniform", None)]
)
async def test_forge_runs_a_sampler_with_its_schedule_and_nothing_else_passes_for_it(
    connect: Connect, make_job: MakeJob, sampler: str, ran: str | None
) -> None:
    # Given
    async with serve_simulator(Options(seconds_per_step=0, flavour="forge")) as client, connect(client) as adapter:
        # When
        if ran is None:
            with pytest.raises(PermanentError, match=f"there is no sampler '{sampler}'".replace("+", r"\+")):
                await run_job(adapter, make_job(sampler_name=sampler))
            return
        result = await run_job(adapter, make_job(sampler_name=sampler))

    # Then
    assert json.loads(result.answer(_places(1))["info"])["sampler_name"] == ran
    assert result.ran.version == "f2.0.1-simulated"


@pytest.mark.parametrize("body", [None, [], "text", {"images": [None]}, {"images": [""]}, {"image": {}}])
async def test_an_answer_that_no_webui_gives_is_the_runtimes_fault(
    connect: Connect, make_job: MakeJob, body: Any
) -> None:
    # Given
    async with serve(scripted({"txt2img": body})) as client, connect(client) as adapter:
        # When
        with pytest.raises(RuntimeFault) as caught:
            await run_job(adapter, make_job())

    # Then
    assert caught.value.type == "bad-answer"


async def test_an_image_that_is_not_base64_is_the_runtimes_fault_when_it_is_read(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve(scripted({"txt2img": {"images": ["no base64!"]}})) as client, connect(client) as adapter:
        result = await run_job(adapter, make_job())

        # When
        with pytest.raises(RuntimeFault) as caught:
            await anext(result.outputs[0].read())

    # Then
    assert caught.value.type == "bad-answer"


async def test_a_fork_that_prefixes_its_images_is_understood(connect: Connect, make_job: MakeJob) -> None:
    # Given
    prefixed = "data:image/png;base64," + base64.b64encode(FILE.data).decode()
    answer = {"images": [prefixed], "parameters": {}, "info": "{}"}
    async with serve(scripted({"txt2img": answer})) as client, connect(client) as adapter:
        # When
        result = await run_job(adapter, make_job())

    # Then
    assert await _size(result.outputs[0]) == (64, 64)
