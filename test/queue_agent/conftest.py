"""A moto server a worker, and in it a world a test."""

import functools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from queue_agent.aws.clients import open_clients
from queue_agent.aws.models import lean_loader
from test.support.moto_server import running_moto
from test.support.world import World, make_world
from utils.local.aws_proxy import Conditions, aws_proxy


@pytest.fixture(scope="session", autouse=True)
def _the_agent_reads_service_descriptions_once() -> Iterator[None]:
    """As test/conftest.py does for the SDK's own loader."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("queue_agent.aws.clients.lean_loader", functools.cache(lean_loader))
        yield


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    with running_moto() as url:
        yield url


@pytest.fixture
def conditions() -> Conditions:
    """What stands between the agent and AWS; nothing unless a test says so."""
    return Conditions()


@pytest.fixture
async def world(moto_url: str, conditions: Conditions, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Without a table of tasks."""
    async with _world(moto_url, conditions, monkeypatch, tables=False) as made:
        yield made


@pytest.fixture
async def table_world(moto_url: str, conditions: Conditions, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """With a table of tasks."""
    async with _world(moto_url, conditions, monkeypatch, tables=True) as made:
        yield made


@asynccontextmanager
async def _world(
    moto_url: str, conditions: Conditions, monkeypatch: pytest.MonkeyPatch, *, tables: bool
) -> AsyncIterator[World]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    # One repetition by the SDK shows what four would, in seconds less.
    monkeypatch.setattr("queue_agent.aws.clients.CALL_ATTEMPTS", 2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    async with open_clients("us-east-1", tables=tables) as direct, aws_proxy(moto_url, conditions) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        async with open_clients("us-east-1", tables=tables) as clients:
            yield await make_world(clients, direct)


@pytest.fixture
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopping agent waits for its poll to end, and a test need not wait ten seconds for that."""
    monkeypatch.setattr("queue_agent.aws.queue.LONG_POLL_SECONDS", 1)


@pytest.fixture
def short_waits(short_polls: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``short_polls``, and a failed task is retried at once."""
    monkeypatch.setattr("queue_agent.outcome.disposition.FIRST_RETRY_DELAY", 0)
