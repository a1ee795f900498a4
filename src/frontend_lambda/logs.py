"""Structured logs: one JSON object a line. No key, prompt or body is ever among its fields."""

import logging
from typing import Any

from contract import json_log
from contract.task import MAX_ID_LENGTH

LOGGER = logging.getLogger("frontend_lambda")

stack_of = json_log.stack_of


def write_to_stdout(level: str) -> None:
    """Called once, by the process that owns the output."""
    json_log.write_to_stdout(LOGGER, level)


def loggable_id(task_id: Any) -> str | None:
    """The id of a task that may yet be refused: only what looks like one goes to the log."""
    return task_id if isinstance(task_id, str) and len(task_id) <= MAX_ID_LENGTH and task_id.isprintable() else None
