"""What holds for every test."""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Examples are not timed: the machine may be busy with other tests.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A shell's background job ignores SIGINT, and what it starts inherits that; tests of Ctrl-C need it to arrive.
signal.signal(signal.SIGINT, signal.default_int_handler)

SLOW_FOLDERS = tuple(Path(__file__).with_name(name) for name in ("e2e", "deploy", "docs"))
"""Tests that start whole platforms, or run scripts and the guide's commands."""

SYNTHESIS = frozenset({"synthesise", "request"})
"""Below ``infra``, what makes the stack's templates, which takes seconds; ``request`` looks them up by their names."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests by their folder or by what they need; others carry the marker themselves."""
    for item in items:
        synthesises = "infra" in item.path.parts and not SYNTHESIS.isdisjoint(getattr(item, "fixturenames", ()))
        if synthesises or any(item.path.is_relative_to(folder) for folder in SLOW_FOLDERS):
            item.add_marker(pytest.mark.slow)
