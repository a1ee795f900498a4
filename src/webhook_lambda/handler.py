"""The Lambda function behind the queue of the webhooks: a batch of messages in, those that come again out."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import boto3

from contract.json_log import write_to_stdout
from contract.presign import signer
from contract.task_table.view import Places
from webhook_lambda.delivery import Delivery
from webhook_lambda.logs import LOGGER
from webhook_lambda.receiver import Receivers
from webhook_lambda.record import Record
from webhook_lambda.settings import Settings, Timings, load
from webhook_lambda.signing_keys import SigningKeys
from webhook_lambda.stores import Clients, Queue, Tasks
from webhook_lambda.unreachable import Unreachable

Event: TypeAlias = Mapping[str, Any]
Response: TypeAlias = dict[str, list[dict[str, str]]]
Handler: TypeAlias = Callable[[Event, Any], Response]


def handle(event: Event, context: Any) -> Response:
    """What Lambda calls. The first call reads the environment; raises ValueError when that is not complete."""
    return _from_environment()(event, context)


@cache
def _from_environment() -> Handler:
    settings = load()
    write_to_stdout(LOGGER, settings.log_level)
    return WebhookSender(settings)


class WebhookSender:
    """A handler that keeps its AWS clients and its event loop from call to call. It answers one call at a time.

    ``session`` brings other credentials than those that boto3 finds by itself.
    """

    def __init__(
        self, settings: Settings, session: boto3.Session | None = None, timings: Timings | None = None
    ) -> None:
        self._timings = timings or Timings()
        self._allow_loopback = settings.allow_loopback
        clients = Clients(settings, session or boto3.Session())
        self._delivery = Delivery(
            tasks=Tasks(clients.dynamodb, settings.table),
            queue=Queue(clients.sqs, settings.queue_url, settings.dead_letter_url),
            keys=SigningKeys(clients.secrets, settings.secrets),
            places=Places(
                base_url=settings.tasks_url,
                bucket=settings.bucket,
                sign=signer(clients.s3, settings.bucket, self._timings.link),
            ),
            schedule=self._timings.schedule,
            unreachable=Unreachable(self._timings.unreachable),
            total=self._timings.total,
            allow_loopback=settings.allow_loopback,
        )
        # Kept, since closing a loop waits for its threads, and a name server may hold one for long.
        self._runner = asyncio.Runner()

    def __call__(self, event: Event, context: Any) -> Response:  # noqa: ARG002 - Lambda's signature
        records = [Record.of(record) for record in event["Records"]]
        done = self._runner.run(self._deliver_all(records))
        return {
            "batchItemFailures": [
                {"itemIdentifier": record.message_id}
                for record, finished in zip(records, done, strict=True)
                if not finished
            ]
        }

    def close(self) -> None:
        self._runner.close()

    async def _deliver_all(self, records: Sequence[Record]) -> list[bool]:
        """All at the same time: the slowest of them is what the batch takes."""
        async with Receivers(self._timings.timeouts, allow_loopback=self._allow_loopback) as receivers:
            return await asyncio.gather(*(self._delivery.deliver(record, receivers) for record in records))
