"""Publishes callbacks on the output topic."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from contract.callback import Callback, Cause
from contract.errors import truncate
from contract.wire import MAX_BODY_BYTES
from queue_agent.aws.clients import aws_errors

if TYPE_CHECKING:
    from types_aiobotocore_sns import SNSClient

MAX_CAUSE = 4000
"""Characters of a cause that fit into a callback together with the largest context, each escaped."""


NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class Notifier:
    """Publishes callbacks, with the attributes that subscribers filter on."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    async def notify(self, callback: Callback, passed_on: Mapping[str, str] = NO_ATTRIBUTES) -> None:
        """``passed_on``: attributes of the task's message that its callback carries, too. Raises AwsError.

        A callback too large for SNS goes without ``image_url`` and with the start of its cause; ``.out`` holds both.
        """
        body = json.dumps(callback.model_dump())
        if len(body) > MAX_BODY_BYTES:
            body = json.dumps(_shortened(callback).model_dump())
        with aws_errors("send the callback"):
            await self._client.publish(
                TopicArn=self._topic_arn,
                Message=body,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in {**callback.attributes, **passed_on}.items()
                },
            )


def _shortened(callback: Callback) -> Callback:
    cause = callback.error
    if cause is not None:
        cause = Cause(type=cause.type, message=truncate(cause.message, MAX_CAUSE))
    return callback.model_copy(update={"image_url": (), "error": cause})
