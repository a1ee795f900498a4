"""A task: what a client asks for, checked once at the edge and typed from there on."""

import json
import re
from collections.abc import Collection
from itertools import islice
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from contract.errors import MAX_PROBLEMS, ContractError, Problem, problems_of
from contract.object_keys import RESERVED_PREFIX
from contract.runtimes import TaskType

MAX_ID_LENGTH = 64
MAX_RUNTIME_LENGTH = 64
"""The name travels as a message attribute; config.yaml allows shorter ones only."""

MAX_PREFIX_BYTES = 512
"""S3 keys hold 1,024 bytes; the rest is for the id, twice, the code, the number and the extension."""

MAX_CONTEXT_BYTES = 64 * 1024
"""The context travels in the task's message and in the callback, with the places of the images; an SNS message holds
256 KiB."""

_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_ID_LENGTH}}}")


def is_task_id(value: str) -> bool:
    """Whether a task may have this id."""
    return _ID.fullmatch(value) is not None and bool(value.strip("."))


def _checked_id(value: str) -> str:
    if not is_task_id(value):
        raise ValueError(f"must be 1 to {MAX_ID_LENGTH} of letters, digits, '.', '_' and '-', and more than dots")
    return value


def _checked_runtime(value: str) -> str:
    if not 1 <= len(value) <= MAX_RUNTIME_LENGTH or not value.isprintable():
        raise ValueError(f"must be a runtime's name, 1 to {MAX_RUNTIME_LENGTH} printable characters")
    return value


def checked_prefix(value: str) -> str:
    """The folder, without a slash at its end. Raises ValueError when outputs cannot be stored below it."""
    prefix = value.removesuffix("/")
    parts = prefix.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise ValueError(
            "must be a folder such as 'output' or 'team/output': no leading '/', no empty part, no '.' or '..'"
        )
    if not prefix.isprintable() or "\\" in prefix:
        raise ValueError("must not hold control characters or backslashes")
    if len(prefix.encode()) > MAX_PREFIX_BYTES:
        raise ValueError(f"must be at most {MAX_PREFIX_BYTES} bytes long")
    if parts[0] == RESERVED_PREFIX:
        raise ValueError(f"must not be below {RESERVED_PREFIX!r}, which is emptied by the platform")
    return prefix


def checked_context(value: Any) -> Any:
    """The value, if it is JSON that a callback can carry. Raises ValueError."""
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (ValueError, RecursionError) as error:
        raise ValueError("must be JSON: finite numbers, not nested beyond reason") from error
    if size > MAX_CONTEXT_BYTES:
        raise ValueError(
            f"must be at most {MAX_CONTEXT_BYTES} bytes of JSON, is {size}; put large data in S3 and send its URL"
        )
    return value


def _uncopied(value: Any, check: ValidatorFunctionWrapHandler) -> dict[str, Any]:
    """The object itself, as JSON gives it: its names are text, and a copy of a million of them takes long."""
    content: dict[str, Any] = value if type(value) is dict else check(value)
    return content


TaskId = Annotated[str, AfterValidator(_checked_id)]
RuntimeName = Annotated[str, AfterValidator(_checked_runtime)]
Prefix = Annotated[str, AfterValidator(checked_prefix)]
Content = Annotated[dict[str, Any], WrapValidator(_uncopied)]
Context = Annotated[Any, AfterValidator(checked_context)]


class Metadata(BaseModel):
    """Who asks for what, and where it goes.

    ``context`` is any JSON value of at most 64 KiB and comes back unchanged in the callback.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: TaskId
    runtime: RuntimeName
    tasktype: Annotated[TaskType, Field(strict=False)]
    prefix: Prefix
    context: Context = None


class Task(BaseModel):
    """One piece of work. ``content`` is the body that the runtime takes, as its own API describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    metadata: Metadata
    content: Content


def parse_task(value: Any) -> Task:
    """Check ``{"task": {"metadata": …, "content": …}}``.

    Raises ContractError with every problem at once; unknown fields are counted, and not each made a problem of.
    """
    if not isinstance(value, dict):
        raise ContractError([Problem("", f"the body must be a JSON object, got {type(value).__name__}")])
    found: list[Problem] = []
    unknown = [_Unknown(value, ("task",), "", "a request holds only 'task'")]
    task = None
    if "task" not in value:
        found.append(Problem("task", "is required"))
    else:
        known = _known(value["task"], unknown)
        try:
            task = Task.model_validate(known)
        except ValidationError as error:
            found += problems_of(error, ["task"])
    omitted = sum(fields.count - len(fields.listed) for fields in unknown)
    refusal = ContractError([*found, *(problem for fields in unknown for problem in fields.listed)], omitted=omitted)
    if refusal.problems or task is None:
        raise refusal
    return task


class _Unknown:
    """The fields of an object that are not among ``known``: their number, and a problem for each of the first."""

    def __init__(self, value: dict[str, Any], known: Collection[str], path: str, hint: str) -> None:
        self.count = len(value) - sum(name in value for name in known)
        names = islice((name for name in value if name not in known), MAX_PROBLEMS)
        self.listed = (
            [Problem(f"{path}{name}", f"is not a known field; {hint}") for name in names] if self.count else []
        )


def _known(task: Any, unknown: list[_Unknown]) -> Any:
    """``task`` with its known fields only; ``unknown`` gains the others."""
    if not isinstance(task, dict):
        return task
    unknown.append(_Unknown(task, Task.model_fields, "task.", "a task holds 'metadata' and 'content'"))
    known = {name: task[name] for name in Task.model_fields if name in task}
    metadata = known.get("metadata")
    if isinstance(metadata, dict):
        unknown.append(_Unknown(metadata, Metadata.model_fields, "task.metadata.", "put your own data into 'context'"))
        known["metadata"] = {name: metadata[name] for name in Metadata.model_fields if name in metadata}
    return known
