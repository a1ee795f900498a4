"""What files of the AWS guidance say that this project does not: read with a note, not refused."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contract.errors import Problem, shown
from contract.runtimes import RuntimeType
from infra.config.errors import path_of

RENAMED_ENVIRONMENT = {"EXP_CALLBACK_WHEN_RUNNING": "RUNNING_CALLBACKS"}
"""Variables of the guidance's queue agent, and their names here."""


def adapted(raw: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The config as this project would write it, and a note for each change. ``raw`` is left as it is."""
    runtimes = raw.get("modelsRuntime")
    if not isinstance(runtimes, list):
        return dict(raw), ()
    changed: list[Any] = []
    notes: list[Problem] = []
    for number, runtime in enumerate(runtimes):
        if isinstance(runtime, Mapping):
            mine = dict(runtime)
            notes += [Problem(path_of(("modelsRuntime", number, key)), text) for key, text in _adapt(mine)]
            changed.append(mine)
        else:
            changed.append(runtime)
    return {**raw, "modelsRuntime": changed}, tuple(notes)


def _adapt(runtime: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Change ``runtime``; yield each key with its note."""
    kind = runtime.get("type")
    if isinstance(kind, str) and kind not in set(RuntimeType) and kind.lower() in set(RuntimeType):
        runtime["type"] = kind.lower()
        yield "type", f"is written in lower case here; {shown(kind)} is read as {shown(kind.lower())}"
    kind, model = runtime.get("type"), runtime.get("modelFilename")
    if kind == RuntimeType.COMFYUI and isinstance(model, str) and model:
        del runtime["modelFilename"]
        yield (
            "modelFilename",
            f"has no effect for comfyui, whose workflows name their models; {shown(model)} is ignored",
        )
    yield from _environment(runtime)


def _environment(runtime: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    values: Any = runtime.get("extraValues")
    for key in ("runtime", "queueAgent", "extraEnv"):
        values = values.get(key) if isinstance(values, Mapping) else None
    # The guidance's chart takes a mapping; Kubernetes has a list of names and values.
    names = (
        values if isinstance(values, Mapping) else [one.get("name") for one in values or () if isinstance(one, Mapping)]
    )
    for old, new in RENAMED_ENVIRONMENT.items():
        if old in names:
            yield (
                "extraValues.runtime.queueAgent.extraEnv",
                f'{old} has no effect; callbacks when a task begins are switched on by {new}: "true"',
            )
