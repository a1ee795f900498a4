"""The supervisor, over real processes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeAlias

import psutil
import pytest

from utils.local import supervisor as supervising
from utils.local.supervisor import Service, ServiceFailed, Supervisor

LIMIT = 30.0

WriteModule: TypeAlias = Callable[[str, str], dict[str, str]]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not true():  # noqa: ASYNC110 - the condition is another process's
            await asyncio.sleep(0.02)


async def failure_of(supervisor: Supervisor) -> ServiceFailed:
    with pytest.raises(ServiceFailed) as raised:
        await supervisor.watch(asyncio.sleep(LIMIT))
    return raised.value


@pytest.fixture
def module(tmp_path: Path) -> WriteModule:
    """Writes a module that a service may run, and gives the environment in which it is found."""

    def write(name: str, source: str) -> dict[str, str]:
        (tmp_path / f"{name}.py").write_text(source)
        return {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}

    return write


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
async def supervisor(tmp_path: Path, reports: list[str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervisor]:
    monkeypatch.setattr(supervising, "RESTART_DELAY", 0.0)
    async with Supervisor(tmp_path, reports.append) as running:
        yield running


SLEEPS = "import time; print('up', flush=True); time.sleep(600)"


async def test_a_service_that_ends_is_named_and_restarted(
    supervisor: Supervisor, module: WriteModule, reports: list[str]
) -> None:
    # Given
    await supervisor.start(Service("agent-one", "sleeper", environment=module("sleeper", SLEEPS)))
    first = supervisor.pids()["agent-one"]
    # When
    os.kill(first, signal.SIGKILL)
    # Then
    await until(lambda: supervisor.pids().get("agent-one", first) != first)
    assert reports == ["agent-one was killed by SIGKILL; restarting it (1 of 3)"]


async def test_a_service_that_cannot_start_is_given_up_with_its_last_lines(
    supervisor: Supervisor, module: WriteModule, reports: list[str], tmp_path: Path
) -> None:
    # Given
    environment = module("broken", "raise SystemExit('no such model')")
    # When
    await supervisor.start(Service("runtime-x", "broken", environment=environment, restarts=2))
    failure = await failure_of(supervisor)
    # Then
    assert str(failure).startswith("runtime-x ended with exit code 1 3 times within 60 s")
    assert "no such model" in str(failure)
    assert str(tmp_path / "runtime-x.log") in str(failure)
    assert len(reports) == 2


async def test_a_service_without_restarts_fails_at_its_first_end(supervisor: Supervisor, module: WriteModule) -> None:
    await supervisor.start(Service("aws", "ends", environment=module("ends", ""), restarts=0))
    failure = await failure_of(supervisor)
    assert str(failure).startswith("aws ended with exit code 0; its log is")


async def test_a_service_sees_its_own_environment_and_nothing_of_ours(
    supervisor: Supervisor, module: WriteModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("AWS_PROFILE", "production")
    environment = module("shows", "import os; print(sorted(k for k in os.environ if k[:2] != 'LC'))")
    # When
    await supervisor.start(Service("shows", "shows", environment={**environment, "MINE": "1"}, restarts=0))
    await failure_of(supervisor)
    # Then
    assert (tmp_path / "shows.log").read_text().strip() == "['MINE', 'PYTHONPATH']"


async def test_leaving_stops_every_service_and_kills_what_ignores_sigterm(
    tmp_path: Path, module: WriteModule, reports: list[str]
) -> None:
    # Given
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPS
    async with Supervisor(tmp_path, reports.append) as supervisor:
        await supervisor.start(Service("hears", "sleeper", environment=module("sleeper", SLEEPS)))
        await supervisor.start(Service("deaf", "deaf", environment=module("deaf", deaf), stop_seconds=0.2))
        await until(lambda: "up" in (tmp_path / "deaf.log").read_text())
        pids = list(supervisor.pids().values())
    # Then
    assert len(pids) == 2
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert reports == ["deaf did not stop within 0.2 s and is killed"]


async def test_cancelling_a_stop_kills_at_once(supervisor: Supervisor, module: WriteModule, tmp_path: Path) -> None:
    # Given
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPS
    await supervisor.start(Service("deaf", "deaf", environment=module("deaf", deaf), stop_seconds=600))
    await until(lambda: "up" in (tmp_path / "deaf.log").read_text())
    pid = supervisor.pids()["deaf"]
    # When
    stopping = asyncio.create_task(supervisor.stop("deaf"))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(stopping, LIMIT)
    # Then
    assert not psutil.pid_exists(pid)


async def test_services_end_when_their_parent_is_killed(tmp_path: Path, module: WriteModule) -> None:
    # Given
    module("sleeper", SLEEPS)
    parent = (
        "import asyncio, pathlib, sys\n"
        "from utils.local.supervisor import Service, Supervisor\n"
        "async def main():\n"
        "    logs = pathlib.Path(sys.argv[1])\n"
        "    async with Supervisor(logs, print) as supervisor:\n"
        "        path = {'PYTHONPATH': sys.argv[2]}\n"
        "        await supervisor.start(Service('child', 'sleeper', environment=path))\n"
        "        print(supervisor.pids()['child'], flush=True)\n"
        "        await supervisor.watch(asyncio.sleep(600))\n"
        "asyncio.run(main())\n"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", parent, str(tmp_path), path),
        env={"PYTHONPATH": path},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    child = psutil.Process(int(await asyncio.wait_for(process.stdout.readline(), LIMIT)))
    await until(lambda: "up" in (tmp_path / "child.log").read_text())
    # When
    process.kill()
    await process.wait()
    # Then
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
