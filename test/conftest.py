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
        "images",
        "infra/functions",
        "utils/deploy",
        "utils/smoke",
    )
)
"""Tests of several parts together: they start whole platforms or an AWS of their own, run scripts and the guide's
commands, or render the chart."""

SLOW_FIXTURES = frozenset({"world"})
"""An agent's whole world: the embedded AWS behind a proxy that fails as a test says."""

SYNTHESIS = frozenset({"synthesise", "request"})
"""Below ``infra``, what makes the stack's templates, which takes seconds; ``request`` looks them up by their names."""


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
    fixtures = frozenset(getattr(item, "fixturenames", ()))
    synthesises = item.path.is_relative_to(HERE / "infra") and not SYNTHESIS.isdisjoint(fixtures)
    return synthesises or not SLOW_FIXTURES.isdisjoint(fixtures)
