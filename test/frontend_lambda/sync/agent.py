"""An agent that takes one task and ends it as a test says. What it would store is stored here."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from contract.object_keys import ObjectKeys
from test.frontend_lambda.conftest import FrontDoor

PATIENCE = 30.0

IMAGE = b"a result"

Outcome = Callable[[FrontDoor, ObjectKeys, dict[str, Any]], dict[str, Any]]
"""Stores what a run gave; returns the rest of the record."""


def gives_image(door: FrontDoor, keys: ObjectKeys, callback: dict[str, Any]) -> dict[str, Any]:
    key = keys.image_key(1, "png")
    door.s3.put_object(Bucket=keys.bucket, Key=key, Body=IMAGE, ContentType="image/png")
    callback["image_url"] = [keys.url(key)]
    return {"result": keys.url(key)}


def fails(type_: str, message: str) -> Outcome:
    def fail(door: FrontDoor, keys: ObjectKeys, callback: dict[str, Any]) -> dict[str, Any]:
        callback |= {"result": False, "status": "failed", "error": {"type": type_, "message": message}}
        return {}

    return fail


@contextmanager
def an_agent(door: FrontDoor, runtime: str, outcome: Outcome) -> Iterator[list[dict[str, Any]]]:
    """Takes one task of the runtime, as the agent does, and ends it. Yields the tasks that it took."""
    taken: list[dict[str, Any]] = []

    def work() -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            url = door.queues[runtime]
            answer = door.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
            for message in answer.get("Messages", ()):
                door.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                task = json.loads(message["Body"])["task"]
                request_id = message["MessageAttributes"]["request_id"]["StringValue"]
                metadata = task["metadata"]
                keys = ObjectKeys(
                    door.settings.output_bucket, metadata["prefix"], metadata["id"], "m", request_id=request_id
                )
                callback = {"id": metadata["id"], "result": True, "runtime": runtime, "status": "completed"}
                rest = outcome(door, keys, callback)
                record = json.dumps({**rest, "task": {"callback": callback}})
                taken.append(task)
                door.s3.put_object(Bucket=keys.bucket, Key=keys.record_key, Body=record)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=work)
    thread.start()
    yield taken
    thread.join(PATIENCE)


def key_id(door: FrontDoor) -> str:
    """That of the key in the events."""
    return str(door.event("ocr", "")["requestContext"]["identity"]["apiKeyId"])
