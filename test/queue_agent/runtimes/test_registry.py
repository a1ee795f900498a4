"""The registry of adapters."""

import subprocess
import sys

import pytest
from aiohttp import ClientSession
from yarl import URL

from contract.runtimes import RuntimeType
from queue_agent.runtimes import open_runtime

HARMLESS = URL("http://127.0.0.1:1")


@pytest.mark.parametrize("kind", RuntimeType)
async def test_every_runtime_type_has_an_adapter(kind: RuntimeType) -> None:
    # Given
    async with ClientSession() as session:
        # When
        runtime = open_runtime(kind, HARMLESS, session)

    # Then
    assert callable(runtime.run)
    assert type(runtime).__module__.startswith(f"queue_agent.runtimes.{kind.value}")


def test_an_agent_loads_no_adapter_but_its_own() -> None:
    # Given
    program = (
        "import sys; from yarl import URL; from contract.runtimes import RuntimeType;"
        "from queue_agent.runtimes import ADAPTERS, open_runtime;"
        "open_runtime(RuntimeType.SDWEBUI, URL('http://127.0.0.1:1'), None);"
        "print(*[kind for kind, module in ADAPTERS.items() if module in sys.modules])"
    )

    # When
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    # Then
    assert ran.stdout.split() == ["sdwebui"]
