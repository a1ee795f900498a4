"""The callback as subscribers read it."""

import json

import pytest
from pydantic import ValidationError

from contract.callback import Callback, Cause, Status


def test_the_first_five_keys_are_those_of_the_guide() -> None:
    # Given
    callback = Callback(
        id="test-t2i",
        result=True,
        image_url=("s3://b/output/test-t2i/test-t2i-abcd-1.png",),
        output_url="s3://b/output/test-t2i/test-t2i-abcd.out",
        context={"abc": 123},
        runtime="sdruntime",
        status=Status.COMPLETED,
    )

    # When
    sent = json.loads(json.dumps(callback.model_dump()))

    # Then
    assert list(sent)[:5] == ["id", "result", "image_url", "output_url", "context"]
    assert sent == {
        "id": "test-t2i",
        "result": True,
        "image_url": ["s3://b/output/test-t2i/test-t2i-abcd-1.png"],
        "output_url": "s3://b/output/test-t2i/test-t2i-abcd.out",
        "context": {"abc": 123},
        "runtime": "sdruntime",
        "status": "completed",
        "error": None,
    }


def test_a_failure_carries_its_cause() -> None:
    callback = Callback(
        id="a", result=False, runtime="r", status=Status.FAILED, error=Cause(type="timeout", message="too slow")
    )
    sent = json.loads(json.dumps(callback.model_dump()))
    assert sent["error"] == {"type": "timeout", "message": "too slow"}
    assert sent["image_url"] == []
    assert sent["output_url"] is None


@pytest.mark.parametrize(
    ("type_", "retryable"),
    [("gave-up", True), ("link-unavailable", True), ("timeout", False), ("unknown-model", False), ("new", False)],
)
def test_a_cause_says_whether_sending_again_may_help_without_a_further_key(type_: str, retryable: bool) -> None:
    cause = Cause(type=type_, message="m")
    assert cause.retryable is retryable
    assert list(cause.model_dump()) == ["type", "message"]


def test_a_callback_is_the_same_after_it_was_stored_and_read_again() -> None:
    callback = Callback(
        id="a",
        result=False,
        image_url=("s3://b/1.png",),
        context=[1, {"deep": None}],
        runtime="r",
        status=Status.FAILED,
        error=Cause(type="t", message="m"),
    )
    assert Callback.model_validate(json.loads(json.dumps(callback.model_dump()))) == callback


def test_subscribers_can_filter_by_id_runtime_and_status() -> None:
    callback = Callback(id="a", result=None, runtime="r", status=Status.RUNNING)
    assert callback.attributes == {"id": "a", "runtime": "r", "status": "running"}


def test_a_callback_does_not_change() -> None:
    callback = Callback(id="a", result=None, runtime="r", status=Status.RUNNING)
    with pytest.raises(ValidationError, match="frozen"):
        callback.result = True  # type: ignore[misc]  # what mypy refuses too
