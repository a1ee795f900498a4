"""The assemblies of test/infra, shared with it."""

from pathlib import Path

import pytest

from test.infra.synthesis import allow_time, synthesise

__all__ = ["synthesise"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_time(items, Path(__file__).parent)
