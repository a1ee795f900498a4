"""A task is checked once, at the edge."""

import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contract.errors import MAX_PROBLEMS, ContractError
from contract.runtimes import TaskType
from contract.task import (
    MAX_CONTEXT_BYTES,
    MAX_ID_LENGTH,
    MAX_PREFIX_BYTES,
    MAX_RUNTIME_LENGTH,
    Metadata,
    parse_task,
)
from test.support.tasks import a_body, json_values, prefixes, task_ids


def refusal(**metadata: Any) -> dict[str, str]:
    """What is said of a body whose metadata is fine but for these fields."""
    with pytest.raises(ContractError) as caught:
        parse_task(a_body(**metadata))
    return {problem.field: problem.problem for problem in caught.value.problems}


def test_a_task_is_read_as_it_was_sent() -> None:
    # When
    task = parse_task(a_body(id="test-t2i", context={"abc": 123}))

    # Then
    assert task.metadata == Metadata(
        id="test-t2i",
        runtime="sdruntime",
        tasktype=TaskType.TEXT_TO_IMAGE,
        prefix="output",
        context={"abc": 123},
    )
    assert task.content == {"prompt": "A dog", "steps": 16}


@pytest.mark.parametrize("kind", list(TaskType))
def test_every_task_type_is_accepted_pipeline_included(kind: TaskType) -> None:
    assert parse_task(a_body(tasktype=kind.value)).metadata.tasktype is kind


def test_context_may_be_left_out() -> None:
    body = a_body()
    del body["task"]["metadata"]["context"]
    assert parse_task(body).metadata.context is None


def test_everything_that_is_wrong_is_named_at_once() -> None:
    # Given
    body = {
        "task": {
            "metadata": {"id": 7, "runtime": "", "tasktype": "paint", "prefix": "", "priority": 1},
            "content": [],
        },
        "version": 2,
    }

    # When
    with pytest.raises(ContractError) as caught:
        parse_task(body)

    # Then
    said = {problem.field: problem.problem for problem in caught.value.problems}
    assert list(said) == [
        "task.metadata.id",
        "task.metadata.runtime",
        "task.metadata.tasktype",
        "task.metadata.prefix",
        "task.content",
        "version",
        "task.metadata.priority",
    ]
    assert said["task.metadata.id"] == "must be a valid string, got 7"
    assert "'text-to-image'" in said["task.metadata.tasktype"]
    assert "'pipeline'" in said["task.metadata.tasktype"]
    assert said["task.metadata.tasktype"].endswith("got 'paint'")
    assert said["task.content"] == "must be an object, got []"
    assert said["version"] == "is not a known field; a request holds only 'task'"
    assert said["task.metadata.priority"] == "is not a known field; put your own data into 'context'"


@pytest.mark.parametrize("value", [None, [], "text", 1, True])
def test_what_is_no_object_is_no_task(value: Any) -> None:
    with pytest.raises(ContractError, match=f"must be a JSON object, got {type(value).__name__}"):
        parse_task(value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "task: is required"),
        ({"metadata": {}}, "task: is required; metadata: is not a known field; a request holds only 'task'"),
        ({"task": None}, "task: must be an object, got None"),
        ({"task": {}}, "task.metadata: is required; task.content: is required"),
        ({"task": {"metadata": None, "content": {}}}, "task.metadata: must be an object, got None"),
    ],
)
def test_a_body_without_its_parts_is_told_which(body: Any, said: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse_task(body)
    assert str(caught.value) == said


def test_a_flood_of_unknown_fields_is_counted_and_named_in_part() -> None:
    # Given
    metadata = dict.fromkeys((f"field{number}" for number in range(5_000)), 1)

    # When
    with pytest.raises(ContractError) as caught:
        parse_task({"task": {"metadata": metadata, "content": {}, "more": 1}, "extra": 1})

    # Then the four required fields are named first
    assert len(caught.value.problems) == MAX_PROBLEMS
    assert len(caught.value.problems) + caught.value.omitted == 5_000 + 4 + 2


def test_a_task_with_another_field_next_to_it_is_refused_although_the_task_is_fine() -> None:
    with pytest.raises(ContractError, match=r"^extra: is not a known field"):
        parse_task({**a_body(), "extra": 1})


@given(task_ids())
def test_every_id_by_the_rule_is_taken_whole(task_id: str) -> None:
    assert parse_task(a_body(id=task_id)).metadata.id == task_id


@pytest.mark.parametrize(
    "task_id",
    [
        "",
        "a" * 65,
        "a/b",
        "../a",
        "..",
        ".",
        "a b",
        "a\nb",
        "a\n",
        "a\x00",
        "täsk",
        "任务",
        "a\ud800",
        "a?b",
        "a#b",
        "a%2Fb",
    ],
)
def test_an_id_that_could_not_be_part_of_a_key_is_refused_not_cut(task_id: str) -> None:
    assert list(refusal(id=task_id)) == ["task.metadata.id"]


@given(st.text())
def test_an_id_is_taken_exactly_when_the_rule_holds(task_id: str) -> None:
    allowed = set(string.ascii_letters + string.digits + "._-")
    fits = 1 <= len(task_id) <= MAX_ID_LENGTH and set(task_id) <= allowed and set(task_id) != {"."}
    if fits:
        assert parse_task(a_body(id=task_id)).metadata.id == task_id
    else:
        assert "task.metadata.id" in refusal(id=task_id)


def test_the_refusal_of_an_id_says_what_is_allowed() -> None:
    assert refusal(id="a/b") == {
        "task.metadata.id": "must be 1 to 64 of letters, digits, '.', '_' and '-', and more than dots, got 'a/b'"
    }


@given(prefixes())
def test_every_prefix_by_the_rule_is_taken_and_loses_no_more_than_its_last_slash(prefix: str) -> None:
    assert parse_task(a_body(prefix=prefix)).metadata.prefix == prefix
    assert parse_task(a_body(prefix=f"{prefix}/")).metadata.prefix == prefix


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "/", "//", "/output", "output//", "a//b", "..", "../a", "a/..", "a/../b", ".", "./a", "a/./b"),
        *("a\x00b", "a\nb", "a\x7fb", "a\u2028b", "a\u202eb", "a\\b", "a\ud800b"),
        "p" * (MAX_PREFIX_BYTES + 1),
        "é" * (MAX_PREFIX_BYTES // 2 + 1),
    ],
)
def test_a_prefix_that_is_no_plain_folder_is_refused(prefix: str) -> None:
    assert list(refusal(prefix=prefix)) == ["task.metadata.prefix"]


@pytest.mark.parametrize("prefix", [".platform", ".platform/", ".platform/requests", ".platform/attempts/x"])
def test_no_task_may_write_where_the_platform_keeps_its_own(prefix: str) -> None:
    assert ".platform" in refusal(prefix=prefix)["task.metadata.prefix"]


@pytest.mark.parametrize("prefix", [".platforms", "output/.platform", ".hidden", "a b", "输出", "..a"])
def test_a_prefix_that_only_looks_special_is_taken(prefix: str) -> None:
    assert parse_task(a_body(prefix=prefix)).metadata.prefix == prefix


@given(st.text())
def test_no_prefix_ever_leaves_its_folder(prefix: str) -> None:
    try:
        taken = parse_task(a_body(prefix=prefix)).metadata.prefix
    except ContractError:
        return
    assert taken.isprintable()
    assert not {"", ".", ".."} & set(taken.split("/"))
    assert taken.split("/")[0] != ".platform"


@pytest.mark.parametrize("runtime", ["", "a\x00", "a\nb", "r" * (MAX_RUNTIME_LENGTH + 1), None, 5])
def test_a_runtime_that_no_message_attribute_could_carry_is_refused(runtime: Any) -> None:
    assert list(refusal(runtime=runtime)) == ["task.metadata.runtime"]


@settings(max_examples=30)
@given(json_values())
def test_any_json_is_a_context_and_stays_as_it_is(context: Any) -> None:
    assert parse_task(a_body(context=context)).metadata.context == context


@pytest.mark.parametrize("context", [float("nan"), float("inf"), [float("-inf")]])
def test_a_context_that_is_no_json_is_refused(context: Any) -> None:
    assert "finite" in refusal(context=context)["task.metadata.context"]


def test_a_context_that_no_parser_could_read_back_is_refused() -> None:
    context: list[Any] = []
    for _ in range(100_000):
        context = [context]
    assert "nested" in refusal(context=context)["task.metadata.context"]


def test_a_context_too_large_for_the_callback_is_refused_with_both_sizes() -> None:
    # Given one character too many, as JSON counts
    context = "x" * (MAX_CONTEXT_BYTES - 1)
    size = len(json.dumps(context))

    # Then
    problem = refusal(context=context)["task.metadata.context"]
    assert f"at most {MAX_CONTEXT_BYTES} bytes of JSON, is {size}" in problem
    assert len(problem) < 1000
    assert parse_task(a_body(context=context[1:])).metadata.context == context[1:]


@pytest.mark.parametrize("content", [None, [], "text", 1])
def test_a_content_that_is_no_object_is_refused(content: Any) -> None:
    with pytest.raises(ContractError, match=r"^task.content: must be an object, got"):
        parse_task(a_body(content=content))


def test_a_task_does_not_change() -> None:
    metadata = parse_task(a_body()).metadata
    with pytest.raises(ValidationError, match="frozen"):
        metadata.prefix = "elsewhere"  # type: ignore[misc]  # what mypy refuses too
