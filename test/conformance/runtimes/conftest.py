"""One suite over all runtime adapters, each against the simulator of its runtime in a process of its own.

A runtime type joins by one file, ``kits/<type>.py``, which holds the names of ``Kit`` below and nothing else. All jobs
are small (64 x 64 pixels, few steps): the simulators run with SECONDS_PER_STEP a step. Only SLOW is long.

The suite starts ``python -m utils.simulators <type> --port 0`` and opens the adapter by
``queue_agent.runtimes.open_runtime``, so a kit knows neither.
"""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Protocol, cast

import pytest
from yarl import URL

from contract.runtimes import RuntimeType
from queue_agent.errors import AgentError
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.base import Job, Runtime
from queue_agent.runtimes.session import runtime_session
from test.support.runtimes import is_ready

ROOT = Path(__file__).parents[3]
KITS = Path(__file__).parent / "kits"

SECONDS_PER_STEP = 0.02
PATIENCE = 30.0
"""Seconds until a condition that must come is taken as not coming; generous, for a busy machine."""


class Kit(Protocol):
    """What the suite needs to know of a runtime type: the names in ``kits/<type>.py``."""

    SUCCESS: Job
    """Gives exactly one image."""

    MANY: Job
    MANY_OUTPUTS: int
    """How many outputs MANY gives, at least 2."""

    CALLERS_ERROR: Job
    CALLERS_ERROR_SAYS: str
    """Refused before it runs, as PermanentError; its message holds this text."""

    RUNNING_ERROR: Job
    RUNNING_ERROR_FAULT: type[AgentError]
    RUNNING_ERROR_SAYS: str
    """Fails while it runs, as this fault; its message holds this text."""

    SLOW: Job
    """Takes at least 60 s at SECONDS_PER_STEP, so that only an interrupt or the runtime's death ends it in time."""


class Simulator:
    """The simulated runtime of one type, in a process of its own."""

    def __init__(self, kind: RuntimeType) -> None:
        self.kind = kind
        self.url = URL()
        self._process: Process | None = None

    async def start(self, *, startup_seconds: float = 0.0) -> None:
        """Start it; a second start takes the same port again."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "utils.simulators", self.kind.value),
            *("--port", str(self.url.port or 0)),
            *("--seconds-per-step", str(SECONDS_PER_STEP)),
            *("--startup-seconds", str(startup_seconds)),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stdout=PIPE,
            stderr=DEVNULL,
        )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
        assert b"http://" in line, f"the simulator did not start, it said {line!r}"
        self.url = URL(line.decode().split()[-1])

    async def kill(self) -> None:
        """End it at once, as an out-of-memory kill does."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await asyncio.wait_for(self._process.communicate(), PATIENCE)


Open = Callable[[URL], contextlib.AbstractAsyncContextManager[Runtime]]


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds; fail after PATIENCE."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():  # noqa: ASYNC110 - the condition lies in another process
            await asyncio.sleep(0.05)


async def running(runtime: Runtime) -> bool:
    """Whether the runtime is at work on the job."""
    return bool(await runtime.progress())


@pytest.fixture(params=sorted(path.stem for path in KITS.glob("*.py")))
def kind(request: pytest.FixtureRequest) -> RuntimeType:
    return RuntimeType(request.param)


@pytest.fixture
def kit(kind: RuntimeType) -> Kit:
    return kit_of(kind)


def kit_of(kind: RuntimeType) -> Kit:
    """The names of ``kits/<type>.py``."""
    spec = spec_from_file_location(f"kit_{kind.value}", KITS / f"{kind.value}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Kit", module)


@pytest.fixture
async def simulator(kind: RuntimeType) -> AsyncIterator[Simulator]:
    """Not started yet; killed at the end."""
    simulator = Simulator(kind)
    yield simulator
    await simulator.kill()


@pytest.fixture
async def opened(kind: RuntimeType) -> Open:
    """Open the adapter at a URL, with a session as the agent makes it."""

    @contextlib.asynccontextmanager
    async def opened(url: URL) -> AsyncIterator[Runtime]:
        async with (
            runtime_session() as session,
            open_runtime(kind, url, session) as runtime,
        ):
            yield runtime

    return opened


@pytest.fixture
async def runtime(simulator: Simulator, opened: Open) -> AsyncIterator[Runtime]:
    """The adapter beside a simulator that is ready."""
    await simulator.start()
    async with opened(simulator.url) as runtime:
        await eventually(lambda: is_ready(runtime))
        yield runtime
