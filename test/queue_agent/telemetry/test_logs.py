"""The log, as it leaves the process."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]

START = "import logging; from queue_agent.telemetry.logs import start_logging; start_logging({level!r}, 'sdruntime'); "


async def logged(program: str, level: str = "INFO", **environment: str) -> list[dict[str, Any]]:
    """The lines that a program of its own writes on standard output, each of which must be JSON."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", START.format(level=level) + program),
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err) == (0, b"")
    return [json.loads(line) for line in out.decode().splitlines()]


async def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    # When
    (line,) = await logged("logging.getLogger('queue_agent').info('task completed', extra={'task_id': 'dog', 'n': 2})")

    # Then
    time = datetime.fromisoformat(line.pop("time"))
    assert time.tzinfo is not None
    assert abs((datetime.now(UTC) - time).total_seconds()) < 600
    assert line == {
        "level": "INFO",
        "logger": "queue_agent",
        "message": "task completed",
        "runtime": "sdruntime",
        "task_id": "dog",
        "n": 2,
    }


async def test_a_traceback_and_lines_of_strangers_stay_in_one_line() -> None:
    # When
    (line,) = await logged(
        "\ntry: raise RuntimeError('first\\nsecond')\n"
        'except RuntimeError as error: logging.error(\'odd\\n{"level": "forged"}\', exc_info=error)'
    )

    # Then
    assert line["message"] == 'odd\n{"level": "forged"}'
    assert line["level"] == "ERROR"
    assert "RuntimeError: first\nsecond" in line["exc_info"]


async def test_a_value_that_is_no_json_is_logged_as_text() -> None:
    (line,) = await logged(
        "logging.warning('odd', extra={'where': __import__('pathlib').Path('/a'), 'half': '\\ud800'})"
    )
    assert line["where"] == "/a"
    assert line["half"] == "\ud800"


async def test_the_level_decides_what_is_told() -> None:
    speak = "[logging.log(level, 'word') for level in (10, 20, 30, 40)]"
    assert [line["level"] for line in await logged(speak, "DEBUG")] == ["DEBUG", "INFO", "WARNING", "ERROR"]
    assert [line["level"] for line in await logged(speak, "ERROR")] == ["ERROR"]


async def test_no_credentials_reach_the_log_even_at_its_lowest_level(moto_url: str) -> None:
    """botocore speaks of credentials and signatures when it may."""
    # When
    lines = await logged(
        "import asyncio; from queue_agent.aws.clients import open_clients\n"
        "async def main():\n"
        "    async with open_clients('us-east-1') as clients:\n"
        "        await clients.sqs.list_queues()\n"
        "    logging.debug('done')\n"
        "asyncio.run(main())",
        "DEBUG",
        AWS_ENDPOINT_URL=moto_url,
        AWS_ACCESS_KEY_ID="AKIASECRET",
        AWS_SECRET_ACCESS_KEY="wJalrSECRET",
    )

    # Then
    assert [line["message"] for line in lines] == ["done"]


async def test_a_higher_level_holds_for_the_libraries_too() -> None:
    speak = "[logging.getLogger(name).warning('word') for name in ('botocore', 'aiohttp', 'queue_agent')]"
    assert [line["logger"] for line in await logged(speak, "INFO")] == ["botocore", "aiohttp", "queue_agent"]
    assert await logged(speak, "ERROR") == []
