"""Builds the console while the platform starts, unless it is built: the platform does not wait for it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from infra import console
from utils.local.services import ROOT

COMMAND = (sys.executable, "-P", "-m", "infra.console")


async def build(report: Callable[[str], None], command: Sequence[str] = COMMAND) -> None:
    """Build it with ``command``. ``report`` gets a line when that fails; the platform serves all the same."""
    if console.page().is_file():
        return
    # A session of its own, so that npm and what it starts end with the platform.
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    if process.returncode:
        reason = said.decode(errors="replace").strip().removeprefix("error: ") or f"exit code {process.returncode}"
        report(f"{reason}\n  everything else works; to build the console by hand: {sys.executable} -m infra.console")
