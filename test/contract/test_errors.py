"""What a refusal says."""

import tracemalloc
from itertools import count
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from contract.errors import MAX_PROBLEMS, MAX_SHOWN_VALUE, MAX_TEXT, ContractError, Problem, problems_of, shown
from test.support.tasks import json_values


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


class Inner(BaseModel):
    word: str = Field(min_length=2)
    numbers: list[Annotated[int, AfterValidator(_even)]] = []


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    inner: Inner
    table: dict[str, Any] = {}
    share: float = Field(default=0.5, gt=0)


def problems(value: Any, *path: str | int) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(value)
    return {problem.field: problem.problem for problem in problems_of(caught.value, path)}


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_every_problem_is_named_with_its_field_value_and_what_is_allowed() -> None:
    assert problems({"inner": {"word": "x", "numbers": [2, 3, "x"]}, "share": 0, "other": 1}, "task") == {
        "task.inner.word": "must have at least 2 characters, got 'x'",
        "task.inner.numbers.1": "must be even, got 3",
        "task.inner.numbers.2": "must be a valid integer, unable to parse string as an integer, got 'x'",
        "task.share": "must be greater than 0, got 0",
        "task.other": "is not a known field",
    }


def test_a_missing_field_is_required_and_no_value_is_shown() -> None:
    assert problems({}) == {"inner": "is required"}


@pytest.mark.parametrize("field", ["inner", "table"])
def test_what_must_be_a_json_object_is_called_so(field: str) -> None:
    assert problems({"inner": {"word": "word"}, field: [1]})[field] == "must be an object, got [1]"


def test_an_error_reads_as_all_its_problems() -> None:
    error = ContractError([Problem("task.id", "is required"), Problem("", "the body is empty")])
    assert str(error) == "task.id: is required; the body is empty"
    assert error.problems == (Problem("task.id", "is required"), Problem("", "the body is empty"))


def test_an_error_stays_short_whatever_callers_named_their_fields() -> None:
    # Given
    found = [Problem("f" * 100_000, "is not a known field")] + [Problem(str(n), "is wrong") for n in range(10_000)]

    # When
    error = ContractError(found)

    # Then
    assert len(str(error)) <= MAX_TEXT + 1
    assert str(error).endswith("…")
    assert len(error.problems) == MAX_PROBLEMS
    assert error.omitted


def test_problems_without_end_are_not_all_looked_for() -> None:
    # Given
    endless = (Problem(str(number), "is wrong") for number in count())

    # When
    error = ContractError(endless, omitted=7)

    # Then
    assert [problem.field for problem in error.problems] == [str(number) for number in range(MAX_PROBLEMS)]
    assert error.omitted > 7
    assert str(error).endswith(f"; and at least {error.omitted} more")


@settings(max_examples=30)
@given(json_values())
def test_a_shown_value_is_one_short_line_of_printable_text(value: object) -> None:
    text = shown(value)
    assert text.isprintable()
    assert len(text) <= MAX_SHOWN_VALUE + 1


def test_a_short_value_is_shown_whole() -> None:
    assert shown({"a": [1, None]}) == "{'a': [1, None]}"


def test_a_value_nested_beyond_what_python_can_print_is_shown_too() -> None:
    assert shown(nested(100_000)) == "[" * MAX_SHOWN_VALUE + "…"


@pytest.mark.parametrize("value", [["x" * 50] * 1_000_000, dict.fromkeys(range(1_000_000)), "x" * 50_000_000])
def test_a_large_value_is_shown_at_the_cost_of_a_small_one(value: Any) -> None:
    # Given
    tracemalloc.start()

    # When
    text = shown(value)

    # Then
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert text.endswith("…")
    assert peak < 1024 * 1024
