"""Which rules of a policy a task breaks."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from contract.errors import MAX_PROBLEMS, Problem, shown
from contract.links import Path, find_links, unclear_links
from contract.policy import nodes, webui
from contract.policy.model import TaskPolicy
from contract.runtimes import RuntimeType, TaskType


def violations(
    policy: TaskPolicy, runtime_type: RuntimeType, tasktype: TaskType, content: Mapping[str, Any]
) -> list[Problem]:
    """What of ``content`` the policy forbids: MAX_PROBLEMS at most, each with its cap and the value.

    Fields are paths in ``content``. ``content`` may be any JSON object; what is malformed is passed over here.
    """
    try:
        return list(islice(_violations(policy, runtime_type, tasktype, content), MAX_PROBLEMS))
    except RecursionError:
        return [Problem("", "must not be nested beyond what can be checked")]


def _violations(
    policy: TaskPolicy, runtime_type: RuntimeType, tasktype: TaskType, content: Mapping[str, Any]
) -> Iterator[Problem]:
    yield from _link_violations(policy, runtime_type, content)
    match runtime_type:
        case RuntimeType.SDWEBUI:
            yield from webui.violations(policy, tasktype, content)
        case RuntimeType.COMFYUI:
            yield from nodes.workflow_violations(policy, content)
        case RuntimeType.INVOKEAI:
            yield from nodes.graph_violations(policy, content)


def _link_violations(policy: TaskPolicy, runtime_type: RuntimeType, content: Mapping[str, Any]) -> Iterator[Problem]:
    count = sum(1 for _ in islice(find_links(content), policy.max_links + 1))
    if count > policy.max_links:
        yield Problem("", f"must hold at most {policy.max_links} links (taskPolicy.maxLinks), got more")
    for path, value in unclear_links(content):
        if runtime_type is RuntimeType.SDWEBUI or not _is_text(value):
            yield Problem(
                _field(path), f"must be a link without white space and of at most 8192 characters, got {shown(value)}"
            )


def _is_text(value: str) -> bool:
    """Whether there is white space inside, as in a sentence that begins with a link."""
    return len(value.split(maxsplit=1)) > 1


def _field(path: Path) -> str:
    return ".".join(str(part) for part in path)
