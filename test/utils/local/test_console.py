"""The console is built while the platform starts, and the platform does not depend on it."""

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from infra import console as page
from test.support.platform import until
from utils.local import console


@pytest.fixture
def unbuilt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in which no page is yet."""
    monkeypatch.setattr(page, "BUILT", tmp_path)
    return tmp_path


async def test_a_page_that_is_there_is_not_built_again(unbuilt: Path) -> None:
    page.page().write_text("")
    reports: list[str] = []

    await console.build(reports.append, (sys.executable, "-c", "raise SystemExit(1)"))

    assert reports == []


async def test_a_build_that_fails_is_reported_with_its_reason(unbuilt: Path) -> None:
    reports: list[str] = []

    await console.build(reports.append, (sys.executable, "-c", "raise SystemExit('error: no route to the registry')"))

    (report,) = reports
    assert report.startswith("no route to the registry\n")
    assert "-m infra.console" in report


async def test_a_build_under_way_ends_with_the_platform_and_with_all_that_it_started(unbuilt: Path) -> None:
    # Given a build that has a child, as npm has
    pids = unbuilt / "pids"
    child = "import time; time.sleep(600)"
    script = (
        "import os, pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"pathlib.Path({str(pids)!r} + '.part').write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.replace({str(pids)!r} + '.part', {str(pids)!r})\n"
        "time.sleep(600)\n"
    )
    building = asyncio.create_task(console.build(lambda _: None, (sys.executable, "-c", script)))
    await asyncio.to_thread(until, pids.exists)
    started = [int(pid) for pid in pids.read_text().split()]

    # When
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building

    # Then
    await asyncio.to_thread(until, lambda: not any(runs(pid) for pid in started))


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
