"""What the queue of the webhooks carries."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ContractError
from contract.task_event import TaskEvent

EVENT = TaskEvent(client="default", id="a1", request="r1", event="started", runtime="sdruntime")
CALLBACK = {"id": "a1", "result": True, "image_url": [], "context": {"event": "started"}, "runtime": "sdruntime"}
ATTRIBUTES = {"client": "default", "request_id": "r1", "webhook": "started,ended", "status": "completed"}

TEXTS = st.text(min_size=1, max_size=40)


@given(st.builds(TaskEvent, client=TEXTS, id=TEXTS, request=TEXTS, event=st.just("ended"), runtime=TEXTS))
def test_what_is_encoded_is_decoded(event: TaskEvent) -> None:
    assert TaskEvent.decode(event.encode(), {}) == event


def test_the_form_is_the_one_that_agents_send() -> None:
    assert json.loads(EVENT.encode()) == {
        "client": "default",
        "id": "a1",
        "request": "r1",
        "event": "started",
        "runtime": "sdruntime",
    }


def test_a_callback_is_an_end_whatever_its_body_says() -> None:
    event = TaskEvent.decode(json.dumps(CALLBACK | {"event": "started"}), ATTRIBUTES)
    assert event == TaskEvent(client="default", id="a1", request="r1", event="ended", runtime="sdruntime")


@pytest.mark.parametrize("name", ["client", "request_id"])
def test_a_callback_without_an_attribute_is_refused(name: str) -> None:
    attributes = {key: value for key, value in ATTRIBUTES.items() if key != name}
    with pytest.raises(ContractError, match="must be text"):
        TaskEvent.decode(json.dumps(CALLBACK), attributes)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        '{"client":"","id":"a","request":"r","event":"ended","runtime":"x"}',
    ],
)
def test_what_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(ContractError):
        TaskEvent.decode(body, {})


def test_an_unknown_event_is_refused_with_those_there_are() -> None:
    body = json.dumps({"client": "c", "id": "a", "request": "r", "event": "paused", "runtime": "x"})
    with pytest.raises(ContractError, match="event: must be one of started, ended, got 'paused'"):
        TaskEvent.decode(body, {})
