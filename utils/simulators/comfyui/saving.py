"""Saving what nodes made: real files in the simulated folders, with the workflow in the images as ComfyUI does."""

import json
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from PIL import Image

from utils.simulators.comfyui.disk import Folder
from utils.simulators.comfyui.node import Run
from utils.simulators.drawing import encode_png

FRAME_MILLISECONDS = 125
"""Eight images a second, as the video nodes have it by default."""

Entry = dict[str, Any]


async def save_pngs(run: Run, images: Iterable[Image.Image], folder: Folder, prefix: str) -> list[Entry]:
    """Each image as a PNG that carries the workflow in its text chunks; the entries for the node's outputs."""
    chunks = {"prompt": json.dumps(run.prompt)}
    for name, value in (run.extra_data.get("extra_pnginfo") or {}).items():
        chunks[name] = json.dumps(value)
    return [save(run, folder, prefix, "png", await run.work(encode_png, one, chunks)) for one in images]


async def save_animation(run: Run, images: Iterable[Image.Image], folder: Folder, prefix: str, form: str) -> Entry:
    """All images as one moving file; ``form`` is ``gif`` or ``webp``."""
    return save(run, folder, prefix, form, await run.work(_moving, list(images), form))


def save(run: Run, folder: Folder, prefix: str, extension: str, data: bytes) -> Entry:
    """Write a file under the prefix's next number and return its entry."""
    disk = run.world.disk
    place = disk.next_place(folder, prefix, extension)
    disk.write(place, data)
    return dict(place.entry)


def _moving(images: list[Image.Image], form: str) -> bytes:
    target = BytesIO()
    images[0].save(target, form.upper(), save_all=True, append_images=images[1:], duration=FRAME_MILLISECONDS, loop=0)
    return target.getvalue()
