"""Hands a task to SNS, from where it comes to its runtime's queue. What no message holds goes to S3 first."""

import uuid
from collections.abc import Mapping

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contract.object_keys import REQUESTS_PREFIX
from contract.task import Task
from contract.wire import encode_content, encode_reference, encode_task, fits
from frontend_lambda.settings import Settings

CLIENT_CONFIG = Config(
    connect_timeout=1,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
)
"""Seconds. The three attempts of a call and their pauses end within the 29 s that API Gateway waits."""


class NotSent(Exception):
    """AWS did not take the task. ``step`` says at which call; the cause is AWS's or the network's own error."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


class Sender:
    """Keeps the clients of one process. Safe to use from many threads."""

    def __init__(self, settings: Settings, session: boto3.Session) -> None:
        self._settings = settings
        self._sns = session.client(
            "sns", region_name=settings.region, endpoint_url=settings.endpoint_url, config=CLIENT_CONFIG
        )
        self._s3 = session.client(
            "s3", region_name=settings.region, endpoint_url=settings.endpoint_url, config=CLIENT_CONFIG
        )

    def send(self, task: Task, attributes: Mapping[str, str]) -> None:
        """Publish ``task`` with the message attributes ``attributes``. Raises NotSent."""
        body = encode_task(task)
        if not fits(body):
            body = encode_reference(task, self._store(task))
        try:
            self._sns.publish(
                TopicArn=self._settings.input_topic_arn,
                Message=body,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )
        except (BotoCoreError, ClientError) as error:
            raise NotSent("publish") from error

    def _store(self, task: Task) -> str:
        bucket, key = self._settings.output_bucket, f"{REQUESTS_PREFIX}/{uuid.uuid4()}.json"
        try:
            self._s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=encode_content(task.content).encode(),
                ContentType="application/json",
            )
        except (BotoCoreError, ClientError) as error:
            raise NotSent("store") from error
        return f"s3://{bucket}/{key}"
