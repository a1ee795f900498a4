"""A message as Lambda hands it over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

MILLISECONDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """``attributes`` by name, those that are text. ``first_received`` in epoch seconds, ``receives`` so far."""

    message_id: str
    receipt: str
    body: str
    attributes: Mapping[str, str]
    first_received: float
    receives: int

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """From an entry of the event's ``Records``. Source: "Using Lambda with Amazon SQS" in AWS's documentation."""
        system = record["attributes"]
        attributes = record.get("messageAttributes") or {}
        return cls(
            message_id=record["messageId"],
            receipt=record["receiptHandle"],
            body=record["body"],
            attributes={name: value["stringValue"] for name, value in attributes.items() if "stringValue" in value},
            first_received=int(system["ApproximateFirstReceiveTimestamp"]) / MILLISECONDS,
            receives=int(system["ApproximateReceiveCount"]),
        )
