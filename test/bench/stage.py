"""What every benchmark of the agent stands on: moto, a world in it, and agents as processes of their own."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from queue_agent.aws.clients import open_clients
from test.support.world import World, make_world
from utils.local.aws_proxy import Conditions, aws_proxy
from utils.local.ports import listen

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"

TABLE_WIDTH = 140
"""Characters; the widest of our tables."""


@asynccontextmanager
async def moto() -> AsyncIterator[str]:
    """A moto server in a process of its own; yields its endpoint."""
    with listen() as listening:
        fd = listening.fileno()
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "utils.local.exit_with_parent", "utils.local.aws_server", str(fd)),
            cwd=ROOT,
            env=environment({}),
            pass_fds=(fd,),
            stdin=asyncio.subprocess.PIPE,
            stderr=DEVNULL,
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            await end(server)


@asynccontextmanager
async def a_world(endpoint: str, conditions: Conditions, *, tables: bool = False) -> AsyncIterator[tuple[World, str]]:
    """A world whose agents go through a proxy under ``conditions``; yields it with the proxy's endpoint. With
    ``tables`` it has a table of tasks."""
    os.environ.update(credentials(endpoint))
    async with open_clients(REGION, tables=tables) as direct, aws_proxy(endpoint, conditions) as proxied:
        yield await make_world(direct, direct), proxied


def agent_environment(world: World, proxied: str, runtime_url: str, **more: str) -> dict[str, str]:
    """What an agent of the world is told; ``more`` wins."""
    return environment(
        {
            **credentials(proxied),
            "SQS_QUEUE_URL": world.queue_url,
            "DEAD_LETTER_QUEUE_URL": world.dead_letter_url,
            "SNS_TOPIC_ARN": world.topic_arn,
            "S3_BUCKET": world.bucket,
            "TASKS_TABLE": world.table or "",
            "RUNTIME_TYPE": "sdwebui",
            "RUNTIME_NAME": "r",
            "API_BASE_URL": runtime_url,
            "HEALTH_PORT": "0",
            "HEALTH_HOST": "127.0.0.1",
            "ALLOWED_LINK_HOSTS": "127.0.0.0/8",
            "LOGLEVEL": "WARNING",
            **more,
        }
    )


def environment(more: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.defpath, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONUNBUFFERED": "1", **more}


def credentials(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


async def start_agent(
    settings: Mapping[str, str], *, module: str = "queue_agent", log: Path | None = None, python: str = sys.executable
) -> Process:
    """An agent as a process of the interpreter ``python``; its log goes to ``log`` or nowhere."""
    if log is None:
        return await asyncio.create_subprocess_exec(python, "-m", module, cwd=ROOT, env=dict(settings), stdout=DEVNULL)
    with log.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            python, "-m", module, cwd=ROOT, env=dict(settings), stdout=file, stderr=file
        )


async def end(process: Process, seconds: float = 30) -> int:
    """SIGTERM, and SIGKILL after the limit; the exit code."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode


def console() -> Console:
    """Where tables go: wide enough for them where nobody says how wide it is."""
    return Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
