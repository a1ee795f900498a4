"""Batches of a queue, as Lambda hands them over."""

import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest

from test.support.moto_server import running_moto
from utils.local.event_source import EventSource
from webhook_lambda.record import Record

PATIENCE = 60.0


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    with running_moto() as url:
        yield boto3.Session("x", "x").client("sqs", region_name="us-east-1", endpoint_url=url)


@pytest.fixture
def queue(sqs: Any) -> str:
    url: str = sqs.create_queue(QueueName=f"q{uuid.uuid4().hex}", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    return url


def send(sqs: Any, queue: str, body: str) -> None:
    attributes = {"client": {"DataType": "String", "StringValue": "default"}}
    sqs.send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=attributes)


def left(sqs: Any, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)
    return sum(int(value) for value in answer["Attributes"].values())


def test_what_is_not_named_as_failed_is_deleted(sqs: Any, queue: str) -> None:
    for body in ("good", "bad", "fine"):
        send(sqs, queue, body)
    seen: list[Record] = []

    def handler(event: Mapping[str, Any], _: Any) -> Mapping[str, Any]:
        seen.extend(Record.of(record) for record in event["Records"])
        return {"batchItemFailures": [{"itemIdentifier": one.message_id} for one in seen if one.body == "bad"]}

    assert EventSource(sqs, queue, handler).poll(0) == 3
    assert left(sqs, queue) == 1
    assert {one.body for one in seen} == {"good", "bad", "fine"}
    assert {tuple(one.attributes.items()) for one in seen} == {(("client", "default"),)}
    assert {one.receives for one in seen} == {1}
    assert all(one.first_received > 1_600_000_000 for one in seen)


def test_an_empty_queue_calls_nobody(sqs: Any, queue: str) -> None:
    def handler(*_: Any) -> Mapping[str, Any]:
        raise AssertionError

    assert EventSource(sqs, queue, handler).poll(0) == 0


def test_a_handler_that_fails_loses_nothing_and_the_next_batch_comes(sqs: Any, queue: str) -> None:
    stop = threading.Event()
    bodies: list[str] = []

    def handler(event: Mapping[str, Any], _: Any) -> Mapping[str, Any]:
        bodies.extend(record["body"] for record in event["Records"])
        if len(bodies) == 1:
            send(sqs, queue, "second")
            raise RuntimeError("the first batch")
        stop.set()
        return {"batchItemFailures": []}

    send(sqs, queue, "first")
    EventSource(sqs, queue, handler).run(stop)
    assert bodies == ["first", "second"]
    assert left(sqs, queue) == 1


def test_a_batch_that_takes_long_holds_up_no_other(sqs: Any, queue: str) -> None:
    # Given as many slow batches as there are sources but one
    stop, slow, done = threading.Event(), threading.Semaphore(0), threading.Event()

    def handler(event: Mapping[str, Any], _: Any) -> Mapping[str, Any]:
        if any(record["body"] == "quick" for record in event["Records"]):
            done.set()
        else:
            slow.release()
            done.wait(PATIENCE)
        return {"batchItemFailures": []}

    turn = threading.Lock()
    sources = [EventSource(sqs, queue, handler, turn) for _ in range(4)]
    threads = [threading.Thread(target=source.run, args=(stop,)) for source in sources]
    for thread in threads:
        thread.start()
    try:
        for _ in sources[1:]:
            send(sqs, queue, "slow")
            assert slow.acquire(timeout=PATIENCE)

        # When
        send(sqs, queue, "quick")

        # Then
        assert done.wait(PATIENCE)
    finally:
        done.set()
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert left(sqs, queue) == 0
