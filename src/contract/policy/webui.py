"""The policy's rules for tasks of the WebUI."""

from collections.abc import Iterator, Mapping
from typing import Any

from contract.errors import Problem, shown
from contract.policy.model import TaskPolicy, matches
from contract.policy.numbers import number, over_cap
from contract.runtimes import TaskType
from contract.webui import OVERRIDES, PLATFORM_KEYS, SCRIPTS

SIDE, STEPS, HIRES_SCALE = 512.0, 50.0, 2.0
"""What the WebUI takes where a task says nothing."""


def violations(policy: TaskPolicy, tasktype: TaskType, content: Mapping[str, Any]) -> Iterator[Problem]:
    """Fields are paths in ``content``."""
    if tasktype in {TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE}:
        yield from _size_violations(policy, content)
        yield from _script_violations(policy, content)
        yield from _setting_violations(policy, content)
    else:
        yield from _upscaling_violations(policy, content)


def _size_violations(policy: TaskPolicy, content: Mapping[str, Any]) -> Iterator[Problem]:
    width, height = number(content.get("width"), SIDE), number(content.get("height"), SIDE)
    steps = number(content.get("steps"), STEPS)
    batch, count = number(content.get("batch_size"), 1), number(content.get("n_iter"), 1)
    pixels, images = width * height, batch * count
    second, second_steps = _second_pass(content, pixels, steps)
    yield from over_cap("width", "width x height ", pixels, policy.max_pixels, "maxPixels")
    yield from over_cap("hr_scale", "pixels of the second pass ", second, policy.max_pixels, "maxPixels")
    yield from over_cap("steps", "", steps, policy.max_steps, "maxSteps")
    yield from over_cap("hr_second_pass_steps", "", second_steps, policy.max_steps, "maxSteps")
    yield from over_cap(
        "n_iter" if count > batch else "batch_size", "batch_size x n_iter ", images, policy.max_outputs, "maxOutputs"
    )
    work = (pixels * steps + second * second_steps) * images
    yield from over_cap("steps", "width x height x steps x images ", work, policy.max_pixel_steps, "maxPixelSteps")


def _second_pass(content: Mapping[str, Any], pixels: float, steps: float) -> tuple[float, float]:
    """Pixels and steps of the high resolution fix; 0 and 0 where it is off. A 0 means "as in the first pass"."""
    if not content.get("enable_hr"):
        return 0, 0
    width, height = number(content.get("hr_resize_x"), 0), number(content.get("hr_resize_y"), 0)
    scaled = pixels * (number(content.get("hr_scale"), HIRES_SCALE) ** 2)
    side = max(width, height)
    resized = width * height or side * side
    return resized or scaled, number(content.get("hr_second_pass_steps"), 0) or steps


def _script_violations(policy: TaskPolicy, content: Mapping[str, Any]) -> Iterator[Problem]:
    name = content.get("script_name")
    if isinstance(name, str) and name and not matches(name, policy.allowed_scripts):
        yield Problem("script_name", _not_allowed(name, policy.allowed_scripts, "allowedScripts"))
    scripts = content.get(SCRIPTS)
    for key in scripts if isinstance(scripts, dict) else ():
        if key not in PLATFORM_KEYS and not matches(key, policy.allowed_alwayson_scripts):
            problem = _not_allowed(key, policy.allowed_alwayson_scripts, "allowedAlwaysonScripts")
            yield Problem(f"{SCRIPTS}.{key}", problem)


def _setting_violations(policy: TaskPolicy, content: Mapping[str, Any]) -> Iterator[Problem]:
    """The agent also reads settings among the scripts, where v1alpha1 has them."""
    scripts = content.get(SCRIPTS)
    places = ((content, OVERRIDES), (scripts, f"{SCRIPTS}.{OVERRIDES}"))
    for holder, field in places:
        settings = holder.get(OVERRIDES) if isinstance(holder, dict) else None
        for key in settings if isinstance(settings, dict) else ():
            if not matches(key, policy.allowed_settings):
                yield Problem(f"{field}.{key}", _not_allowed(key, policy.allowed_settings, "allowedSettings"))


def _upscaling_violations(policy: TaskPolicy, content: Mapping[str, Any]) -> Iterator[Problem]:
    images = content.get("imageList")
    count = len(images) if isinstance(images, list) else 1
    yield from over_cap("imageList", "its length ", count, policy.max_outputs, "maxOutputs")
    if number(content.get("resize_mode"), 0):
        width, height = (number(content.get(f"upscaling_resize_{side}"), SIDE) for side in "wh")
        yield from over_cap("upscaling_resize_w", "width x height ", width * height, policy.max_pixels, "maxPixels")
    else:
        factor = number(content.get("upscaling_resize"), 2)
        yield from over_cap("upscaling_resize", "", factor, policy.max_upscaling, "maxUpscaling")


def _not_allowed(name: str, allowed: tuple[str, ...], key: str) -> str:
    there = ", ".join(allowed) or "none"
    return f"is not allowed (taskPolicy.{key}: {there}), got {shown(name)}"
