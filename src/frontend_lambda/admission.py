"""What both API versions have in common: a task is admitted when there is a runtime that serves it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from contract.catalog import RuntimeEntry
from contract.errors import ContractError, Problem, shown
from contract.policy import violations
from contract.runtimes import TASK_TYPES, TaskType
from contract.task import Task, parse_task
from frontend_lambda.content import CONTENT, content_problems


@dataclass(frozen=True, slots=True)
class Admission:
    """A task that a queue waits for.

    ``attributes`` are the message attributes by which SNS finds that queue. ``response`` is what the caller gets in
    addition to the task's id and folder.
    """

    task: Task
    attributes: Mapping[str, str]
    response: Mapping[str, str]


def admit(value: Any, runtime: RuntimeEntry | None, earlier: Iterable[Problem]) -> Task:
    """The task of ``{"task": {…}}``, for ``runtime``.

    ``runtime`` is None where the request names none that there is.
    Raises ContractError with all that is wrong: ``earlier``, which the caller found, and what is found here.
    """
    task, found, omitted = None, [*earlier], 0
    try:
        task = parse_task(value)
    except ContractError as error:
        found += error.problems
        omitted = error.omitted
    refusal = ContractError(chain(found, _problems(value, runtime)), omitted=omitted)
    if task is None or runtime is None or refusal.problems:
        raise refusal
    return task


def part(value: Any, *keys: str) -> Any:
    """The value at ``keys`` in JSON that is not checked yet; None where it does not go so deep."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _problems(value: Any, runtime: RuntimeEntry | None) -> Iterator[Problem]:
    tasktype, content = part(value, "task", "metadata", "tasktype"), part(value, "task", "content")
    if not isinstance(tasktype, str) or tasktype not in set(TaskType):
        return
    if runtime is not None and tasktype not in TASK_TYPES[runtime.type]:
        served = ", ".join(repr(served.value) for served in TASK_TYPES[runtime.type])
        yield Problem(
            "task.metadata.tasktype",
            f"runtime {runtime.name!r} is of type {runtime.type.value} and serves {served}, got {shown(tasktype)}",
        )
    elif isinstance(content, dict):
        yield from content_problems(content, TaskType(tasktype))
        if runtime is not None:
            for violation in violations(runtime.policy, runtime.type, TaskType(tasktype), content):
                yield Problem(f"{CONTENT}.{violation.field}".rstrip("."), violation.problem)
