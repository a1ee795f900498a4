"""Which rules of a policy a task breaks."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from contract.errors import MAX_PROBLEMS, Problem
from contract.image_kit import SCALE, SCALES
from contract.links import find_links, link_problem
from contract.policy import nodes, webui
from contract.policy.counts import excesses
from contract.policy.model import TaskPolicy
from contract.policy.numbers import number, over_cap
from contract.runtimes import RuntimeType, TaskType


def violations(
    policy: TaskPolicy, runtime_type: RuntimeType, tasktype: TaskType, content: Mapping[str, Any]
) -> list[Problem]:
    """What of ``content`` the policy forbids: MAX_PROBLEMS at most, each with its cap and the value.

    Fields are paths in ``content``. ``content`` may be any JSON object; what is malformed is passed over here. Where it
    holds too many entries, nothing else of it is looked at.
    """
    if too_many := list(excesses(runtime_type, content)):
        return too_many
    try:
        return list(islice(_violations(policy, runtime_type, tasktype, content), MAX_PROBLEMS))
    except RecursionError:
        return [Problem("", "must not be nested beyond what can be checked")]


def _violations(
    policy: TaskPolicy, runtime_type: RuntimeType, tasktype: TaskType, content: Mapping[str, Any]
) -> Iterator[Problem]:
    yield from _link_violations(policy, content)
    match runtime_type:
        case RuntimeType.SDWEBUI:
            yield from webui.violations(policy, tasktype, content)
        case RuntimeType.COMFYUI:
            yield from nodes.workflow_violations(policy, content)
        case RuntimeType.INVOKEAI:
            yield from nodes.graph_violations(policy, content)
        case RuntimeType.IMAGEKIT:
            scale = number(content.get(SCALE), SCALES[0])
            yield from over_cap(SCALE, "", scale, policy.max_upscaling, "maxUpscaling")


def _link_violations(policy: TaskPolicy, content: Mapping[str, Any]) -> Iterator[Problem]:
    links = find_links(content)
    for path, link in islice(links, policy.max_links):
        if problem := link_problem(link):
            yield Problem(".".join(str(key) for key in path), f"is a link that cannot be fetched: {problem}")
    if next(links, None) is not None:
        yield Problem("", f"must hold at most {policy.max_links} links (taskPolicy.maxLinks), got more")
