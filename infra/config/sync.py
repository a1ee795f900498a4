"""``sync`` of config.yaml: routes that answer with a result instead of a task's place."""

from typing import Literal

from infra.config.section import Section
from infra.config.types import RuntimeName


class ImageKitRoutes(Section):
    """The image kit's routes. ``backend: runtime``: each request is a task of ``runtime``, which is waited for."""

    backend: Literal["runtime"] = "runtime"
    runtime: RuntimeName


class Sync(Section):
    """Absent: no such routes."""

    image_kit: ImageKitRoutes | None = None
