"""Drives the API with many users at once, hears the callbacks, and counts what became of every task.

``test/load/run.sh`` starts it. In the report, POST is the front door's answer, and TASK the time from that answer to
the callback: ``completed`` and ``failed`` as the callback says, ``lost`` when none came. Exits 1 when a task failed or
is lost.
"""

import json
import os
import time
import uuid
from argparse import Namespace
from typing import Any

import boto3
import gevent
from locust import FastHttpUser, constant_throughput, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from utils.smoke import samples

REGION_IN_ARN = 3

REQUESTS = {"sdwebui": "v1alpha2-text-to-image", "comfyui": "v1alpha2-pipeline", "invokeai": "v1alpha2-graph"}
"""What is sent, by the runtime's type: a request that needs no link."""

POLL_SECONDS = 5
PAUSE = 0.2


class Callbacks:
    """A queue of its own on the output topic, for as long as the test runs."""

    def __init__(self, environment: Environment, topic_arn: str) -> None:
        region = topic_arn.split(":")[REGION_IN_ARN]
        self._environment = environment
        self._sqs = boto3.client("sqs", region_name=region)
        self._sns = boto3.client("sns", region_name=region)
        self._sent: dict[str, float] = {}
        self._early: list[dict[str, Any]] = []
        self.counts = {"accepted": 0, "completed": 0, "failed": 0, "lost": 0}
        self._url = self._sqs.create_queue(QueueName=f"load-{uuid.uuid4()}")["QueueUrl"]
        response = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        arn = response["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        self._subscription = self._sns.subscribe(
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        self._listener = gevent.spawn(self._listen)

    def expect(self, task_id: str) -> None:
        """The front door has taken the task. Its callback may have come before."""
        self.counts["accepted"] += 1
        self._sent[task_id] = time.monotonic()
        early, self._early = self._early, []
        for callback in early:
            self._end(callback)

    def close(self, seconds: float) -> None:
        """Wait for what is missing, count the rest as lost, and remove the queue."""
        deadline = time.monotonic() + seconds
        while self._sent and time.monotonic() < deadline:
            gevent.sleep(PAUSE)
        self._listener.kill()
        for began in self._sent.values():
            self._record("lost", time.monotonic() - began)
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sqs.delete_queue(QueueUrl=self._url)

    def _listen(self) -> None:
        while True:
            messages = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=POLL_SECONDS
            ).get("Messages", [])
            for message in messages:
                self._end(json.loads(message["Body"]))
            if messages:
                self._sqs.delete_message_batch(
                    QueueUrl=self._url,
                    Entries=[{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)],
                )

    def _end(self, callback: dict[str, Any]) -> None:
        if callback["status"] == "running":
            return
        began = self._sent.pop(callback["id"], None)
        if began is None:
            self._early.append(callback)
            return
        self._record(callback["status"], time.monotonic() - began, (callback.get("error") or {}).get("message"))

    def _record(self, name: str, seconds: float, problem: str | None = None) -> None:
        self.counts[name] += 1
        self._environment.events.request.fire(
            request_type="TASK",
            name=name,
            response_time=seconds * 1000,
            response_length=0,
            exception=None if name == "completed" else RuntimeError(problem or name),
            context={},
        )


class Caller(FastHttpUser):  # type: ignore[misc]  # locust is not part of the environment that is checked
    """A user who sends one request a second."""

    wait_time = constant_throughput(1)

    @task  # type: ignore[untyped-decorator]  # as above
    def generate(self) -> None:
        options: Namespace = self.environment.parsed_options
        task_id = f"load-{uuid.uuid4().hex}"
        body = samples.request(REQUESTS[options.runtime_type], task_id=task_id, runtime=options.runtime)
        headers = {"x-api-key": os.environ["API_KEY"]}
        with self.client.post("/v1alpha2", json=body, headers=headers, name="v1alpha2", catch_response=True) as answer:
            if answer.status_code == 200:
                self.environment.callbacks.expect(task_id)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]  # as above
def add_options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--topic-arn", required=True, help="of the output topic")
    parser.add_argument("--runtime", default="sdruntime", help="name of the runtime")
    parser.add_argument("--runtime-type", default="sdwebui", choices=sorted(REQUESTS))
    parser.add_argument(
        "--last-callbacks", type=float, default=600, help="seconds to wait for them after the last request"
    )


@events.test_start.add_listener  # type: ignore[untyped-decorator]  # as above
def listen(environment: Environment, **_: Any) -> None:
    environment.callbacks = Callbacks(environment, environment.parsed_options.topic_arn)


@events.test_stop.add_listener  # type: ignore[untyped-decorator]  # as above
def count(environment: Environment, **_: Any) -> None:
    callbacks: Callbacks = environment.callbacks
    callbacks.close(environment.parsed_options.last_callbacks)
    print("tasks: " + ", ".join(f"{count} {name}" for name, count in callbacks.counts.items()))  # noqa: T201 (the result)
    good = callbacks.counts["accepted"] == callbacks.counts["completed"] > 0
    environment.process_exit_code = 0 if good else 1
