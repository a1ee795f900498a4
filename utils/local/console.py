"""Builds the console while the platform starts, unless it is built: nobody has to wait for it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

from infra import console
from utils.local.services import ROOT

BY_HAND = f"{sys.executable} -m infra.console"


async def build(report: Callable[[str], None]) -> None:
    """Build it. ``report`` gets a line when that fails; the platform serves all the same."""
    if console.page().is_file():
        return
    # A process of its own: what it starts must end with the platform.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "infra.console"),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()
        raise
    if process.returncode:
        reason = said.decode(errors="replace").strip().removeprefix("error: ") or f"exit code {process.returncode}"
        report(f"{reason}\n  everything else works; to build the console by hand: {BY_HAND}")
