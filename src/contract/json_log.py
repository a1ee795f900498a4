"""Structured logs of a Lambda function: one JSON object a line."""

import logging
import sys
import traceback
from pathlib import Path

from pythonjsonlogger.json import JsonFormatter


def level_problems(level: str) -> list[str]:
    """What is wrong with the value of LOGLEVEL, in capitals."""
    levels = logging.getLevelNamesMapping()
    return [] if level in levels else [f"LOGLEVEL must be one of {', '.join(levels)}, got {level!r}"]


def write_to_stdout(logger: logging.Logger, level: str) -> None:
    """Called once, by the process that owns the output: Lambda's own handler would wrap our lines in its text."""
    handler = logging.StreamHandler(sys.stdout)
    names = {"levelname": "level"}
    handler.setFormatter(JsonFormatter(["levelname", "message"], rename_fields=names, timestamp="time"))
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level)


def stack_of(error: BaseException) -> list[str]:
    """Where it happened, without the values that the error's own text may hold."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
