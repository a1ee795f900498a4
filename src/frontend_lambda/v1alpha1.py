"""``POST /v1alpha1``: the body of the WebUI itself, with the routing in ``alwayson_scripts``. It becomes the same task.

Two forms are taken: the guide's, where the body is the WebUI's, and that of clients which wrap it as ``{"task": {…}}``.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from contract.catalog import Catalog, RuntimeEntry
from contract.clients import Client
from contract.errors import MAX_PROBLEMS, ContractError, Problem, shown
from contract.policy.counts import webui_excesses
from contract.runtimes import TaskType
from contract.webui import MODEL_KEY, OVERRIDES, PLATFORM_KEYS, SCRIPTS, merge_override_settings
from frontend_lambda.admission import Admission, admit
from frontend_lambda.body import part
from frontend_lambda.caller import Caller

TASKS = (TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE)
DEFAULT_PREFIX = "output"

FIELDS = {
    "task.metadata.id": f"{SCRIPTS}.id_task",
    "task.metadata.prefix": f"{SCRIPTS}.save_dir",
    "task.metadata.context": f"{SCRIPTS}.uid",
}
"""By the names of the task's fields: those that this version's callers know."""

STAND_IN = "s3://refused"
"""Takes the place of a refused link, so that it is not found wrong once more as an image."""

IMAGES = re.compile(r"task\.content\.init_images(\.\d+)?")
"""The fields that links of ``image_link`` become."""

_NEXT_LINK = re.compile(r",(?=\s*(?:https?|s3)://)")
_LINK = re.compile(r"(?:https?|s3)://\S+")


def accept(body: Any, caller: Caller) -> Admission:
    """Raises ContractError with everything that is wrong, by the names of this version's fields."""
    wrapped = _is_wrapped(body)
    try:
        return _accept(body["task"] if wrapped else body, caller)
    except ContractError as error:
        if not wrapped:
            raise
        problems = [Problem(f"task.{p.field}", p.problem) for p in error.problems]
        raise ContractError(problems, omitted=error.omitted) from error


def task_id(body: Any) -> Any:
    """Where this version's requests carry the task's id, checked or not."""
    return part(body["task"] if _is_wrapped(body) else body, SCRIPTS, "id_task")


def _is_wrapped(body: Any) -> bool:
    return isinstance(body, dict) and SCRIPTS not in body and isinstance(body.get("task"), dict)


def _accept(body: Any, caller: Caller) -> Admission:
    catalog, scripts = caller.catalog, part(body, SCRIPTS)
    if not isinstance(body, dict) or not isinstance(scripts, dict):
        raise ContractError([Problem(SCRIPTS, "is required: an object with task, id_task and sd_model_checkpoint")])
    if too_many := list(webui_excesses(body)):
        raise ContractError(too_many)
    runtime = _runtime(scripts.get(MODEL_KEY), catalog)
    content = _content(body, scripts)
    if runtime and runtime.dynamic:
        content[SCRIPTS][MODEL_KEY] = scripts[MODEL_KEY]
    value = {"task": {"metadata": _metadata(scripts, runtime, caller), "content": content}}
    problems = [] if runtime else [Problem(f"{SCRIPTS}.{MODEL_KEY}", _no_runtime(scripts.get(MODEL_KEY), catalog))]
    problems += islice(_problems(body, scripts), MAX_PROBLEMS)
    try:
        task = admit(value, runtime, caller, problems)
    except ContractError as error:
        renamed = [Problem(_name_in_request(p.field, body), p.problem) for p in error.problems]
        raise ContractError(renamed, omitted=error.omitted) from error
    by_model = {MODEL_KEY: scripts[MODEL_KEY]}
    attributes = by_model if catalog.loading(scripts[MODEL_KEY]) else {"runtime": task.metadata.runtime}
    return Admission(task, attributes=attributes, response=by_model)


def _runtime(model: Any, catalog: Catalog) -> RuntimeEntry | None:
    if not isinstance(model, str) or not model:
        return None
    switching = catalog.dynamic()
    return catalog.loading(model) or (switching[0] if len(switching) == 1 else None)


def _no_runtime(model: Any, catalog: Catalog) -> str:
    if model is None:
        return "is required: the model's file name"
    if not isinstance(model, str) or not model:
        return f"must be a model's file name, got {shown(model)}"
    problem = f"must be one of {', '.join(repr(known) for known in catalog.models) or 'none'}, got {shown(model)}"
    if several := ", ".join(repr(runtime.name) for runtime in catalog.dynamic()):
        problem += f"; more than one runtime switches models ({several}): name one in a /v1alpha2 request"
    return problem


def _problems(body: Mapping[str, Any], scripts: Mapping[str, Any]) -> Iterator[Problem]:
    """What only this version knows of; the model aside."""
    if scripts.get("task") not in TASKS:
        allowed = " or ".join(repr(allowed.value) for allowed in TASKS)
        got = f", got {shown(scripts['task'])}" if "task" in scripts else ""
        yield Problem(f"{SCRIPTS}.task", f"must be {allowed}{got}; other tasks go to /v1alpha2")
    yield from _link_problems(scripts.get("image_link"), f"{SCRIPTS}.image_link")
    for name, script in scripts.items():
        for index, unit in enumerate(_units(name, script)):
            if isinstance(unit, dict):
                yield from _link_problems(unit.get("image_link"), f"{SCRIPTS}.{name}.args.{index}.image_link", most=1)
    for holder, field in ((body, OVERRIDES), (scripts, f"{SCRIPTS}.{OVERRIDES}")):
        if not isinstance(holder.get(OVERRIDES), dict | None):
            yield Problem(field, f"must be an object, got {shown(holder[OVERRIDES])}")


def _link_problems(value: Any, field: str, most: int | None = None) -> Iterator[Problem]:
    if value is not None and not isinstance(value, str):
        yield Problem(field, f"must be a link, got {shown(value)}")
    links = _links(value)
    for link in links:
        if not _LINK.fullmatch(link):
            yield Problem(field, f"must be an http://, https:// or s3:// link, got {shown(link)}")
    if most is not None and len(links) > most:
        yield Problem(field, f"must be one link, got {len(links)}")


def _metadata(scripts: Mapping[str, Any], runtime: RuntimeEntry | None, caller: Caller) -> dict[str, Any]:
    """What stands in for a refused value passes the checks, so that they find all else that is wrong."""
    tasktype = scripts.get("task")
    metadata = {
        "runtime": runtime.name if runtime else "none",
        "tasktype": tasktype if tasktype in TASKS else TaskType.TEXT_TO_IMAGE,
        "prefix": scripts.get("save_dir", _default_prefix(caller.client)),
    }
    if "id_task" in scripts:
        metadata["id"] = scripts["id_task"]
    if "uid" in scripts:
        metadata["context"] = {"uid": scripts["uid"]}
    return metadata


def _default_prefix(client: Client) -> str:
    """The folder for requests that name none: the usual one, or the client's first."""
    return DEFAULT_PREFIX if client.may_store(DEFAULT_PREFIX) else client.prefixes[0]


def _content(body: Mapping[str, Any], scripts: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: _with_images(key, value) for key, value in scripts.items() if key not in PLATFORM_KEYS}
    content = {**body, SCRIPTS: kept}
    if links := _links(scripts.get("image_link")):
        content["init_images"] = [link if _LINK.fullmatch(link) else STAND_IN for link in links]
    if settings := merge_override_settings(body, scripts):
        content[OVERRIDES] = settings
    return content


def _with_images(name: str, script: Any) -> Any:
    """ControlNet's units carry their image as ``image``; ``image_link`` is this API's name for a link there."""
    units = _units(name, script)
    return {**script, "args": [_unit(unit) for unit in units]} if units else script


def _units(name: str, script: Any) -> list[Any]:
    units = part(script, "args") if name.lower() == "controlnet" else None
    return units if isinstance(units, list) else []


def _unit(unit: Any) -> Any:
    if not isinstance(unit, dict) or "image_link" not in unit:
        return unit
    links = _links(unit["image_link"])
    without = {key: value for key, value in unit.items() if key != "image_link"}
    return {**without, "image": links[0]} if links else without


def _links(value: Any) -> list[str]:
    """Links, separated by commas. Absent, null, empty and what is no text mean none."""
    return [link.strip() for link in _NEXT_LINK.split(value)] if isinstance(value, str) and value else []


def _name_in_request(field: str, body: Mapping[str, Any]) -> str:
    if "init_images" not in body and IMAGES.fullmatch(field):
        return f"{SCRIPTS}.image_link"
    return FIELDS.get(field, field.removeprefix("task.content").removeprefix("."))
