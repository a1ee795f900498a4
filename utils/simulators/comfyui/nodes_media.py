"""Nodes whose outputs are no still images, and two that exist only here: any kind of output, any failure."""

import wave
from io import BytesIO
from typing import Any

from utils.simulators.comfyui.disk import Folder
from utils.simulators.comfyui.node import Node, NodeFailure, Produced, Run, decimal, integer, text
from utils.simulators.comfyui.nodes_image import Images, saving_inputs
from utils.simulators.comfyui.saving import Entry, save, save_animation, save_pngs

SAMPLE_RATE = 8000
"""Hz: silence needs no more."""

_FORMATS = {"image/gif": "gif", "image/webp": "webp"}
_MP4_HEAD = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
_MAX_FILE_BYTES = 1 << 30


async def _save_webp(run: Run, *, images: Images, filename_prefix: str, **_: Any) -> Produced:
    entry = await save_animation(run, images, Folder.OUTPUT, filename_prefix, "webp")
    return Produced(ui={"images": [entry], "animated": [True]})


async def _combine_video(
    run: Run,
    *,
    images: Images,
    filename_prefix: str,
    frame_rate: float,
    format: str,  # noqa: A002 - the node's input has this name
    save_output: bool,
) -> Produced:
    folder = Folder.OUTPUT if save_output else Folder.TEMP
    entry = await save_animation(run, images, folder, filename_prefix, _FORMATS[format])
    return Produced(ui={"gifs": [{**entry, "format": format, "frame_rate": frame_rate}]})


async def _empty_audio(run: Run, *, duration: float) -> Produced:  # noqa: ARG001 - every node takes its run
    return Produced((bytes(int(duration * SAMPLE_RATE) * 2),))


async def _save_audio(run: Run, *, audio: bytes, filename_prefix: str) -> Produced:
    return Produced(ui={"audio": [save(run, Folder.OUTPUT, filename_prefix, "wav", _wav(audio))]})


async def _save_any(run: Run, *, images: Images, filename_prefix: str, kinds: str, size: int) -> Produced:
    return Produced(ui={kind: await _kind(run, kind, images, filename_prefix, size) for kind in kinds.split(",")})


async def _kind(run: Run, kind: str, images: Images, prefix: str, size: int) -> list[Any]:
    made: list[Entry]
    match kind:
        case "images":
            return await save_pngs(run, images, Folder.OUTPUT, prefix)
        case "gifs":
            made = [await save_animation(run, images, Folder.OUTPUT, prefix, "gif")]
        case "videos":
            made = [save(run, Folder.OUTPUT, prefix, "mp4", _mp4(size))]
        case "audio":
            made = [save(run, Folder.OUTPUT, prefix, "wav", _wav(bytes(SAMPLE_RATE)))]
        case "files":
            made = [save(run, Folder.OUTPUT, prefix, "json", b'{"simulated": true}')]
        case "nothing":
            made = [save(run, Folder.OUTPUT, prefix, "bin", b"")]
        case _:
            return [kind]
    return made


async def _fail(run: Run, *, images: Images, exception_type: str, exception_message: str) -> Produced:  # noqa: ARG001 - it only fails
    raise NodeFailure(exception_type, exception_message)


def _wav(samples: bytes) -> bytes:
    target = BytesIO()
    with wave.open(target, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE)
        sound.writeframes(samples)
    return target.getvalue()


def _mp4(size: int) -> bytes:
    """The boxes of an MP4 file around ``size`` bytes that no player would show."""
    return _MP4_HEAD + (size + 8).to_bytes(4) + b"mdat" + bytes(size)


NODES = (
    Node(
        name="SaveAnimatedWEBP",
        display_name="SaveAnimatedWEBP",
        category="image/animation",
        run=_save_webp,
        inputs=lambda _: saving_inputs(
            fps=decimal(6.0, 0.01, 1000.0, step=0.01),
            lossless=["BOOLEAN", {"default": True}],
            quality=integer(80, 0, 100),
            method=[["default", "fastest", "slowest"]],
        ),
        output_node=True,
    ),
    Node(
        name="VHS_VideoCombine",
        display_name="Video Combine (simulated)",
        category="Video Helper Suite",
        run=_combine_video,
        inputs=lambda _: saving_inputs(
            frame_rate=decimal(8, 1, 1000, step=1),
            format=[list(_FORMATS)],
            save_output=["BOOLEAN", {"default": True}],
        ),
        output_node=True,
    ),
    Node(
        name="EmptyAudio",
        display_name="Empty Audio",
        category="audio",
        run=_empty_audio,
        inputs=lambda _: {"required": {"duration": decimal(60.0, 0.0, 3600.0, step=0.01)}},
        outputs=("AUDIO",),
    ),
    Node(
        name="SaveAudio",
        display_name="Save Audio (simulated: WAV)",
        category="audio",
        run=_save_audio,
        inputs=lambda _: {"required": {"audio": ["AUDIO"], "filename_prefix": text("audio/ComfyUI")}},
        output_node=True,
    ),
    Node(
        name="SimulatedOutputs",
        display_name="Outputs of any kind (simulated)",
        category="simulated",
        description="kinds: some of images,gifs,videos,audio,files,nothing, with commas; size: bytes of a video. "
        "Any other word becomes a text output.",
        run=_save_any,
        inputs=lambda _: saving_inputs(kinds=text("images"), size=integer(1024, 0, _MAX_FILE_BYTES)),
        output_node=True,
    ),
    Node(
        name="SimulatedFailure",
        display_name="Failure of any type (simulated)",
        category="simulated",
        run=_fail,
        inputs=lambda _: {
            "required": {
                "images": ["IMAGE"],
                "exception_type": text("RuntimeError"),
                "exception_message": text("it failed"),
            }
        },
        outputs=("IMAGE",),
    ),
)
