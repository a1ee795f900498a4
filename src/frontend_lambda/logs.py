"""Structured logs: one JSON object a line. No key, prompt or body is ever among its fields."""

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from contract.task import MAX_ID_LENGTH

LOGGER = logging.getLogger("frontend_lambda")


def write_to_stdout(level: str) -> None:
    """Called once, by the process that owns the output: Lambda's own handler would wrap our lines in its text."""
    handler = logging.StreamHandler(sys.stdout)
    names = {"levelname": "level"}
    handler.setFormatter(JsonFormatter(["levelname", "message"], rename_fields=names, timestamp="time"))
    LOGGER.handlers = [handler]
    LOGGER.propagate = False
    LOGGER.setLevel(level)


def loggable_id(task_id: Any) -> str | None:
    """The id of a task that may yet be refused: only what looks like one goes to the log."""
    return task_id if isinstance(task_id, str) and len(task_id) <= MAX_ID_LENGTH and task_id.isprintable() else None


def stack_of(error: BaseException) -> list[str]:
    """Where it happened, without the values that the error's own text may hold."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
