"""Workflows run node by node and leave real files."""

import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from .conftest import Comfy


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def painting(**changes: Any) -> dict[str, Any]:
    """The usual text-to-image workflow."""
    wish = {"prompt": "a lighthouse", "seed": 7, "steps": 3, "batch_size": 1, "prefix": "art/lighthouse"} | changes
    sampling: dict[str, Any] = {"cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}
    sources: dict[str, Any] = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    return {
        "3": node("KSampler", seed=wish["seed"], steps=wish["steps"], **sampling, **sources),
        "4": node("CheckpointLoaderSimple", ckpt_name="v1-5-pruned-emaonly.safetensors"),
        "5": node("EmptyLatentImage", width=96, height=64, batch_size=wish["batch_size"]),
        "6": node("CLIPTextEncode", text=wish["prompt"], clip=["4", 1]),
        "7": node("CLIPTextEncode", text="fog", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix=wish["prefix"]),
    }


async def made(comfy: Comfy, workflow: dict[str, Any], node_id: str, kind: str = "images") -> list[bytes]:
    record = await comfy.run(workflow)
    assert record["status"]["status_str"] == "success", record["status"]
    return [await comfy.view(entry) for entry in record["outputs"][node_id][kind]]


async def test_text_becomes_images_of_the_size_and_number_asked_for(comfy: Comfy) -> None:
    # When
    results = await made(comfy, painting(batch_size=3), "9")

    # Then
    assert [Image.open(BytesIO(result)).size for result in results] == [(96, 64)] * 3
    assert len(set(results)) == 3


async def test_the_same_prompt_and_seed_give_the_same_image_and_others_another(comfy: Comfy) -> None:
    # When
    first = await made(comfy, painting(prefix="one"), "9")
    same = await made(comfy, painting(prefix="two"), "9")
    other = await made(comfy, painting(seed=8), "9")

    # Then
    pixels = [Image.open(BytesIO(each[0])).tobytes() for each in (first, same, other)]
    assert pixels[0] == pixels[1] != pixels[2]


async def test_an_image_carries_its_workflow_as_comfyui_writes_it(comfy: Comfy) -> None:
    # When
    record = await comfy.run(painting(), extra_data={"extra_pnginfo": {"workflow": {"nodes": []}}})
    (entry,) = record["outputs"]["9"]["images"]
    result = Image.open(BytesIO(await comfy.view(entry)))

    # Then
    assert entry == {"filename": "lighthouse_00001_.png", "subfolder": "art", "type": "output"}
    assert json.loads(result.info["prompt"]) == painting()
    assert json.loads(result.info["workflow"]) == {"nodes": []}


async def test_progress_is_told_step_by_step(comfy: Comfy) -> None:
    # When
    await comfy.queue(painting(steps=4))
    events = await comfy.events()

    # Then
    steps = [event["data"] for event in events if event["type"] == "progress"]
    assert [(step["value"], step["max"], step["node"]) for step in steps] == [(n, 4, "3") for n in (1, 2, 3, 4)]
    begun = [event["data"]["node"] for event in events if event["type"] == "executing"]
    assert begun == ["4", "5", "6", "7", "3", "8", "9", None]


async def test_only_what_changed_runs_again(comfy: Comfy) -> None:
    # Given
    await comfy.run(painting())

    # When
    await comfy.queue(painting(prefix="elsewhere"))
    events = await comfy.events()

    # Then
    (cached,) = [event["data"]["nodes"] for event in events if event["type"] == "execution_cached"]
    assert sorted(cached) == ["3", "4", "5", "6", "7", "8"]
    assert [event["data"]["node"] for event in events if event["type"] == "executing"] == ["9", None]


async def test_a_file_that_was_replaced_is_loaded_again(comfy: Comfy) -> None:
    # Given
    workflow = {"1": node("LoadImage", image="in.png"), "2": node("SaveImage", images=["1", 0], filename_prefix="x")}
    await comfy.upload("in.png", flat((1, 1, 1)), overwrite="true")
    before = await made(comfy, workflow, "2")

    # When
    await comfy.upload("in.png", flat((2, 2, 2)), overwrite="true")
    after = await made(comfy, workflow, "2")

    # Then
    assert Image.open(BytesIO(before[0])).getpixel((0, 0)) == (1, 1, 1)
    assert Image.open(BytesIO(after[0])).getpixel((0, 0)) == (2, 2, 2)


@pytest.mark.parametrize(
    ("class_type", "inputs", "size", "corner"),
    [
        ("ImageScaleBy", {"scale_by": 1.5, "upscale_method": "lanczos"}, (24, 12), None),
        ("ImageInvert", {}, (16, 8), (254, 253, 252)),
    ],
)
async def test_images_are_really_scaled_and_inverted(
    class_type: str, inputs: dict[str, Any], size: tuple[int, int], corner: tuple[int, ...] | None, comfy: Comfy
) -> None:
    # Given
    workflow = {
        "1": node("EmptyImage", width=16, height=8, batch_size=1, color=0x010203),
        "2": node(class_type, image=["1", 0], **inputs),
        "3": node("SaveImage", images=["2", 0], filename_prefix="x"),
    }

    # When
    (result,) = [Image.open(BytesIO(data)) for data in await made(comfy, workflow, "3")]

    # Then
    assert result.size == size
    assert result.getpixel((0, 0)) == (corner or (1, 2, 3))


async def test_two_images_become_a_batch_of_one_size(comfy: Comfy) -> None:
    # Given
    workflow = {
        "1": node("EmptyImage", width=16, height=8, batch_size=1, color=1),
        "2": node("EmptyImage", width=9, height=9, batch_size=2, color=2),
        "3": node("ImageBatch", image1=["1", 0], image2=["2", 0]),
        "4": node("SaveImage", images=["3", 0], filename_prefix="x"),
    }

    # When
    results = await made(comfy, workflow, "4")

    # Then
    assert [Image.open(BytesIO(data)).size for data in results] == [(16, 8)] * 3


async def test_image_to_image_lies_between_the_image_and_the_prompt(comfy: Comfy) -> None:
    # Given
    await comfy.upload("in.png", flat((200, 10, 10), size=(70, 40)))
    workflow = painting() | {
        "10": node("LoadImage", image="in.png"),
        "5": node("VAEEncode", pixels=["10", 0], vae=["4", 2]),
    }
    shares = {}

    # When
    for denoise in (0.0, 0.5, 1.0):
        workflow["3"]["inputs"]["denoise"] = denoise
        shares[denoise] = Image.open(BytesIO((await made(comfy, workflow, "9"))[0]))

    # Then
    assert shares[0.0].size == (64, 40), "a latent stands for 8 x 8 pixels"
    assert shares[0.0].getpixel((5, 5)) == (200, 10, 10)
    assert len({share.tobytes() for share in shares.values()}) == 3


async def test_an_animation_and_a_sound_are_real_files(comfy: Comfy) -> None:
    # Given
    workflow = {
        "1": node("EmptyImage", width=16, height=8, batch_size=1, color=1),
        "2": node("EmptyImage", width=16, height=8, batch_size=1, color=2),
        "3": node("ImageBatch", image1=["1", 0], image2=["2", 0]),
        "4": node(
            "VHS_VideoCombine",
            images=["3", 0],
            filename_prefix="clip",
            frame_rate=8,
            format="image/gif",
            save_output=True,
        ),
        "5": node("EmptyAudio", duration=0.5),
        "6": node("SaveAudio", audio=["5", 0], filename_prefix="audio/silence"),
    }

    # When
    record = await comfy.run(workflow)
    (clip,), (sound,) = record["outputs"]["4"]["gifs"], record["outputs"]["6"]["audio"]

    # Then
    assert (clip["format"], clip["frame_rate"]) == ("image/gif", 8)
    gif = await comfy.view({key: clip[key] for key in ("filename", "subfolder", "type")})
    assert getattr(Image.open(BytesIO(gif)), "n_frames", 1) == 2
    assert sound == {"filename": "silence_00001_.wav", "subfolder": "audio", "type": "output"}
    assert (await comfy.view(sound)).startswith(b"RIFF")


async def test_previews_come_as_binary_frames_where_they_are_asked_for(comfy: Comfy) -> None:
    # When
    await comfy.queue(painting(steps=1), extra_data={"preview_method": "auto"})
    frame = None
    while frame is None:
        message = await comfy.socket.receive(timeout=30)
        frame = message.data if isinstance(message.data, bytes) else None

    # Then
    assert frame[:8] == b"\x00\x00\x00\x01\x00\x00\x00\x01"
    assert frame[8:10] == b"\xff\xd8", "JPEG"


async def test_a_workflow_whose_one_output_is_wrong_runs_the_other_and_says_so(comfy: Comfy) -> None:
    # Given
    workflow = painting() | {"10": node("SaveImage", images=["11", 0], filename_prefix="never")}
    workflow["11"] = node("EmptyImage", width=0, height=1, batch_size=1, color=0)

    # When
    answer = await (await comfy.post("/prompt", {"prompt": workflow, "client_id": comfy.client_id})).json()
    await comfy.events()
    record = (await comfy.get(f"/history/{answer['prompt_id']}"))[answer["prompt_id"]]

    # Then
    assert answer["node_errors"]["11"]["dependent_outputs"] == ["10"]
    assert list(record["outputs"]) == ["9"]


@pytest.mark.parametrize(
    ("change", "type_"),
    [
        ({"5": node("EmptyLatentImage", width=64, height=64)}, "required_input_missing"),
        ({"5": node("EmptyLatentImage", width=99999, height=64, batch_size=1)}, "value_bigger_than_max"),
        ({"4": node("CheckpointLoaderSimple", ckpt_name="unknown.safetensors")}, "value_not_in_list"),
        ({"8": node("VAEDecode", samples=["4", 0], vae=["4", 2])}, "return_type_mismatch"),
        ({"8": node("VAEDecode", samples=["3", 0, 1], vae=["4", 2])}, "bad_linked_input"),
        ({"8": node("VAEDecode", samples=["99", 0], vae=["4", 2])}, "exception_during_inner_validation"),
        ({"8": {"class_type": "VAEDecode"}}, "exception_during_inner_validation"),
        ({"8": node("VAEDecode", samples=["8", 0], vae=["4", 2])}, "return_type_mismatch"),
    ],
)
async def test_a_wrong_workflow_is_refused_with_the_type_of_its_error(
    change: dict[str, Any], type_: str, comfy: Comfy
) -> None:
    # When
    answer = await comfy.post("/prompt", {"prompt": painting() | change})
    body = await answer.json()

    # Then
    assert answer.status == 400
    assert body["error"]["type"] == "prompt_outputs_failed_validation"
    (found,) = body["node_errors"].values()
    assert [problem["type"] for problem in found["errors"]] == [type_]
    assert found["dependent_outputs"] == ["9"]


def flat(colour: tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> bytes:
    target = BytesIO()
    Image.new("RGB", size, colour).save(target, "PNG")
    return target.getvalue()
