"""A simulated SD WebUI for each test."""

from collections.abc import AsyncIterator

import pytest

from test.support.sdwebui import Client, serve_simulator
from utils.simulators.base import Options


@pytest.fixture
async def webui() -> AsyncIterator[Client]:
    """A simulated A1111 with two models that takes no time."""
    options = Options(models=("alpha.safetensors", "beta.safetensors"), seconds_per_step=0)
    async with serve_simulator(options) as client:
        yield client
