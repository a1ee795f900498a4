"""One platform with a runtime of each type for all tests that leave it as it was."""

from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import ClientSession

from test.support.platform import Running, running, write_config


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("platform")
    with running(folder / "output", "--config", str(write_config(folder))) as started:
        yield started


@pytest.fixture
async def http(platform: Running) -> AsyncIterator[ClientSession]:
    """A client that has the key."""
    async with ClientSession(platform.addresses.endpoint, headers={"x-api-key": platform.addresses.api_key}) as session:
        yield session
