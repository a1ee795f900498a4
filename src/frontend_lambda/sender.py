"""Sends a task to SNS, which routes it to its runtime's queue. A content that no message holds goes to S3 first.

The SDK's own retries are off: it repeats a call whose answer was lost without saying so, and each repeat would be
another task. What is sent again here is marked (``contract.wire``).
"""

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import boto3
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from contract.object_keys import REQUESTS_PREFIX
from contract.task import Task
from contract.wire import (
    REPEAT,
    REPEAT_ATTRIBUTE,
    REQUEST_ID_ATTRIBUTE,
    encode_content,
    encode_reference,
    encode_task,
    fits,
    message_group,
    text_attributes,
)
from frontend_lambda.failures import CALL_FAILURES, Acceptance, acceptance_of
from frontend_lambda.settings import Settings

PUBLISH = "publish"
"""The step after which the task is the platform's."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds. A try takes ``connect`` and ``read`` at most; once an answer came too late, ``patient_read`` instead, as
    far as ``total`` allows, so that an SNS that is slow for all calls still takes the task.

    All tries take less than ``total`` together; API Gateway waits for 29 s, cold starts included.
    ``pauses`` are those between tries; there is one try more than pauses.
    """

    connect: float = 1.0
    read: float = 5.0
    patient_read: float = 15.0
    total: float = 24.0
    pauses: tuple[float, ...] = (0.1, 0.4, 1.0)


class NotSent(Exception):
    """AWS did not take the task. ``step`` says at which call; the cause is AWS's or the network's own error.

    ``uncertain``: nobody knows whether one of the tries was taken after all.
    """

    def __init__(self, step: str, *, uncertain: bool = False) -> None:
        super().__init__(step)
        self.step = step
        self.uncertain = uncertain


Request: TypeAlias = Callable[..., None]
"""Called with a client, and ``repeat``: whether an earlier try may have been taken."""


@dataclass(frozen=True, slots=True)
class _Clients:
    """Of one service; they differ in how long they wait for an answer."""

    quick: Any
    patient: Any


class Sender:
    """Keeps the clients of one process. Safe to use from many threads."""

    def __init__(self, settings: Settings, session: boto3.Session, timings: Timings | None = None) -> None:
        self._settings = settings
        self._timings = timings or Timings()
        self._sns = self._clients(session, "sns")
        self._s3 = self._clients(session, "s3")

    def send(
        self,
        task: Task,
        attributes: Mapping[str, str],
        request_id: str,
        *,
        client_group: str | None = None,
        repeat: bool = False,
        until: float | None = None,
    ) -> None:
        """Publish ``task`` with the message attributes ``attributes`` as the one task of the request ``request_id``.

        ``client_group`` is the message group of its client. ``repeat``: the task may have been published before.
        ``until`` (seconds of time.monotonic) is when to give up at the latest. Raises NotSent.
        """
        deadline = min(time.monotonic() + self._timings.total, until or math.inf)
        body = encode_task(task)
        if not fits(body):
            body = encode_reference(task, self._store(task, request_id, deadline))
        named = {**attributes, REQUEST_ID_ATTRIBUTE: request_id}
        group = message_group(client_group)

        def publish(client: Any, *, repeat: bool) -> None:
            client.publish(
                TopicArn=self._settings.input_topic_arn,
                Message=body,
                **group,
                MessageAttributes=text_attributes(named | ({REPEAT_ATTRIBUTE: REPEAT} if repeat else {})),
            )

        self._call(PUBLISH, self._sns, publish, deadline, repeat=repeat)

    def _store(self, task: Task, request_id: str, deadline: float) -> str:
        """The URL of the content in S3. The key follows from the request, so that a repeat writes the same object."""
        bucket, key = self._settings.output_bucket, f"{REQUESTS_PREFIX}/{request_id}.json"
        content = encode_content(task.content).encode()

        def put(client: Any, *, repeat: bool) -> None:  # noqa: ARG001 - the same object each time
            client.put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/json")

        self._call("store", self._s3, put, deadline)
        return f"s3://{bucket}/{key}"

    def _call(self, step: str, clients: _Clients, request: Request, deadline: float, *, repeat: bool = False) -> None:
        """Make a request until it is taken, ``repeat`` once an earlier try may have been. Raises NotSent."""
        late = False
        pauses = iter(self._timings.pauses)
        while True:
            patient = late and self._left(deadline) >= self._timings.connect + self._timings.patient_read
            try:
                request(clients.patient if patient else clients.quick, repeat=repeat)
            except CALL_FAILURES as error:
                acceptance, pause = acceptance_of(error), next(pauses, None)
                repeat = repeat or acceptance is Acceptance.UNKNOWN
                failure = NotSent(step, uncertain=repeat and step == PUBLISH)
                if acceptance is Acceptance.REFUSED or pause is None:
                    raise failure from error
                pause *= random.uniform(0.5, 1)  # noqa: S311 - so that throttled callers do not come back together
                if self._left(deadline) - pause < self._timings.connect + self._timings.read:
                    raise failure from error
                late = late or isinstance(error, ReadTimeoutError)
                time.sleep(pause)
            else:
                return

    @staticmethod
    def _left(deadline: float) -> float:
        return deadline - time.monotonic()

    def _clients(self, session: boto3.Session, service: Any) -> _Clients:
        return _Clients(
            *(
                session.client(
                    service,
                    region_name=self._settings.region,
                    endpoint_url=self._settings.endpoint_url,
                    config=Config(
                        connect_timeout=self._timings.connect,
                        read_timeout=read,
                        retries={"mode": "standard", "total_max_attempts": 1},
                    ),
                )
                for read in (self._timings.read, self._timings.patient_read)
            )
        )
