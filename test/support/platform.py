"""A local platform in a process of its own, started as a user starts it."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from utils.local import running as running_file
from utils.local.cloud import REGION, Access
from utils.local.services import ROOT
from utils.smoke.callbacks import Listener, listening

PATIENCE = 60.0
"""Seconds after which a wait fails; generous, for a busy machine."""

MODEL = "v1-5-pruned-emaonly.safetensors"

CONFIG: dict[str, Any] = {
    "modelBucketArn": "arn:aws:s3:::models",
    "APIGW": {"throttle": {"rateLimit": 50, "burstLimit": 20}},
    "modelsRuntime": [
        {"name": "sdruntime", "namespace": "default", "type": "sdwebui", "modelFilename": MODEL},
        {"name": "flow", "namespace": "default", "type": "comfyui"},
        {"name": "graph", "namespace": "default", "type": "invokeai"},
    ],
}
"""One runtime of each type; the throttle is low, so that a test can reach it, and quick to recover."""

HOSTILE = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1",
    "AWS_CA_BUNDLE": "/nowhere",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "HTTP_PROXY": "http://127.0.0.1:1",
}
"""A developer's own settings, none of which may reach the platform."""


@dataclass(frozen=True, slots=True)
class Running:
    """A platform that serves. ``addresses`` as ``running.json`` has them."""

    process: "subprocess.Popen[bytes]"
    output: Path
    addresses: running_file.Addresses

    @property
    def access(self) -> Access:
        return Access(self.addresses.aws_endpoint_url)

    @property
    def printed(self) -> str:
        """What its terminal showed so far."""
        return _printed(self.output).read_text()

    def log(self, service: str) -> str:
        return (Path(self.addresses.logs) / f"{service}.log").read_text()

    def process_of(self, *arguments: str) -> psutil.Process | None:
        """The process whose command line holds all ``arguments``, if there is one."""
        for child in self.processes():
            try:
                if set(arguments) <= set(child.cmdline()):
                    return child
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return None

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """Hears every callback from now on."""
        async with self.access.clients() as clients, listening(clients, self.addresses.topic_arn) as listener:
            yield listener


def command(*arguments: str) -> list[str]:
    """The command line of the local platform."""
    return [sys.executable, "-P", "-m", "utils.local", *arguments]


def environment() -> dict[str, str]:
    """A user's environment, whose AWS settings the platform must ignore."""
    return {**os.environ, **HOSTILE, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}


def write_config(folder: Path, **changes: Any) -> Path:
    """CONFIG with ``changes``, as a file."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, **changes}))
    return path


def addresses_of(endpoint: str) -> running_file.Addresses:
    """Those of a platform of which only the embedded AWS is there, at ``endpoint``."""
    return running_file.Addresses(
        endpoint="",
        api_key="",
        api_keys={"default": ""},
        bucket="",
        topic_arn="",
        aws_endpoint_url=endpoint,
        region=REGION,
        logs="",
        agents={},
        queues={},
        pid=0,
    )


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Running]:
    """A platform with its output in ``folder``; killed at the end if it still runs."""
    folder.mkdir(parents=True, exist_ok=True)
    with _printed(folder).open("wb") as printed:
        process = subprocess.Popen(
            command("--port", "0", "--output", str(folder), "--seconds-per-step", "0.001", *arguments),
            env=environment(),
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: "Ctrl-C stops it" in _printed(folder).read_text() or process.poll() is not None)
        assert process.poll() is None, _printed(folder).read_text()
        yield Running(process, folder, running_file.read(folder))
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until ``true`` returns something true; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(0.05)


def _printed(folder: Path) -> Path:
    return folder / "printed.txt"
