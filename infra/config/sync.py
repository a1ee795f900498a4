"""``sync`` of config.yaml: routes that answer with a result instead of a task's place."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from contract.errors import Problem, shown
from contract.runtimes import TASK_TYPES, RuntimeType, TaskType
from contract.sync_routes import DEFAULT_PATH
from infra.config.errors import path_of
from infra.config.section import Section
from infra.config.types import EndpointName, ImageUri, RoutePath, RuntimeName

MIN_MEMORY_MB, MAX_MEMORY_MB = 1024, 10_240
"""Reading a full page takes 909 MB (python -m test.bench.image_kit); the most is Lambda's."""

DEFAULT_MEMORY_MB = 3008
"""1.7 vCPUs, and the most that new accounts may ask Lambda for."""


class ImageKitRoutes(Section):
    """The image kit's routes. ``backend: runtime``: each request is a task of ``runtime``, which is waited for.
    ``backend: function``: a Lambda function of ``memory_mb`` answers, from ``image``; absent: the stack builds it."""

    backend: Literal["runtime", "function"] = "runtime"
    runtime: RuntimeName | None = None
    memory_mb: int = Field(default=DEFAULT_MEMORY_MB, ge=MIN_MEMORY_MB, le=MAX_MEMORY_MB)
    image: ImageUri | None = None


class TextToImage(Section):
    """``GET /{path}?prompt=``. ``backend: runtime``: each request is a task of ``runtime``, which is waited for.
    ``backend: sagemaker``: the endpoint ``endpoint_name`` is called."""

    backend: Literal["runtime", "sagemaker"] = "runtime"
    runtime: RuntimeName | None = None
    endpoint_name: EndpointName | None = None
    path: RoutePath = DEFAULT_PATH


class Sync(Section):
    """Absent: no such routes."""

    image_kit: ImageKitRoutes | None = None
    text_to_image: TextToImage | None = None

    @property
    def image_kit_function(self) -> ImageKitRoutes | None:
        """The image kit's routes where a function answers them."""
        return self.image_kit if self.image_kit and self.image_kit.backend == "function" else None


NEEDED: Mapping[str, Mapping[str, str | None]] = {
    "imageKit": {"runtime": "runtime", "function": None},
    "textToImage": {"runtime": "runtime", "sagemaker": "endpointName"},
}
"""The key that a backend needs, by section and backend."""

OF_ONE_BACKEND: Mapping[str, Mapping[str, str]] = {
    "imageKit": {"runtime": "runtime", "memoryMb": "function", "image": "function"},
    "textToImage": {"runtime": "runtime", "endpointName": "sagemaker"},
}
"""The backend that a key is for, by section and key."""

SERVED: Mapping[str, TaskType] = {"imageKit": TaskType.SUPER_RESOLUTION, "textToImage": TaskType.TEXT_TO_IMAGE}
"""A task type that the section's runtime serves."""


def sync_problems(raw: Mapping[str, Any], runtimes: Iterable[Mapping[str, Any]]) -> Iterable[Problem]:
    """What keys of ``sync`` get wrong together, and with the runtimes."""
    sync, runtimes = raw.get("sync"), list(runtimes)
    for section in NEEDED:
        route = sync.get(section) if isinstance(sync, Mapping) else None
        if isinstance(route, Mapping):
            yield from _of_other_backends(section, route)
            yield from _runtime(section, route, runtimes)
            if route.get("backend") == "function" and route.get("image") is None and not _builds_images(raw):
                problem = "is required where the stack builds no images (images.build, addOns.imageRegistry)"
                yield Problem(path_of(("sync", section, "image")), problem)


def _of_other_backends(section: str, route: Mapping[str, Any]) -> Iterable[Problem]:
    backend = route.get("backend", "runtime")
    if backend not in NEEDED[section]:
        return
    needed = NEEDED[section][backend]
    if needed and route.get(needed) is None:
        yield Problem(path_of(("sync", section, needed)), f"is required for backend: {backend}")
    for key, only in OF_ONE_BACKEND[section].items():
        if backend != only and route.get(key) is not None:
            problem = f"is only for backend: {only}, got {shown(route[key])} for {backend}"
            yield Problem(path_of(("sync", section, key)), problem)


def _runtime(section: str, route: Mapping[str, Any], runtimes: list[Mapping[str, Any]]) -> Iterable[Problem]:
    asked = route.get("runtime")
    types = [kind for kind in RuntimeType if SERVED[section] in TASK_TYPES[kind]]
    fit = sorted(str(one.get("name")) for one in runtimes if one.get("type") in types)
    if isinstance(asked, str) and asked not in fit:
        yield Problem(
            path_of(("sync", section, "runtime")),
            f"must be a runtime of the type {' or '.join(types)} ({', '.join(fit) or 'there is none'}), "
            f"got {shown(asked)}",
        )


def _builds_images(raw: Mapping[str, Any]) -> bool:
    images, add_ons = raw.get("images"), raw.get("addOns")
    build = images.get("build") if isinstance(images, Mapping) else None
    registry = add_ons.get("imageRegistry") if isinstance(add_ons, Mapping) else None
    return registry is None if build is None else bool(build)
