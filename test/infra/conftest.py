"""Assemblies of the configs that the tests are about. Each is synthesised once in a run."""

from pathlib import Path
from typing import Any

import pytest

from infra.node import use_packaged_node
from test.infra.configs import CHINA, EVERYTHING, MOST, OPEN, REGIONS, SHARED, SIGNED, THREE, UNWATCHED
from test.infra.synthesis import Synthesis, allow_time, synthesise, template_in

use_packaged_node()

from aws_cdk.assertions import Template  # noqa: E402 (the library looks for Node.js when it is imported)

__all__ = ["synthesise"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_time(items, Path(__file__).parent)


@pytest.fixture(scope="session")
def default(synthesise: Synthesis) -> dict[str, Any]:
    return template_in(synthesise("default"))


@pytest.fixture(scope="session")
def three(synthesise: Synthesis) -> dict[str, Any]:
    return template_in(synthesise("three", THREE))


@pytest.fixture(scope="session")
def shared(synthesise: Synthesis) -> dict[str, Any]:
    return template_in(synthesise("shared", SHARED))


@pytest.fixture(scope="session")
def everything_assembly(synthesise: Synthesis) -> Path:
    return synthesise("everything", EVERYTHING, region=REGIONS["everything"])


@pytest.fixture(scope="session")
def everything(everything_assembly: Path) -> dict[str, Any]:
    return template_in(everything_assembly)


@pytest.fixture(scope="session")
def china(synthesise: Synthesis) -> dict[str, Any]:
    return template_in(synthesise("china", CHINA, region=REGIONS["china"]))


@pytest.fixture(scope="session")
def unwatched(synthesise: Synthesis) -> dict[str, Any]:
    return template_in(synthesise("unwatched", UNWATCHED))


@pytest.fixture(scope="session")
def signed(synthesise: Synthesis) -> dict[str, Any]:
    return template_in(synthesise("signed", SIGNED))


@pytest.fixture(scope="session")
def opened(synthesise: Synthesis) -> dict[str, Any]:
    return template_in(synthesise("open", OPEN, region=REGIONS["open"]))


@pytest.fixture(scope="session")
def most(synthesise: Synthesis) -> dict[str, Any]:
    return template_in(synthesise("most", MOST))


@pytest.fixture(scope="session")
def default_checks(default: dict[str, Any]) -> Template:
    return Template.from_json(default)


@pytest.fixture(scope="session")
def everything_checks(everything: dict[str, Any]) -> Template:
    return Template.from_json(everything)
