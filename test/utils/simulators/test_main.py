"""The simulated runtimes as commands."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest
from aiohttp import ClientSession

from contract.runtimes import RuntimeType

ROOT = Path(__file__).parents[3]
PATIENCE = 30.0


@pytest.mark.parametrize("kind", RuntimeType)
async def test_a_simulated_runtime_says_where_it_is_and_ends_on_sigterm(kind: RuntimeType) -> None:
    # Given
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "utils.simulators", kind.value, "--port", "0", "--name", "somename"),
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=PIPE,
        stderr=DEVNULL,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()

        # When
        async with ClientSession() as session, session.get(line.split()[-1]) as response:
            page = await response.text()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    # Then
    assert line.startswith(f"Simulated {kind.value} 'somename' on http://127.0.0.1:")
    assert "simulated" in page.lower()
    assert code == 0
