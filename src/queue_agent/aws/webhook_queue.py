"""The queue of the function that sends webhooks. The ends of tasks come to it from the callback topic."""

from typing import TYPE_CHECKING

from contract.task_event import TaskEvent
from contract.webhook import STARTED
from queue_agent.aws.clients import aws_errors

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient


class WebhookQueue:
    """Without a ``url`` nothing is sent."""

    def __init__(self, client: "SQSClient", url: str | None) -> None:
        self._client = client
        self._url = url

    async def started(self, *, client: str, task_id: str, request: str, runtime: str) -> None:
        """A task's first run has begun. ``request`` is the identity of the task's request. Raises AwsError."""
        if self._url is None:
            return
        event = TaskEvent(client=client, id=task_id, request=request, event=STARTED, runtime=runtime)
        with aws_errors("send an event to the webhooks"):
            await self._client.send_message(QueueUrl=self._url, MessageBody=event.encode())
