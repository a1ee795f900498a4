"""The agent as a process: what it exits with, and what it says before it does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from test.bench.stage import agent_environment, end, environment, free_port, start_agent
from test.bench.webui import Gpu, webui
from test.support.world import World, until


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "agent.jsonl"


def text(log: Path) -> str:
    return log.read_text()


def lines(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in text(log).splitlines()]


def actions(log: Path) -> list[object]:
    return [line.get("action") for line in lines(log)]


@asynccontextmanager
async def an_agent(
    world: World, moto_url: str, runtime_url: str, log: Path, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = agent_environment(world, moto_url, runtime_url, LOGLEVEL="INFO", **more)
    process = await start_agent(settings, log=log)
    try:
        yield process
    finally:
        await end(process)


async def test_a_fault_of_its_own_ends_the_process_with_its_cause(
    world: World, moto_url: str, log: Path, tmp_path: Path
) -> None:
    # Given an adapter that breaks its contract as it is asked whether the runtime is ready
    (tmp_path / "sitecustomize.py").write_text(
        "from queue_agent.runtimes.sdwebui import adapter\n"
        "async def check_ready(self):\n"
        "    return None.get('system')\n"
        "adapter.Adapter.check_ready = check_ready\n"
    )
    settings = agent_environment(world, moto_url, "http://127.0.0.1:9", LOGLEVEL="INFO")
    # When the agent starts
    process = await start_agent({**settings, "PYTHONPATH": f"{tmp_path}:{settings['PYTHONPATH']}"}, log=log)
    # Then it ends, instead of living on without a watch
    assert await asyncio.wait_for(process.wait(), 30) == 1
    (exit_line,) = [line for line in lines(log) if line.get("action") == "exit"]
    assert exit_line["cause_type"] == "AttributeError"
    assert "has no attribute 'get'" in str(exit_line["cause"])


async def test_wrong_settings_are_all_named_at_once_and_exit_2(log: Path) -> None:
    # Given an environment with three mistakes and a secret
    settings = environment(
        {
            "AWS_DEFAULT_REGION": "us-east-1",
            "SNS_TOPIC_ARN": "arn:aws:sns:us-east-1:1:t",
            "S3_BUCKET": "b",
            "RUNTIME_TYPE": "fooocus",
            "RUNTIME_NAME": "r",
            "API_BASE_URL": "http://127.0.0.1:1",
            "MAX_ATTEMPTS": "none",
            "AWS_SECRET_ACCESS_KEY": "very-secret",
        }
    )
    # When the agent starts
    process = await start_agent(settings, log=log)
    # Then it names each, what is allowed, and nothing else
    assert await asyncio.wait_for(process.wait(), 60) == 2
    said = text(log)
    assert "SQS_QUEUE_URL: is required" in said
    assert "RUNTIME_TYPE: must be 'sdwebui', 'comfyui', 'invokeai' or 'imagekit', got 'fooocus'" in said
    assert "MAX_ATTEMPTS" in said
    assert "very-secret" not in said


@pytest.mark.slow
async def test_a_process_serves_its_probes_works_and_exits_0_on_sigterm(world: World, moto_url: str, log: Path) -> None:
    # Given an agent beside a WebUI, and a task
    port = free_port()
    async with webui(Gpu(0.05)) as runtime, an_agent(world, moto_url, runtime, log, HEALTH_PORT=str(port)) as process:
        async with aiohttp.ClientSession() as session:
            await until(lambda: _status(session, port, "readyz", 200))
            assert await _status(session, port, "healthz", 200)
        await world.ask("dog")
        (callback,) = await until(world.callbacks)
        assert callback["result"] is True
        # When it is told to stop, then it goes with 0
        assert await end(process) == 0
    # And its log tells the story, one JSON line an event, with the runtime's name
    assert actions(log) == ["started", "ready", "completed", "stop", "stopped"]
    assert {line["runtime"] for line in lines(log)} == {"r"}
    assert "a dog" not in text(log)


async def test_a_runtime_that_stays_away_ends_the_process_with_1(world: World, moto_url: str, log: Path) -> None:
    # Given nothing listens where the runtime should be
    async with an_agent(world, moto_url, f"http://127.0.0.1:{free_port()}", log, RUNTIME_AWAY_LIMIT="1") as process:
        # Then the process gives up and says why
        assert await asyncio.wait_for(process.wait(), 60) == 1
    assert lines(log)[-1]["action"] == "exit"
    assert "was not ready for 1 s" in str(lines(log)[-1]["message"])


async def _status(session: aiohttp.ClientSession, port: int, path: str, expected: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/{path}") as answer:
            return answer.status == expected
    except aiohttp.ClientConnectionError:
        return False
