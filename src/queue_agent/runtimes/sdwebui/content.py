"""From a task's content to the body that WebUI takes: files put in, the platform's own keys taken out."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from contract.runtimes import TaskType
from contract.webui import MODEL_KEY, OVERRIDES, PLATFORM_KEYS, SCRIPTS, VAE_KEY, merge_override_settings
from queue_agent.errors import PermanentError
from queue_agent.runtimes.base import File, Job, Path
from queue_agent.runtimes.sdwebui.payload import Payload, at, encode

ROUTES: Mapping[TaskType, str] = MappingProxyType(
    {
        TaskType.TEXT_TO_IMAGE: "txt2img",
        TaskType.IMAGE_TO_IMAGE: "img2img",
        TaskType.EXTRA_SINGLE_IMAGE: "extra-single-image",
        TaskType.EXTRA_BATCH_IMAGES: "extra-batch-images",
    }
)

GENERATIONS = frozenset({TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE})
"""The task types for which the model matters."""


RESTORE = "override_settings_restore_afterwards"
"""Always true: no setting outlives its task."""

INFOTEXT = "infotext"
"""Parameters as text, which newer versions read settings from as well."""


@dataclass(slots=True)
class Request:
    """What is sent, and the model it is meant for: chosen for the runtime, or overridden for this job alone.

    ``body`` has the task's links where ``payload``, its JSON, has the files.
    """

    route: str
    body: dict[str, Any]
    generates: bool
    model: str | None
    files: Mapping[Path, File]
    payload: Payload = field(init=False)

    def __post_init__(self) -> None:
        self.payload = encode(self.body, self.files)

    @property
    def changes_settings(self) -> bool:
        """Whether the run changes settings that WebUI may not put back."""
        return self.generates and bool(self.body.get(OVERRIDES) or self.body.get(INFOTEXT))

    @property
    def setting_names(self) -> Iterable[str] | None:
        """Which settings the run changes; None when only WebUI knows."""
        settings = self.body.get(OVERRIDES)
        return None if self.body.get(INFOTEXT) else tuple(settings) if isinstance(settings, dict) else ()

    def change(self, values: Mapping[str, Any]) -> None:
        """Set values of the body that hold no file."""
        self.body.update(values)
        self.payload = encode(self.body, self.files)

    @property
    def override(self) -> str | None:
        """The model that override_settings ask for."""
        settings = self.body.get(OVERRIDES)
        name = settings.get(MODEL_KEY) if isinstance(settings, dict) else None
        return _model_name(name, f"{OVERRIDES}.{MODEL_KEY}")

    @property
    def sampler(self) -> str | None:
        """The sampler that is asked for."""
        name = self.body.get("sampler_name") or self.body.get("sampler_index")
        return name if isinstance(name, str) else None

    def set_override(self, name: str) -> None:
        """Name the model of override_settings as WebUI does."""
        if self.override != name:
            self.change({OVERRIDES: {**self.body[OVERRIDES], MODEL_KEY: name}})


def prepare(job: Job) -> Request:
    """The request of a job. Raises PermanentError for a task type that WebUI does not serve or a nameless model."""
    route = ROUTES.get(job.tasktype)
    if route is None:
        raise PermanentError("tasktype", f"sdwebui does not serve {job.tasktype}; it serves {', '.join(ROUTES)}")
    body = copy.deepcopy(dict(job.content))
    model = _take_platform_keys(body)
    if RESTORE in body or body.get(OVERRIDES) or body.get(INFOTEXT):
        body[RESTORE] = True
    return Request(route, body, job.tasktype in GENERATIONS, model, job.files)


def restore_links(echo: Any, job: Job) -> None:
    """Put the links back where ``echo``, the request as WebUI repeats it, holds the files that they stood for."""
    for path in job.files:
        link = at(job.content, path)
        *way, last = path
        holder = at(echo, tuple(way))
        if isinstance(at(echo, path), str) and isinstance(holder, (dict, list)):
            holder[last] = link  # type: ignore[index]  # the path led here: a key of an object or an index of a list


def _take_platform_keys(body: dict[str, Any]) -> str | None:
    """Strip the scripts of what is not a script, keep what it says of the run, and return the model's name."""
    scripts = body.get(SCRIPTS)
    if not isinstance(scripts, dict):
        return None
    taken = {key: scripts.pop(key) for key in PLATFORM_KEYS & scripts.keys()}
    if OVERRIDES in taken or VAE_KEY in taken:
        body[OVERRIDES] = merge_override_settings(body, taken)
    return _model_name(taken.get(MODEL_KEY), f"{SCRIPTS}.{MODEL_KEY}")


def _model_name(value: Any, field: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise PermanentError(
            "invalid-request", f"content.{field}: must be the name of a model, got {type(value).__name__}"
        )
    return value
