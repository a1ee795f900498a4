"""One simulated generation: batch by batch, step by step, with A1111's account of what was made."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import randrange
from typing import Any
from zlib import crc32

from PIL import Image

from utils.simulators.drawing import draw
from utils.simulators.sdwebui import drawing
from utils.simulators.sdwebui.lists import CONTROLNET, OPTIONS
from utils.simulators.sdwebui.requests import Generation, ImageToImage, TextToImage
from utils.simulators.sdwebui.state import Checkpoint, Job

DRAWN_SETTINGS = ("sd_vae", "CLIP_stop_at_last_layers", "eta_noise_seed_delta")
"""Settings that change the image, as with the real one."""

SEEDS = 2**32
PIXEL_STEP = 8
"""Images are whole latents: sizes are cut to multiples of 8 pixels."""


@dataclass(frozen=True)
class Made:
    """What a generation gave: ``index_of_first`` is 1 behind a grid. ControlNet's maps come after the images and have
    no infotext."""

    images: Sequence[Image.Image]
    infotexts: Sequence[str]
    index_of_first: int


class Run:
    """One generation with all that it needs to know; made for exactly one request."""

    def __init__(
        self,
        request: Generation,
        *,
        sampler: str,
        schedule: str | None,
        checkpoint: Checkpoint,
        settings: Mapping[str, Any],
        version: str,
        seconds_per_step: float,
    ) -> None:
        self._request = request
        self._sampler = sampler
        self._schedule = schedule
        self._checkpoint = checkpoint
        self._settings = settings
        self._version = version
        self._seconds_per_step = seconds_per_step
        count = request.batch_size * request.n_iter
        self._seeds = _seeds(request.seed, count, fixed=bool(request.subseed_strength))
        self._subseeds = _seeds(request.subseed, count, fixed=False)

    async def make(self, job: Job) -> Made:
        """Draw everything, unless the job is stopped: then what was begun comes back as it is, and nothing says so.

        Raises what the real one raises for numbers that make no sense.
        """
        request = self._request
        width, height = self._size()
        if request.steps <= 0:
            raise ZeroDivisionError("integer division or modulo by zero")
        if min(width, height) < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {min(width, height)}")
        if min(width, height) == 0:
            raise RuntimeError(
                "Calculated padded input size per channel: (2 x 2). Kernel size: (3 x 3). Kernel size can't be greater "
                "than actual input size"
            )
        if isinstance(request, TextToImage) and request.enable_hr and request.denoising_strength is None:
            raise TypeError("'<' not supported between instances of 'float' and 'NoneType'")
        drawing.check_memory(width * height * request.batch_size)
        starts = self._starts()
        units = list(_controlnet_units(request))
        images: list[Image.Image] = []
        job.job_count = request.n_iter
        for number in range(request.n_iter):
            job.skipped = False
            if job.stopped:
                break
            job.job, job.job_no = f"Batch {number + 1} out of {request.n_iter}", number
            share = await self._sample(job)
            for place in range(len(images), len(images) + request.batch_size):
                start = starts[place % len(starts)] if starts else None
                images.append(await asyncio.to_thread(self._image, place, (width, height), start, share))
        return self._made(images, [drawing.edges(unit).resize((width, height)) for unit in units])

    def info(self, made: Made, job_timestamp: str) -> dict[str, Any]:
        """A1111's ``info``, before it becomes a JSON string."""
        request = self._request
        count = len(self._seeds)
        return {
            "prompt": request.prompt,
            "all_prompts": [request.prompt] * count,
            "negative_prompt": request.negative_prompt,
            "all_negative_prompts": [request.negative_prompt] * count,
            "seed": self._seeds[0],
            "all_seeds": self._seeds,
            "subseed": self._subseeds[0],
            "all_subseeds": self._subseeds,
            "subseed_strength": request.subseed_strength,
            "width": request.width,
            "height": request.height,
            "sampler_name": self._sampler,
            "cfg_scale": request.cfg_scale,
            "steps": request.steps,
            "batch_size": request.batch_size,
            "restore_faces": bool(request.restore_faces),
            "face_restoration_model": None,
            "sd_model_name": self._checkpoint.short_name,
            "sd_model_hash": self._checkpoint.short_hash,
            "sd_vae_name": None if self._settings["sd_vae"] == "Automatic" else self._settings["sd_vae"],
            "sd_vae_hash": None,
            "seed_resize_from_w": request.seed_resize_from_w,
            "seed_resize_from_h": request.seed_resize_from_h,
            "denoising_strength": request.denoising_strength,
            "extra_generation_params": self._extra_params(),
            "index_of_first_image": made.index_of_first,
            "infotexts": list(made.infotexts),
            "styles": request.styles or [],
            "job_timestamp": job_timestamp,
            "clip_skip": self._settings["CLIP_stop_at_last_layers"],
            "is_using_inpainting_conditioning": False,
            "version": self._version,
        }

    async def _sample(self, job: Job) -> float:
        """Take the steps of one batch; returns the share (0..1) that was taken."""
        steps = job.sampling_steps = self._request.steps
        for step in range(steps):
            job.sampling_step = step
            await asyncio.sleep(self._seconds_per_step * self._request.batch_size)
            if job.stopped:
                return (step + 1) / steps
        job.sampling_step = steps
        return 1.0

    def _image(self, place: int, size: tuple[int, int], start: Image.Image | None, share: float) -> Image.Image:
        drawn = draw(self._request.prompt or "", self._seed_of(place), *size, label=drawing.LABEL)
        if start is not None and isinstance(self._request, ImageToImage):
            drawn = drawing.start_from(start, drawn, self._request)
        return drawn if share == 1 else drawing.unfinished(drawn, share)

    def _seed_of(self, place: int) -> int:
        """What the image is drawn from: the seed, unless settings that change images are not at their default."""
        changed = {key: self._settings[key] for key in DRAWN_SETTINGS if self._settings[key] != OPTIONS[key]}
        return self._seeds[place] ^ (crc32(json.dumps(changed, sort_keys=True).encode()) if changed else 0)

    def _made(self, images: list[Image.Image], maps: list[Image.Image]) -> Made:
        infotexts = [self._infotext(seed) for seed in self._seeds[: len(images)]]
        if self._request.save_images and len(images) > 1:
            sheet = drawing.grid(images)
            return Made([sheet, *images, *maps], [infotexts[0], *infotexts], index_of_first=1)
        return Made([*images, *maps], infotexts, index_of_first=0)

    def _size(self) -> tuple[int, int]:
        request = self._request
        width, height = request.width, request.height
        if isinstance(request, TextToImage) and request.enable_hr:
            width = request.hr_resize_x or int(width * request.hr_scale)
            height = request.hr_resize_y or int(height * request.hr_scale)
        return width // PIXEL_STEP * PIXEL_STEP, height // PIXEL_STEP * PIXEL_STEP

    def _starts(self) -> list[Image.Image]:
        if not isinstance(self._request, ImageToImage):
            return []
        if not self._request.init_images:
            raise IndexError("list index out of range")
        starts = [drawing.decode(image) for image in self._request.init_images]
        for start in starts:
            drawing.check_mask(start, self._request)
        return starts

    def _infotext(self, seed: int) -> str:
        request = self._request
        facts = {
            "Steps": request.steps,
            "Sampler": self._sampler,
            "Schedule type": self._schedule,
            "CFG scale": request.cfg_scale,
            "Seed": seed,
            "Size": f"{request.width}x{request.height}",
            "Model hash": self._checkpoint.short_hash,
            "Model": self._checkpoint.short_name,
            "Denoising strength": request.denoising_strength,
            "Version": self._version,
        }
        negative = [f"Negative prompt: {request.negative_prompt}"] if request.negative_prompt else []
        line = ", ".join(f"{name}: {value}" for name, value in facts.items() if value is not None)
        return "\n".join([request.prompt or "", *negative, line])

    def _extra_params(self) -> dict[str, Any]:
        params: dict[str, Any] = {}
        if self._schedule not in {None, "Automatic"}:
            params["Schedule type"] = self._schedule
        if isinstance(self._request, ImageToImage):
            params["Denoising strength"] = self._request.denoising_strength
        return params


def _seeds(first: int | None, count: int, *, fixed: bool) -> list[int]:
    if first is None or first < 0:
        first = randrange(SEEDS)  # noqa: S311 - a seed, not a secret
    return [first if fixed else first + number for number in range(count)]


def _controlnet_units(request: Generation) -> Iterator[Image.Image]:
    """The image of every enabled ControlNet unit, in order. Raises ValueError for a unit without one."""
    scripts = {name.lower(): value for name, value in request.alwayson_scripts.items()}
    for unit in (scripts.get(CONTROLNET) or {}).get("args", []):
        if not isinstance(unit, dict) or not unit.get("enabled", True):
            continue
        image = unit.get("image") or unit.get("input_image")
        if isinstance(image, dict):
            image = image.get("image")
        if not image:
            raise ValueError("controlnet is enabled but no input image is given")
        yield drawing.decode(image)
