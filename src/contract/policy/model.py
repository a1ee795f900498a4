"""The policy of a runtime, as config.yaml has it under ``taskPolicy``, and as it travels in environment variables."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from contract.errors import problems_of
from contract.links import MAX_LINKS
from contract.webui import MODEL_KEY, VAE_KEY

MAX_NUMBER = 10**12
"""Of any cap; more than any GPU does in the longest task."""

SETTINGS = (
    VAE_KEY,
    "CLIP_stop_at_last_layers",
    "add_model_hash_to_info",
    "always_discard_next_to_last_sigma",
    "code_former_weight",
    "ddim_discretize",
    "emphasis",
    "enable_pnginfo",
    "eta_ancestral",
    "eta_ddim",
    "eta_noise_seed_delta",
    "face_restoration_model",
    "img2img_background_color",
    "img2img_color_correction",
    "initial_noise_multiplier",
    "jpeg_quality",
    "randn_source",
    "s_churn",
    "s_min_uncond",
    "s_noise",
    "s_tmax",
    "s_tmin",
    "samples_format",
    "sd_noise_schedule",
    "sgm_noise_multiplier",
    "token_merging_ratio",
    "token_merging_ratio_hr",
    "token_merging_ratio_img2img",
    "upscaler_for_img2img",
    "webp_lossless",
)
"""Settings of the WebUI that change the images of a run, and neither files, paths, programs nor other runs."""

DENIED_NODES = (
    "*eval*",
    "*frompath*",
    "*fromurl*",
    "*from_path*",
    "*from_url*",
    "*python*",
    "*shell*",
    "vhs_load*path",
)
"""Custom nodes that by their names run code, or read any file or address. No node of a core is among them."""

Cap = Annotated[int, Field(ge=1, le=MAX_NUMBER)]
Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(strict=False, max_length=500)]


class TaskPolicy(BaseModel):
    """What one task may ask for. Names and patterns are compared without case; ``*`` stands for any characters.

    Sizes are in pixels. ``max_pixels``: of one image. ``max_pixel_steps``: width x height x steps x images.
    ``max_outputs``: images of a run, files of its results. ``max_output_bytes``: of one such file;
    ``max_total_output_bytes``: of all of a task; the agent counts both as it stores them.
    ``max_runs``: of an InvokeAI batch, runs x data.
    ``allowed_scripts``: for ``script_name``; ``allowed_alwayson_scripts``: keys of ``alwayson_scripts``.
    A node is allowed when a pattern of ``allowed_nodes`` fits its class, and none of ``denied_nodes``.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        serialize_by_alias=True,
    )

    max_pixels: Cap = 4096 * 4096
    max_steps: Cap = 500
    max_pixel_steps: Cap = 2_000_000_000
    max_upscaling: Cap = 8
    max_outputs: Cap = 256
    max_output_bytes: Cap = 512 * 1024 * 1024
    max_total_output_bytes: Cap = 1024 * 1024 * 1024
    max_runs: Cap = 64
    max_links: Annotated[int, Field(ge=0, le=MAX_LINKS)] = MAX_LINKS
    allowed_scripts: Names = ()
    allowed_alwayson_scripts: Names = ("*",)
    allowed_settings: Names = SETTINGS
    allowed_nodes: Names = ("*",)
    denied_nodes: Names = DENIED_NODES

    def over(self, base: "TaskPolicy") -> Self:
        """This policy, with what it does not set taken from ``base``."""
        own = {name: getattr(self, name) for name in self.model_fields_set}
        inherited = {name: getattr(base, name) for name in base.model_fields_set}
        return type(self).model_validate({**inherited, **own})

    def switching_models(self) -> Self:
        """This policy, for a runtime on which a task may choose the model."""
        return self.model_copy(update={"allowed_settings": (*self.allowed_settings, MODEL_KEY)})

    def not_default(self) -> dict[str, Any]:
        """What differs from the defaults, by the names of config.yaml; ``from_values`` reads it."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Raises ValueError with everything that is wrong."""
        try:
            return cls.model_validate(dict(values) if isinstance(values, Mapping) else values)
        except ValidationError as error:
            raise ValueError("; ".join(str(problem) for problem in problems_of(error))) from error

    def to_env(self) -> str:
        """Compact JSON of what differs from the defaults, ``{}`` when nothing does."""
        return json.dumps(self.not_default(), separators=(",", ":"))

    @classmethod
    def from_env(cls, text: str) -> Self:
        """Read what ``to_env`` wrote. Raises ValueError when it is anything else."""
        try:
            return cls.from_values(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"the task policy cannot be read: {error}") from error


@lru_cache(maxsize=1024)
def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns fits the name, without regard to case."""
    folded = name.casefold()
    return any(fnmatchcase(folded, pattern.casefold()) for pattern in patterns)
