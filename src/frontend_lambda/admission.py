"""What both API versions have in common: a task is admitted when there is a runtime that serves it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from contract.catalog import RuntimeEntry
from contract.errors import ContractError, Problem, shown
from contract.policy import excesses, violations
from contract.runtimes import TASK_TYPES, TaskType
from contract.task import Task, parse_task
from frontend_lambda.body import part
from frontend_lambda.caller import Caller
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


def admit(value: Any, runtime: RuntimeEntry | None, caller: Caller, earlier: Iterable[Problem]) -> Task:
    """The task of ``{"task": {…}}`` that ``caller`` sends, for ``runtime``.

    ``runtime`` is None where the request names none that there is.
    Raises ContractError with all that is wrong: ``earlier``, which the caller found, and what is found here.
    """
    task, found, omitted = None, [*earlier], 0
    try:
        task = parse_task(value)
    except ContractError as error:
        found += error.problems
        omitted = error.omitted
    refusal = ContractError(chain(found, _problems(value, runtime), _foreign(value, caller)), omitted=omitted)
    if task is None or runtime is None or refusal.problems:
        raise refusal
    return task


def _foreign(value: Any, caller: Caller) -> Iterator[Problem]:
    """What belongs to other clients."""
    prefix, content = part(value, "task", "metadata", "prefix"), part(value, "task", "content")
    if isinstance(prefix, str) and not caller.client.may_store(prefix.removesuffix("/")):
        yield Problem("task.metadata.prefix", f"must be {caller.client.own_folders}, or below, got {shown(prefix)}")
    if isinstance(content, dict):
        for problem in caller.client.link_problems(content, caller.output_bucket):
            yield Problem(f"{CONTENT}.{problem.field}", problem.problem)


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
        if runtime is None or not any(excesses(runtime.type, content)):
            yield from content_problems(content, TaskType(tasktype))
        if runtime is not None:
            for violation in violations(runtime.policy, runtime.type, TaskType(tasktype), content):
                yield Problem(f"{CONTENT}.{violation.field}".rstrip("."), violation.problem)
