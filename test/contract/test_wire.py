"""A task as it travels through SNS and SQS."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import ContractError
from contract.task import MAX_CONTEXT_BYTES, MAX_ID_LENGTH, MAX_PREFIX_BYTES, MAX_RUNTIME_LENGTH, Task, parse_task
from contract.wire import (
    MAX_BODY_BYTES,
    MAX_READABLE_ID,
    UndecodableMessage,
    client_of,
    deadline_of,
    decode,
    encode_content,
    encode_reference,
    encode_task,
    fits,
)
from test.support.tasks import a_body, json_objects, json_values, tasks
from test.support.world import a_task

SOME = 30
"""Examples where each one is large."""

PLACE = "s3://bucket/.platform/requests/0.json"


def refused(body: str) -> UndecodableMessage:
    with pytest.raises(UndecodableMessage) as caught:
        decode(body)
    return caught.value


def a_message(**metadata: Any) -> str:
    return json.dumps(a_body(**metadata))


def enveloped(message: str) -> str:
    """As SNS wraps it for a queue without raw delivery."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": "arn:aws:sns:us-west-2:123456789012:input",
            "Message": message,
            "Timestamp": "2026-11-20T10:31:00.000Z",
            "MessageAttributes": {"runtime": {"Type": "String", "Value": "sdruntime"}},
        }
    )


@settings(max_examples=SOME)
@given(tasks())
def test_a_task_comes_out_as_it_went_in(task: Task) -> None:
    order = decode(encode_task(task))
    assert (order.metadata, order.content, order.content_url) == (task.metadata, task.content, None)


@settings(max_examples=SOME)
@given(tasks())
def test_a_task_in_the_envelope_of_sns_is_the_same_task(task: Task) -> None:
    assert decode(enveloped(encode_task(task))) == decode(encode_task(task))


@settings(max_examples=SOME)
@given(tasks())
def test_a_reference_names_the_place_and_carries_no_content(task: Task) -> None:
    order = decode(encode_reference(task, PLACE))
    assert (order.metadata, order.content, order.content_url) == (task.metadata, None, PLACE)


@settings(max_examples=SOME)
@given(json_objects())
def test_a_content_lies_in_s3_as_plain_json(content: dict[str, Any]) -> None:
    assert json.loads(encode_content(content)) == content


@settings(max_examples=SOME)
@given(tasks())
def test_the_message_is_the_json_that_the_api_takes(task: Task) -> None:
    assert parse_task(json.loads(encode_task(task))) == task


def test_whatever_is_too_large_fits_as_a_reference() -> None:
    # Given the largest metadata there can be
    task = parse_task(
        a_body(
            id="i" * MAX_ID_LENGTH,
            runtime="é" * MAX_RUNTIME_LENGTH,
            prefix="é" * (MAX_PREFIX_BYTES // 2),
            context="x" * (MAX_CONTEXT_BYTES - 2),
            content={"image": "A" * MAX_BODY_BYTES},
        )
    )

    # Then
    assert not fits(encode_task(task))
    assert fits(encode_reference(task, PLACE))


def test_what_fits_is_counted_in_bytes() -> None:
    assert fits("x" * MAX_BODY_BYTES)
    assert not fits("x" * (MAX_BODY_BYTES + 1))
    assert not fits("é" * (MAX_BODY_BYTES // 2 + 1))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_content_that_json_cannot_hold_is_refused_when_it_is_sent(number: float) -> None:
    task = parse_task(a_body(content={"steps": number}))
    for encode in (encode_task, lambda task: encode_content(task.content)):
        with pytest.raises(ContractError, match=r"^task.content: must be JSON"):
            encode(task)


def test_a_content_nested_beyond_reason_is_refused_when_it_is_sent() -> None:
    content: dict[str, Any] = {}
    for _ in range(100_000):
        content = {"a": content}
    with pytest.raises(ContractError, match=r"^task.content: must be JSON"):
        encode_content(content)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_malformed_messages_raise_one_typed_error_and_nothing_else(body: str) -> None:
    error = refused(body)
    assert error.problems
    assert error.task_id is None


@settings(max_examples=SOME)
@given(json_values())
def test_json_that_is_no_task_raises_the_same_error(value: Any) -> None:
    refused(json.dumps(value))
    refused(json.dumps({"task": value}))
    refused(json.dumps({"task": {"metadata": value}}))
    refused(enveloped(json.dumps(value)))


@settings(max_examples=SOME)
@given(
    st.dictionaries(st.sampled_from(["id", "runtime", "tasktype", "prefix", "context", "other"]), json_values()),
    json_values(),
    json_values(),
)
def test_a_message_is_decoded_or_refused_whatever_its_fields_hold(
    metadata: dict[str, Any], content: Any, content_url: Any
) -> None:
    error = None
    try:
        order = decode(json.dumps({"task": {"metadata": metadata, "content": content, "content_url": content_url}}))
    except UndecodableMessage as refusal:
        error = refusal
    if error is None:
        assert order.content is not None or order.content_url is not None
    else:
        assert error.task_id in {None, str(metadata.get("id"))}
        assert error.context in [None, metadata.get("context")]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "{",
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 5000,
        '{"task": "' + "x" * 1000,
        '{"Type": "Notification", "Message": "not json"}',
        '{"Type": "Notification", "Message": "' + "[" * 100_000 + '"}',
    ],
)
def test_what_is_not_json_is_called_so(body: str) -> None:
    assert "the message is not JSON" in str(refused(body))


def test_a_message_without_a_task_shows_what_it_is() -> None:
    assert str(refused('{"hello": "world"}')) == "task: is required, got {'hello': 'world'}"


@settings(max_examples=SOME)
@given(tasks())
def test_a_task_without_the_outer_object_is_the_same_task(task: Task) -> None:
    bare = json.dumps(json.loads(encode_task(task))["task"])

    assert decode(bare) == decode(encode_task(task))


@pytest.mark.parametrize("value", [{"metadata": 7}, {"content": {}}, {"metadata": None, "task": None}])
def test_what_has_neither_the_outer_object_nor_metadata_is_no_task(value: Any) -> None:
    with pytest.raises(UndecodableMessage, match="task: is required"):
        decode(json.dumps(value))


def test_only_what_sns_calls_a_notification_is_an_envelope() -> None:
    task = a_body()
    assert decode(json.dumps({**task, "Message": "hello"})) == decode(json.dumps(task))
    assert refused(json.dumps({"Message": json.dumps(task)})).task_id is None


def test_an_envelope_without_a_message_is_no_task() -> None:
    assert refused('{"Type": "Notification", "Message": 5}').task_id is None


def test_every_wrong_field_of_the_metadata_is_named() -> None:
    error = refused(a_message(prefix="", tasktype="paint"))
    assert [problem.field for problem in error.problems] == ["task.metadata.tasktype", "task.metadata.prefix"]


def test_a_task_with_an_empty_prefix_still_says_whom_to_tell() -> None:
    error = refused(a_message(id="dog", prefix="", context={"order": 7}))
    assert (error.task_id, error.context) == ("dog", {"order": 7})


@pytest.mark.parametrize("content", [None, [], "text", 5])
def test_a_task_without_a_content_still_says_whom_to_tell(content: Any) -> None:
    error = refused(a_message(id="dog", context={"order": 7}, content=content))
    assert [problem.field for problem in error.problems] == ["task.content"]
    assert (error.task_id, error.context) == ("dog", {"order": 7})


@pytest.mark.parametrize("task_id", ["a/b", "i" * (MAX_ID_LENGTH + 1), "任务", "i" * MAX_READABLE_ID])
def test_an_id_against_the_rule_is_still_the_one_that_its_sender_knows(task_id: str) -> None:
    assert refused(a_message(id=task_id)).task_id == task_id


@pytest.mark.parametrize("task_id", ["", 5, None, ["a"], "a\x00b", "a\nb", "a\ud800", "i" * (MAX_READABLE_ID + 1)])
def test_an_id_that_no_callback_could_carry_is_not_told(task_id: Any) -> None:
    assert refused(a_message(id=task_id)).task_id is None


@pytest.mark.parametrize("context", [float("nan"), "x" * MAX_CONTEXT_BYTES])
def test_a_context_that_no_callback_could_carry_is_not_told(context: Any) -> None:
    error = refused(a_message(id="dog", context=context))
    assert (error.task_id, error.context) == ("dog", None)


def test_metadata_that_is_no_object_is_refused() -> None:
    assert "task.metadata: must be an object, got 'x'" in str(refused('{"task": {"metadata": "x", "content": {}}}'))


def test_the_reason_stays_short_enough_for_a_callback() -> None:
    # Given a message whose every field is wrong at length
    wrong = {"id": "/" * 100_000, "prefix": "../" * 50_000, "runtime": ["r"] * 10_000, "tasktype": "x" * 100_000}

    # Then
    assert len(str(refused(a_message(**wrong)))) < 5_000


def test_a_content_in_the_message_counts_even_when_a_place_is_named_too() -> None:
    body = a_body()
    body["task"]["content_url"] = PLACE
    order = decode(json.dumps(body))
    assert order.content == {"prompt": "A dog", "steps": 16}


def test_a_field_that_a_newer_front_door_added_does_not_bury_the_task() -> None:
    # Given a message with metadata that this agent does not know
    body = json.loads(encode_task(a_task()))
    body["task"]["metadata"]["priority"] = 7
    # When it is decoded, then the task is read all the same
    assert decode(json.dumps(body)).metadata == a_task().metadata


@pytest.mark.parametrize(
    ("value", "name"),
    [("shop", "shop"), ("a.b_c-1", "a.b_c-1"), ("", "default"), (None, "default"), ("a#b", "default")],
)
def test_a_message_is_that_of_a_client_whose_name_can_be_one(value: str | None, name: str) -> None:
    assert client_of(value) == name


@pytest.mark.parametrize(
    ("value", "deadline"), [("1800000000", 1_800_000_000), ("", None), ("soon", None), ("1.5", None), ("-1", None)]
)
def test_a_deadline_is_a_whole_number_of_seconds(value: str, deadline: int | None) -> None:
    assert deadline_of(value) == deadline
