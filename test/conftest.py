"""What holds for every test."""

import functools
import signal
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from hypothesis import HealthCheck, settings

# Examples are not timed: the machine may be busy with other tests.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A shell's background job ignores SIGINT, and what it starts inherits that; tests of Ctrl-C need it to arrive.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent

SLOW_FOLDERS = tuple(
    HERE / name
    for name in (
        "charts",
        "conformance",
        "deploy",
        "docs",
        "e2e",
        "image_kit/models",
        "images",
        "infra/functions",
        "utils/deploy",
        "utils/smoke",
    )
)
"""Tests of several parts together: they start whole platforms or an AWS of their own, run scripts and the guide's
commands, render the chart, or compute with real models."""

SLOW_FIXTURES = {
    HERE: {"table_world", "world"},
    HERE / "infra": {"request", "synthesise"},
    HERE / "sd_on_eks": {"site"},
}
"""By folder: an agent's whole world, with and without the task table (the embedded AWS behind a proxy that fails as a
test says); what makes the stack's templates, which ``request`` looks up by their names; the client's whole API."""


@pytest.fixture(scope="session", autouse=True)
def _service_descriptions_are_read_once() -> Iterator[None]:
    """A client takes longest to read what the SDK knows of its service, and the tests make thousands of clients."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests by their folder or by what they need; others carry the marker themselves."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in SLOW_FOLDERS) or _needs_much(item):
            item.add_marker(pytest.mark.slow)


def _needs_much(item: pytest.Item) -> bool:
    needed = set(getattr(item, "fixturenames", ()))
    return any(item.path.is_relative_to(folder) and needed & slow for folder, slow in SLOW_FIXTURES.items())
