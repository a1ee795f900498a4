"""SECURITY.md promises what tests hold: every test that it names is there, and every promise names one."""

import ast
import re
from functools import cache

import pytest

from test.docs.pages import ROOT

PROMISES = [
    line
    for line in (ROOT / "SECURITY.md").read_text("utf-8").partition("## What is promised")[2].splitlines()
    if line.startswith("| ") and not line.startswith(("| attack", "| ---"))
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[2:40])
def test_a_promise_is_held_by_tests_that_are_there(promise: str) -> None:
    named = re.findall(r"`(test/[\w/]+\.py)::(\w+)`", promise)

    assert named
    assert [f"{path}::{name}" for path, name in named if name not in _tests(path)] == []


@cache
def _tests(path: str) -> frozenset[str]:
    """The names of a module's tests; none where there is no such file."""
    if not (ROOT / path).exists():
        return frozenset()
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
