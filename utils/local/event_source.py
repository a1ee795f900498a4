"""Calls a Lambda handler for the messages of a queue, as Lambda's event source mapping does.

Messages come in batches. Those that the handler does not name as failed are deleted; the others come again when their
visibility ends, which the handler may have changed.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

BATCH_SIZE = 10

WAIT_SECONDS = 1
"""Of a long poll: as long as it may take until a stop is seen."""

ERROR_PAUSE = 1.0
"""Seconds after a call that failed, as when the embedded AWS is busy."""

Handler: TypeAlias = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]

LOGGER = logging.getLogger(__name__)


class EventSource:
    """A queue and the handler of its messages.

    Several may serve one queue, each in a thread of its own. With the same ``turn`` one of them waits for messages at a
    time, however many there are.
    """

    def __init__(
        self, sqs: "SQSClient", queue_url: str, handler: Handler, turn: AbstractContextManager[Any] | None = None
    ) -> None:
        self._sqs = sqs
        self._url = queue_url
        self._handler = handler
        self._turn = turn or nullcontext()

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``. An error is logged and the messages are left to come again."""
        while not stop.is_set():
            try:
                self.poll()
            except Exception:
                LOGGER.exception("a batch failed; its messages come again")
                stop.wait(ERROR_PAUSE)

    def poll(self, wait_seconds: int = WAIT_SECONDS) -> int:
        """One batch. Returns how many messages it had."""
        with self._turn:
            messages = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH_SIZE,
                WaitTimeSeconds=wait_seconds,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            ).get("Messages", [])
        if messages:
            response = self._handler({"Records": [_record(message) for message in messages]}, None)
            failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
            for message in messages:
                if message["MessageId"] not in failed:
                    self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return len(messages)


def _record(message: "MessageTypeDef") -> dict[str, Any]:
    """As Lambda writes it: the same in other letters."""
    attributes = message.get("MessageAttributes", {})
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: {"dataType": value["DataType"], "stringValue": value.get("StringValue", "")}
            for name, value in attributes.items()
        },
    }
