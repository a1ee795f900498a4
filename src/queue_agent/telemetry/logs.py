"""One JSON line an event, on standard output."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter


def start_logging(level: str, runtime: str) -> None:
    """``level`` as in LOGLEVEL; every line carries the runtime's name."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger"},
            static_fields={"runtime": runtime},
            timestamp="time",
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # botocore speaks of credentials and of every call at its lower levels.
    for name in ("botocore", "aiobotocore", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
