"""The simulated WebUI itself: one lock, behind which every job and every change of the model waits its turn."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from utils.simulators.base import Options
from utils.simulators.drawing import draw
from utils.simulators.sdwebui import drawing
from utils.simulators.sdwebui.flavour import Refusal, flavour_of
from utils.simulators.sdwebui.generation import Made, Run
from utils.simulators.sdwebui.lists import ALWAYS_ON_SCRIPTS, OPTIONS
from utils.simulators.sdwebui.requests import Extras, Generation, ImageToImage, Interrogate
from utils.simulators.sdwebui.state import Checkpoint, Checkpoints, State

LOADING_STEPS = 10
"""Loading a model takes as long as so many sampling steps."""

INTERROGATION_STEPS = 10
"""Captioning an image takes as long as so many sampling steps."""

PREVIEW_SHARE = 4
"""A preview is smaller than its image by this factor on each side."""

MODEL = "sd_model_checkpoint"

log = logging.getLogger(__name__)


class WebUI:
    """What the routes call. Jobs queue first in, first out; nothing here times out and nothing answers 429."""

    def __init__(self, options: Options) -> None:
        self.flavour = flavour_of(options.flavour)
        self.checkpoints = Checkpoints(options.models)
        self.state = State()
        self._seconds_per_step = options.seconds_per_step
        self._free = asyncio.Lock()
        self._saved: dict[str, Any] = {"sd_model_checkpoint": self.checkpoints.loaded.title}
        self._running: Generation | None = None

    async def generate(self, request: Generation) -> dict[str, Any]:
        """The answer of txt2img and img2img. Raises as the real one does."""
        if isinstance(request, ImageToImage):
            _check_images(request)
        _check_scripts(request)
        sampler, schedule = self.flavour.sampler(request.sampler_name or request.sampler_index or "Euler")
        async with self._free:
            job = self.state.begin("scripts_txt2img")
            self._running = request
            try:
                async with self._overridden(request) as checkpoint:
                    settings = self.options()
                    self._check_refiner(request)
                    run = Run(
                        request,
                        sampler=sampler,
                        schedule=schedule,
                        checkpoint=checkpoint,
                        settings=settings,
                        version=self.flavour.version,
                        seconds_per_step=self._seconds_per_step,
                    )
                    made = await run.make(job)
            finally:
                self.state.end()
                self._running = None
        log.info("simulated: drew %d images with %s", len(made.images), checkpoint.model_name)
        return {
            "images": await asyncio.to_thread(_encoded, made, settings) if request.send_images else [],
            "parameters": _parameters(request),
            "info": json.dumps(run.info(made, job.job_timestamp)),
        }

    async def upscale(self, images: list[str], request: Extras) -> tuple[list[str], str]:
        """The scaled images, base64, and html_info. An interrupt leaves out those that were not begun.

        A failure leaves the job in /progress, as the real one does: WebUI looks busy until another job has run. The
        images are encoded when the next job may run already.
        """
        decoded = [drawing.decode(image) for image in images]
        scaled, words = [], ""
        async with self._free:
            job = self.state.begin("extras", len(decoded))
            for image in decoded:
                job.job_no += 1
                if job.stopped:
                    break
                self._check_upscalers(request)
                result, words = await asyncio.to_thread(drawing.upscale, image, request)
                await asyncio.sleep(self._seconds_per_step)
                scaled.append(result)
            self.state.end()
        return [await asyncio.to_thread(drawing.encode, image) for image in scaled], f"<p>{words}</p>"

    async def interrogate(self, request: Interrogate) -> str:
        """A caption of the image. Raises Refusal for what is no image, and for an unknown model when its turn has come.

        Derived from the published sources (modules/api/api.py, interrogate.py, deepbooru.py), not from a recording:
        ``clip`` shows as a job of -1 parts, ``deepdanbooru`` does not show in /progress.
        """
        image = drawing.decode(request.image)
        async with self._free:
            if request.model == "deepdanbooru":
                await asyncio.sleep(self._seconds_per_step * INTERROGATION_STEPS)
                return ", ".join(drawing.tags(image))
            if request.model != "clip":
                raise Refusal(HTTPStatus.NOT_FOUND, "Model not found")
            self.state.begin("interrogate")
            try:
                await asyncio.sleep(self._seconds_per_step * INTERROGATION_STEPS)
            finally:
                self.state.end()
        return f"a drawing, {', '.join(drawing.tags(image))}"

    def options(self) -> dict[str, Any]:
        """The settings that hold: those of config.json over the defaults."""
        return {**OPTIONS, **self._saved, "sd_checkpoint_hash": self.checkpoints.loaded.sha256}

    async def set_options(self, values: dict[str, Any]) -> None:
        """Raises RuntimeError for an unknown model. A change of the model waits until nothing runs."""
        name = values.get("sd_model_checkpoint")
        checkpoint = self.checkpoints.find(name) if name is not None else None
        if name is not None and checkpoint is None:
            raise RuntimeError(f"model {name!r} not found")
        self._saved.update(values)
        if checkpoint is not None and checkpoint is not self.checkpoints.loaded:
            async with self._free:
                await self._load(checkpoint)

    async def refresh(self) -> None:
        """Look for new model files: there are none, but it waits its turn as the real one does."""
        async with self._free:
            log.info("simulated: looked for model files")

    def progress(self, *, preview: bool) -> dict[str, Any]:
        """The answer of /progress; ``preview`` asks for the image as it is now."""
        answer = self.state.progress()
        if preview and self._running is not None:
            width, height = (max(1, side // PREVIEW_SHARE) for side in (self._running.width, self._running.height))
            image = draw(self._running.prompt or "", self.state.job.job_no, width, height, label=drawing.LABEL)
            answer["current_image"] = drawing.encode(image)
        return answer

    async def _load(self, checkpoint: Checkpoint) -> None:
        await asyncio.sleep(self._seconds_per_step * LOADING_STEPS)
        self.checkpoints.load(checkpoint)
        log.info("simulated: loaded %s", checkpoint.title)

    @asynccontextmanager
    async def _overridden(self, request: Generation) -> AsyncIterator[Checkpoint]:
        """Set what override_settings asks for. Only keys that config.json held before are put back afterwards, and only
        when that is asked for: everything else stays, for all later requests. An unknown model is passed over in
        silence; any other unknown key is a KeyError.

        A model that a person or an earlier task set is loaded here.
        """
        overrides = dict(request.override_settings or {})
        name = overrides.pop(MODEL, None)
        wanted = self.checkpoints.closest(str(name)) if name else None
        if wanted is not None:
            overrides[MODEL] = wanted.title
        before = {key: self._saved[key] for key in overrides if key in self._saved}
        for key in overrides:
            if key not in OPTIONS and key != MODEL:
                raise KeyError(key)
        self._saved.update(overrides)
        try:
            await self._load_chosen()
            yield self.checkpoints.loaded
        finally:
            if request.override_settings_restore_afterwards:
                self._saved.update(before)

    async def _load_chosen(self) -> None:
        """Load the model that the settings name, unless it is loaded."""
        chosen = self.checkpoints.closest(str(self._saved[MODEL])) or self.checkpoints.loaded
        if chosen is not self.checkpoints.loaded:
            await self._load(chosen)

    def _check_upscalers(self, request: Extras) -> None:
        for name in (request.upscaler_1, request.upscaler_2):
            if not any(upscaler["name"] == name for upscaler in self.flavour.upscalers):
                raise AssertionError(f"could not find upscaler named {name}")

    def _check_refiner(self, request: Generation) -> None:
        name = request.refiner_checkpoint
        if name not in {None, "", "None", "none"} and self.checkpoints.closest(str(name)) is None:
            raise Exception(f"Could not find checkpoint with name {name}")  # noqa: TRY002 - as the real one does


def _check_images(request: ImageToImage) -> None:
    """What is looked at before the request waits its turn. The images themselves are decoded when it has come."""
    if request.init_images is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "Init image not found")
    drawing.mask_of(request)


def _check_scripts(request: Generation) -> None:
    for name in filter(None, [request.script_name, *request.alwayson_scripts]):
        if name.lower() not in ALWAYS_ON_SCRIPTS or name == request.script_name:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"Script '{name}' not found")


def _parameters(request: Generation) -> dict[str, Any]:
    parameters = request.model_dump()
    if isinstance(request, ImageToImage) and not request.include_init_images:
        parameters |= {"init_images": None, "mask": None}
    return parameters


def _encoded(made: Made, settings: Mapping[str, Any]) -> list[str]:
    texts = [*made.infotexts, *[None] * (len(made.images) - len(made.infotexts))]
    form = str(settings["samples_format"])
    return [drawing.encode(image, text, form=form) for image, text in zip(made.images, texts, strict=True)]
