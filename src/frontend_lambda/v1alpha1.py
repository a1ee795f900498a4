"""``POST /v1alpha1``: the body of the WebUI itself, with the routing in ``alwayson_scripts``. It becomes the same task.

Two forms are taken: the guide's, where the body is the WebUI's, and that of clients which wrap it as ``{"task": {…}}``.
"""

import re
from collections.abc import Mapping
from typing import Any

from contract.catalog import Catalog, RuntimeEntry
from contract.errors import ContractError, Problem, shown
from contract.runtimes import TaskType
from frontend_lambda.admission import Admission, admit, part
from frontend_lambda.content import MODEL_KEY, SCRIPTS

TASKS = (TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE)
DEFAULT_PREFIX = "output"

ROUTING_KEYS = frozenset({"task", "id_task", "save_dir", "uid", "image_link", "override_settings", "sd_vae", MODEL_KEY})
"""Taken out of ``alwayson_scripts``. Only the model stays, for runtimes that switch to it."""

FIELDS = {
    "task.metadata.id": f"{SCRIPTS}.id_task",
    "task.metadata.prefix": f"{SCRIPTS}.save_dir",
    "task.metadata.context": f"{SCRIPTS}.uid",
}
"""Where this version's callers find what the task calls otherwise."""

_NEXT_LINK = re.compile(r",(?=\s*(?:https?|s3)://)")
_LINK = re.compile(r"(?:https?|s3)://\S+")


def accept(body: Any, catalog: Catalog) -> Admission:
    """Raises ContractError with everything that is wrong, by the names of this version's fields."""
    wrapped = _is_wrapped(body)
    try:
        return _accept(body["task"] if wrapped else body, catalog)
    except ContractError as error:
        if not wrapped:
            raise
        raise ContractError(Problem(f"task.{p.field}", p.problem) for p in error.problems) from error


def task_id(body: Any) -> Any:
    """Where this version's requests carry the task's id, checked or not."""
    return part(body["task"] if _is_wrapped(body) else body, SCRIPTS, "id_task")


def _is_wrapped(body: Any) -> bool:
    return isinstance(body, dict) and SCRIPTS not in body and isinstance(body.get("task"), dict)


def _accept(body: Any, catalog: Catalog) -> Admission:
    scripts = part(body, SCRIPTS)
    if not isinstance(body, dict) or not isinstance(scripts, dict):
        raise ContractError([Problem(SCRIPTS, "is required: an object with task, id_task and sd_model_checkpoint")])
    problems: list[Problem] = []
    runtime = _runtime(scripts, catalog, problems)
    metadata = _metadata(scripts, runtime, problems)
    content = _content(body, scripts, problems)
    if runtime and runtime.dynamic:
        content[SCRIPTS][MODEL_KEY] = scripts[MODEL_KEY]
    value = {"task": {"metadata": metadata, "content": content}}
    try:
        task = admit(value, runtime, problems)
    except ContractError as error:
        raise ContractError(Problem(_their_name(p.field, body), p.problem) for p in error.problems) from error
    model = scripts[MODEL_KEY]
    by_model = {MODEL_KEY: model}
    attributes = by_model if catalog.loading(model) else {"runtime": task.metadata.runtime}
    return Admission(task, attributes=attributes, answer=by_model)


def _runtime(scripts: Mapping[str, Any], catalog: Catalog, problems: list[Problem]) -> RuntimeEntry | None:
    model = scripts.get(MODEL_KEY)
    switching = catalog.dynamic()
    if isinstance(model, str) and model:
        if loading := catalog.loading(model):
            return loading
        if len(switching) == 1:
            return switching[0]
    problems.append(Problem(f"{SCRIPTS}.{MODEL_KEY}", _no_runtime(model, catalog)))
    return None


def _no_runtime(model: Any, catalog: Catalog) -> str:
    if model is None:
        return "is required: the model's file name"
    if not isinstance(model, str) or not model:
        return f"must be a model's file name, got {shown(model)}"
    problem = f"must be one of {', '.join(repr(known) for known in catalog.models) or 'none'}, got {shown(model)}"
    if several := ", ".join(repr(runtime.name) for runtime in catalog.dynamic()):
        problem += f"; more than one runtime switches models ({several}): name one in a /v1alpha2 request"
    return problem


def _metadata(scripts: Mapping[str, Any], runtime: RuntimeEntry | None, problems: list[Problem]) -> dict[str, Any]:
    tasktype = scripts.get("task")
    if tasktype not in TASKS:
        allowed = " or ".join(repr(allowed.value) for allowed in TASKS)
        got = f", got {shown(tasktype)}" if "task" in scripts else ""
        problems.append(Problem(f"{SCRIPTS}.task", f"must be {allowed}{got}; other tasks go to /v1alpha2"))
        tasktype = TaskType.TEXT_TO_IMAGE  # refused already; the rest is still checked
    metadata = {
        "runtime": runtime.name if runtime else "none",  # as above
        "tasktype": tasktype,
        "prefix": scripts.get("save_dir", DEFAULT_PREFIX),
    }
    if "id_task" in scripts:
        metadata["id"] = scripts["id_task"]
    if "uid" in scripts:
        metadata["context"] = {"uid": scripts["uid"]}
    return metadata


def _content(body: Mapping[str, Any], scripts: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    kept = {key: _with_pictures(key, value, problems) for key, value in scripts.items() if key not in ROUTING_KEYS}
    content = {**body, SCRIPTS: kept}
    if links := _links(scripts.get("image_link"), f"{SCRIPTS}.image_link", problems):
        content["init_images"] = links
    if settings := _override_settings(body, scripts, problems):
        content["override_settings"] = settings
    return content


def _with_pictures(name: str, script: Any, problems: list[Problem]) -> Any:
    """ControlNet's units carry their picture as ``image``; ``image_link`` is this API's word for a link there."""
    units = part(script, "args")
    if name.lower() != "controlnet" or not isinstance(units, list):
        return script
    return {**script, "args": [_unit(unit, f"{SCRIPTS}.{name}.args.{i}", problems) for i, unit in enumerate(units)]}


def _unit(unit: Any, field: str, problems: list[Problem]) -> Any:
    if not isinstance(unit, dict) or "image_link" not in unit:
        return unit
    links = _links(unit["image_link"], f"{field}.image_link", problems)
    without = {key: value for key, value in unit.items() if key != "image_link"}
    if len(links) > 1:
        problems.append(Problem(f"{field}.image_link", f"must be one link, got {len(links)}"))
    return {**without, "image": links[0]} if links else without


def _links(value: Any, field: str, problems: list[Problem]) -> list[str]:
    """Links, separated by commas. Absent, null and empty mean none."""
    if value is None or value == "":
        return []
    if not isinstance(value, str):
        problems.append(Problem(field, f"must be a link, got {shown(value)}"))
        return []
    links = [link.strip() for link in _NEXT_LINK.split(value)]
    problems += (
        Problem(field, f"must be an http://, https:// or s3:// link, got {shown(link)}")
        for link in links
        if not _LINK.fullmatch(link)
    )
    return links


def _override_settings(body: Mapping[str, Any], scripts: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The WebUI's own, then ``sd_vae``, then those of the routing: the later one wins."""
    vae = scripts.get("sd_vae")
    return {
        **_settings(body.get("override_settings"), "override_settings", problems),
        **({} if vae is None else {"sd_vae": vae}),
        **_settings(scripts.get("override_settings"), f"{SCRIPTS}.override_settings", problems),
    }


def _settings(value: Any, field: str, problems: list[Problem]) -> dict[str, Any]:
    if value is None or isinstance(value, dict):
        return value or {}
    problems.append(Problem(field, f"must be an object, got {shown(value)}"))
    return {}


def _their_name(field: str, body: Mapping[str, Any]) -> str:
    if field == "task.content.init_images" and "init_images" not in body:
        return f"{SCRIPTS}.image_link"
    return FIELDS.get(field, field.removeprefix("task.content."))
