"""A local platform in a process of its own, started as a user starts it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from utils.local.cloud import Access
from utils.local.parts import ROOT
from utils.smoke.callbacks import Listener, listening

PATIENCE = 60.0
"""Seconds until what must come is taken as not coming; generous, for a busy machine."""

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
    """A platform that serves. ``addresses`` is what its card says."""

    process: "subprocess.Popen[bytes]"
    output: Path
    addresses: Mapping[str, str]

    @property
    def access(self) -> Access:
        return Access(self.addresses["aws_endpoint_url"])

    @property
    def printed(self) -> str:
        """What its terminal showed so far."""
        return _printed(self.output).read_text()

    def log(self, part: str) -> str:
        return (Path(self.addresses["logs"]) / f"{part}.log").read_text()

    def part(self, *words: str) -> psutil.Process | None:
        """The process of the part whose command line holds all ``words``, when there is one."""
        for child in self.parts():
            try:
                if set(words) <= set(child.cmdline()):
                    return child
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return None

    def parts(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """Hears every callback from now on."""
        async with self.access.clients() as clients, listening(clients, self.addresses["topic_arn"]) as listener:
            yield listener


def command(*words: str) -> list[str]:
    """The command line of the local platform."""
    return [sys.executable, "-P", "-m", "utils.local", *words]


def environment() -> dict[str, str]:
    """A user's, whose AWS settings are none of the platform's business."""
    return {**os.environ, **HOSTILE, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}


def write_config(folder: Path, **changes: Any) -> Path:
    """CONFIG with ``changes``, as a file."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, **changes}))
    return path


@contextmanager
def running(folder: Path, *words: str) -> Iterator[Running]:
    """A platform with its output in ``folder``; killed at the end if it still runs."""
    folder.mkdir(parents=True, exist_ok=True)
    with _printed(folder).open("wb") as printed:
        process = subprocess.Popen(
            command("--port", "0", "--output", str(folder), "--seconds-per-step", "0.001", *words),
            env=environment(),
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: "Ctrl-C stops it" in _printed(folder).read_text() or process.poll() is not None)
        assert process.poll() is None, _printed(folder).read_text()
        card = json.loads((folder / ".platform" / "running.json").read_text())
        yield Running(process, folder, card)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until ``true`` says something; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.05)


def _printed(folder: Path) -> Path:
    return folder / "printed.txt"
