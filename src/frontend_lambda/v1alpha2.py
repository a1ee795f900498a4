"""``POST /v1alpha2``: the task as the contract writes it, with the runtime's name."""

from typing import Any

from contract.errors import Problem, shown
from frontend_lambda.admission import Admission, admit
from frontend_lambda.body import part
from frontend_lambda.caller import Caller


def accept(body: Any, caller: Caller) -> Admission:
    """Raises ContractError with everything that is wrong."""
    name = part(body, "task", "metadata", "runtime")
    runtime = caller.catalog.named(name) if isinstance(name, str) else None
    problems = []
    if runtime is None and isinstance(name, str) and name:
        known = ", ".join(repr(one) for one in caller.catalog.names)
        problems.append(Problem("task.metadata.runtime", f"must be one of {known}, got {shown(name)}"))
    task = admit(body, runtime, caller, problems)
    routing = {"runtime": task.metadata.runtime}
    return Admission(task, attributes=routing, response=routing)


def task_id(body: Any) -> Any:
    """Where this version's requests carry the task's id, checked or not."""
    return part(body, "task", "metadata", "id")
