"""The page of errors names every cause that a task can fail or be repeated with."""

import ast
from collections.abc import Iterator

import pytest

from test.docs.pages import ROOT

PERMANENT = {"PermanentError"}
REPEATED = {"RuntimeFault", "RuntimeUnavailable", "RuntimeBusy"}
AGENT = ROOT / "src" / "queue_agent"


def types_of(classes: set[str]) -> set[str]:
    """The first argument of each error of these classes that the agent raises, where it is written out."""
    calls = (
        node
        for path in AGENT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    )
    return {
        first.value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in classes and call.args
        for first in _values(call.args[0])
        if isinstance(first.value, str)
    }


def _values(argument: ast.expr) -> Iterator[ast.Constant]:
    """The constants that an argument may be, as in ``"a" if … else "b"``."""
    if isinstance(argument, ast.Constant):
        yield argument
    elif isinstance(argument, ast.IfExp):
        yield from _values(argument.body)
        yield from _values(argument.orelse)


def page(language: str) -> str:
    return (ROOT / "docs" / language / "reference" / "errors.md").read_text("utf-8")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("classes", [PERMANENT, REPEATED], ids=["failed", "repeated"])
def test_every_cause_is_on_the_page(language: str, classes: set[str]) -> None:
    # Given
    types = types_of(classes)
    # When
    missing = {name for name in types if f"`{name}`" not in page(language)}
    # Then
    assert len(types) > 5
    assert missing == set()
