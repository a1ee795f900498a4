"""``options`` of a request: what the platform does with the task, apart from the run itself."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from contract.errors import MAX_PROBLEMS, ContractError, Problem, shown
from contract.task_table.item import Webhook
from contract.webhook import DEFAULT_EVENTS, webhook_problem
from frontend_lambda.body import whole

MAX_DEADLINE = 14 * 86_400
"""Seconds. No queue keeps a message for longer."""

MAX_LABELS = 16
MAX_LABEL_NAME, MAX_LABEL_VALUE = 64, 256
"""Characters. All labels of a task are part of its item, which is paid for by the kilobyte."""

FIELDS = ("deadline", "labels", "webhook")
WEBHOOK_FIELDS = ("url", "events")

_LABEL_NAME = re.compile(rf"[A-Za-z0-9._/-]{{1,{MAX_LABEL_NAME}}}")


@dataclass(frozen=True, slots=True)
class Options:
    """``deadline`` is in seconds from the submission: a task that has not ended by then expires."""

    deadline: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    webhook: Webhook | None = None


def read_options(value: Any, *, allow_loopback: bool) -> Options:
    """The options of a request. None means none; raises ContractError with everything that is wrong."""
    if value is None:
        return Options()
    if not isinstance(value, dict):
        raise ContractError([Problem("options", f"must be an object, got {shown(value)}")])
    problems = list(islice(_problems(value, allow_loopback=allow_loopback), MAX_PROBLEMS + 1))
    if problems:
        raise ContractError(problems)
    return Options(whole(value.get("deadline")), value.get("labels") or {}, _webhook(value.get("webhook")))


def label_problem(name: Any, value: Any) -> str | None:
    """What is wrong with a label; None when nothing is."""
    if not isinstance(name, str) or not _LABEL_NAME.fullmatch(name):
        return f"must have a name of 1 to {MAX_LABEL_NAME} letters, digits, '.', '_', '/' and '-', got {shown(name)}"
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_LABEL_VALUE or not value.isprintable():
        return f"must be text of 1 to {MAX_LABEL_VALUE} printable characters, got {shown(value)}"
    return None


def _problems(value: dict[str, Any], *, allow_loopback: bool) -> Iterator[Problem]:
    for name in value.keys() - FIELDS:
        yield Problem(f"options.{name}", f"is not a known field; options are {', '.join(map(repr, FIELDS))}")
    deadline = value.get("deadline")
    if deadline is not None and not 1 <= (whole(deadline) or 0) <= MAX_DEADLINE:
        yield Problem("options.deadline", f"must be 1 to {MAX_DEADLINE} whole seconds, got {shown(deadline)}")
    yield from _label_problems(value.get("labels"))
    yield from _webhook_problems(value.get("webhook"), allow_loopback=allow_loopback)


def _label_problems(labels: Any) -> Iterator[Problem]:
    if labels is None:
        return
    if not isinstance(labels, dict):
        yield Problem("options.labels", f"must be an object of texts, got {shown(labels)}")
    elif len(labels) > MAX_LABELS:
        yield Problem("options.labels", f"must be at most {MAX_LABELS}, got {len(labels)}")
    else:
        for name, text in labels.items():
            if problem := label_problem(name, text):
                yield Problem(f"options.labels.{name}", problem)


def _webhook_problems(webhook: Any, *, allow_loopback: bool) -> Iterator[Problem]:
    if webhook is None:
        return
    if not isinstance(webhook, dict):
        yield Problem("options.webhook", f"must be an object with url and events, got {shown(webhook)}")
        return
    for name in webhook.keys() - WEBHOOK_FIELDS:
        yield Problem(f"options.webhook.{name}", "is not a known field; a webhook has 'url' and 'events'")
    events = webhook.get("events", list(DEFAULT_EVENTS))
    yield from webhook_problem(webhook.get("url"), events, allow_loopback=allow_loopback)


def _webhook(value: Mapping[str, Any] | None) -> Webhook | None:
    if value is None:
        return None
    return Webhook(url=value["url"], events=tuple(value.get("events", DEFAULT_EVENTS)))
