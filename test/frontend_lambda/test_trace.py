"""The trace of a task begins at the front door."""

import json
from typing import Any

import boto3
import botocore.awsrequest
import pytest

from frontend_lambda.handler import make_handler
from test.frontend_lambda.conftest import FrontDoor

XRAY = "Root=1-5e6b4a01-12345678123456789abcdef0;Parent=53995c3f42cd8ad8;Sampled=1"

TASK = {
    "task": {
        "metadata": {"id": "t1", "runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "out"},
        "content": {"prompt": "a dog"},
    }
}


def test_the_message_carries_the_trace_that_the_request_belongs_to(door: FrontDoor) -> None:
    # When a request comes that API Gateway traces
    door.post("v1alpha2", TASK, headers={"X-Amzn-Trace-Id": XRAY})

    # Then
    (message,) = door.received("sdruntime")
    assert message.traceparent == "00-5e6b4a0112345678123456789abcdef0-53995c3f42cd8ad8-01"


@pytest.mark.parametrize("headers", [None, {}, {"X-Amzn-Trace-Id": "what is this"}])
def test_a_request_without_a_trace_gets_one(headers: Any, door: FrontDoor) -> None:
    door.post("v1alpha2", TASK, headers=headers)
    door.post("v1alpha2", TASK, headers=headers)

    first, second = door.received("sdruntime")
    assert first.traceparent != second.traceparent


def test_inside_lambda_the_sdk_itself_sends_xrays_header_on(door: FrontDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why the function carries no tracing library: SNS passes on to SQS what it gets in this header."""
    # Given what Lambda sets, and what leaves the process
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "door")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", XRAY)
    sent: list[str] = []
    session = boto3.Session("test", "test", region_name="us-east-1")

    def look(request: botocore.awsrequest.AWSRequest, **_: Any) -> None:
        header = request.headers["X-Amzn-Trace-Id"]
        sent.append(header.decode() if isinstance(header, bytes) else header)

    session.events.register("before-send.sns.Publish", look)

    # When
    make_handler(door.settings, session)(door.event("v1alpha2", json.dumps(TASK)), None)

    # Then
    assert sent == [XRAY]
    assert door.received("sdruntime")
