"""What WebUI answered: whether it is whole and what was asked for, and the outputs in it."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

import pybase64

from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.base import Job, Output, Ran, Result
from queue_agent.runtimes.sdwebui.content import Request, restore_links

KINDS = "image_kinds"
"""Our one addition to the answer: what each image is, ``grid``, ``picture`` or ``extra`` (a ControlNet map, say)."""

SLICE_CHARACTERS = 12 * 1024 * 1024
"""Of base64, decoded at a time: 9 MiB, a little more than what is stored at a time. A multiple of four, so that each
slice can be decoded alone."""


class Answer:
    """One answer of a generation or an upscaling; ``info`` is WebUI's account of it, empty where it gives none.

    Raises RuntimeFault when it is not what WebUI gives.
    """

    def __init__(self, body: Any, request: Request, job: Job) -> None:
        if not isinstance(body, dict):
            raise RuntimeFault("bad-answer", f"SD WebUI's answer to {request.route} is no object")
        self._request = request
        self._job = job
        self._single = "image" in body
        images = [body["image"]] if self._single else body.get("images")
        self._images = [_checked(image) for image in images] if isinstance(images, list) else []
        self._rest = {key: value for key, value in body.items() if key not in {"image", "images"}}
        self.info = _info(body.get("info"))

    def check_whole(self, state: Mapping[str, Any]) -> None:
        """Raise RuntimeFault when another client stopped the job: WebUI then answers 200 with what there is.

        ``state`` is that of /progress, read after the answer. It shows the flags of this job until the next begins.
        """
        stamp = self.info.get("job_timestamp")
        about_this_job = state.get("job_count") == 0 and stamp in {None, state.get("job_timestamp")}
        stopped = about_this_job and (state.get("interrupted") or state.get("skipped"))
        made, asked = self._counts()
        if stopped or made < asked:
            raise RuntimeFault(
                "interrupted-elsewhere",
                f"another client stopped the job on this SD WebUI: {made} of {asked} images were begun",
            )

    def result(self) -> Result:
        """The images in WebUI's order: a grid first, then the single ones, then ControlNet's maps."""
        if not self._images:
            raise PermanentError("no-output", "the job gave no image; send_images must not be false")
        info = self.info
        return Result(
            outputs=[Output(partial(_decoded, image)) for image in self._images],
            answer=self._with_places,
            ran=Ran(
                runtime="sdwebui",
                version=info.get("version"),
                model=info.get("sd_model_name"),
                model_hash=info.get("sd_model_hash"),
                seeds=tuple(info.get("all_seeds") or ()),
            ),
            additional=len(self._images) - self._kinds.count("picture"),
            held_bytes=sum(map(len, self._images)),
        )

    def _with_places(self, keys: Sequence[str]) -> dict[str, Any]:
        restore_links(self._rest.get("parameters"), self._job)
        if self._single:
            return {"image": keys[0], **self._rest}
        return {"images": list(keys), **self._rest, KINDS: self._kinds}

    @property
    def _kinds(self) -> list[str]:
        first, texts = self.info.get("index_of_first_image") or 0, self.info.get("infotexts")
        generated = len(texts) if texts else len(self._images)
        return [
            "grid" if number < first else "picture" if number < generated else "extra"
            for number in range(len(self._images))
        ]

    def _counts(self) -> tuple[int, int]:
        """How many images were made and how many were asked for. Scripts count in their own way."""
        if not self._request.generates:
            asked = self._request.body.get("imageList")
            return len(self._images), len(asked) if isinstance(asked, list) else 1
        texts, prompts = self.info.get("infotexts"), self.info.get("all_prompts")
        if self._request.body.get("script_name") or not isinstance(texts, list) or not isinstance(prompts, list):
            return len(self._images), 0
        return len(texts) - (self.info.get("index_of_first_image") or 0), len(prompts)


def _info(value: Any) -> dict[str, Any]:
    """``info`` is JSON in a string; empty where there is none."""
    try:
        info = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        info = None
    return info if isinstance(info, dict) else {}


def _checked(image: Any) -> str:
    """The base64 of an image, with or without ``data:…,`` in front."""
    if not isinstance(image, str) or not image:
        raise RuntimeFault("bad-answer", "SD WebUI's answer holds an image that is not base64")
    return image


async def _decoded(image: str) -> AsyncIterator[bytes]:
    """The bytes of base64, decoded only when they are stored, and no more at a time: by then the runtime is at its next
    task, whose answer may be as large."""
    try:
        for start in range(image.find(",") + 1, len(image), SLICE_CHARACTERS):
            yield pybase64.b64decode(image[start : start + SLICE_CHARACTERS], validate=True)
    except ValueError as error:
        raise RuntimeFault("bad-answer", "SD WebUI's answer holds an image that is not base64") from error
