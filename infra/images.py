"""Which container images the stack builds in the account, and what they are called. Plain data, without CDK.

The stack makes a CodeBuild project and an ECR repository for each image, and starts the build. Scripts watch or repeat
builds by the names given here; README.md of this folder describes the interface.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.runtimes import RuntimeType
from infra.config.model import Config, Runtime

ROOT = Path(__file__).parents[1]

AGENT = "queue-agent"
"""Name of the queue agent's image; the others are named as their runtime type."""

FUNCTION = RuntimeType.IMAGEKIT.value
"""Name of the image of the image kit's function, which is that of its runtimes."""

BUILD_SCRIPT = "images/build.sh"
"""Run by CodeBuild in the folder that holds the source."""

FETCH_SCRIPT = "images/fetch.sh"
"""Run in the build of a runtime's image that is made from a git repository."""

TAG_LENGTH = 12
"""Hexadecimal digits: two versions of an image share a tag once in 10^14."""

SOURCES_OF_OWN: Mapping[str, tuple[str, ...]] = {
    AGENT: ("requirements/agent.txt", "src/contract", "src/queue_agent"),
    RuntimeType.IMAGEKIT.value: ("requirements/image-kit.txt", "src/contract", "src/image_kit"),
}
"""What the images of this project's own programs are made of, in addition to their folders below images/."""

LEFT_OUT = ("__pycache__", "README.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBuild:
    """One image: ``project`` builds it from ``sources`` and pushes it to ``repository`` under ``tag``.

    ``repository`` has no host; the account's own registry comes before it. ``tag`` changes with the sources, and a tag
    is never pushed twice. ``sources`` are paths of files, relative to the project's folder.
    """

    name: str
    project: str
    repository: str
    tag: str
    sources: tuple[str, ...]

    @property
    def reference(self) -> str:
        """Repository and tag, without the registry's host."""
        return f"{self.repository}:{self.tag}"


def image_builds(config: Config) -> tuple[ImageBuild, ...]:
    """The images that the stack of ``config`` builds: those that its runtimes and its image kit's function use and that
    the config does not name."""
    if not config.builds_images:
        return ()
    wanted = [AGENT] if any(not names_agent_image(one) for one in config.models_runtime) else []
    wanted += [one.type.value for one in config.models_runtime if not names_runtime_image(one)]
    if builds_function_image(config):
        wanted.append(FUNCTION)
    return tuple(image_build(config.stack_name, name) for name in dict.fromkeys(wanted))


def image_build(stack_name: str, name: str) -> ImageBuild:
    """The build of one image. ``stack_name`` is that of the config, without "Stack"."""
    sources = tuple(_sources(name))
    return ImageBuild(
        name=name,
        project=f"{stack_name}-{name}",
        repository=f"{stack_name.lower()}/{name}",
        tag=_fingerprint(sources),
        sources=sources,
    )


def names_agent_image(runtime: Runtime) -> bool:
    """Whether the config says where the agent's image of ``runtime`` is."""
    return _names_one(_image(runtime, "queueAgent"))


def names_runtime_image(runtime: Runtime) -> bool:
    """Whether the config says where the image of ``runtime`` is."""
    return _names_one(_image(runtime, "inferenceApi"))


def builds_function_image(config: Config) -> bool:
    """Whether the stack builds the image of the image kit's function."""
    function = config.sync.image_kit_function
    return function is not None and function.image is None


def builds_log_group(stack_name: str) -> str:
    """Log group of all builds of a stack. ``stack_name`` is that of the config, without "Stack"."""
    return f"/aws/codebuild/{stack_name}-images"


def _names_one(image: Mapping[str, Any]) -> bool:
    return any(image.get(key) for key in ("repository", "tag", "digest"))


def _image(runtime: Runtime, container: str) -> Mapping[str, Any]:
    values: Any = runtime.extra_values
    for key in ("runtime", container, "image"):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def _sources(name: str) -> Iterator[str]:
    places = (BUILD_SCRIPT, f"images/{name}", *SOURCES_OF_OWN.get(name, (FETCH_SCRIPT,)))
    for place in places:
        path = ROOT / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and not set(file.parts) & set(LEFT_OUT):
                yield file.relative_to(ROOT).as_posix()


def _fingerprint(sources: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for source in sources:
        content = hashlib.sha256((ROOT / source).read_bytes()).hexdigest()
        digest.update(f"{source} {content}\n".encode())
    return digest.hexdigest()[:TAG_LENGTH]
