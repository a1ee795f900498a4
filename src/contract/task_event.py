"""What the queue of the webhooks carries: a task began, or it ended.

The agent sends ``started`` itself. ``ended`` is read from the callback, which comes from the output topic with the
attributes ``client``, ``request_id`` and ``webhook``. A dead letter has the form of ``started``, whatever its event.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from contract.errors import ContractError, Problem, shown
from contract.webhook import ENDED, EVENTS
from contract.wire import CLIENT_ATTRIBUTE, REQUEST_ID_ATTRIBUTE, WEBHOOK_ATTRIBUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """``event`` is one of EVENTS; ``request`` is the identity of the task's request, as its item holds it."""

    client: str
    id: str
    request: str
    event: str
    runtime: str

    def encode(self) -> str:
        """The message's body."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def decode(cls, body: str, attributes: Mapping[str, str]) -> Self:
        """Read a message. ``attributes`` by name. Raises ContractError for what is neither an event nor a callback."""
        try:
            value = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ContractError([Problem("", f"the message is not JSON: {error}")]) from error
        if not isinstance(value, dict):
            raise ContractError([Problem("", f"the message must be an object, got {shown(value)}")])
        if WEBHOOK_ATTRIBUTE in attributes:
            return cls._read(_of_callback(value, attributes))
        return cls._read(value)

    @classmethod
    def _read(cls, value: Mapping[str, Any]) -> Self:
        facts = {name: value.get(name) for name in cls.__slots__}
        problems = [
            Problem(name, f"must be text that is not empty, got {shown(fact)}")
            for name, fact in facts.items()
            if not isinstance(fact, str) or not fact
        ]
        if not problems and facts["event"] not in EVENTS:
            problems.append(Problem("event", f"must be one of {', '.join(EVENTS)}, got {shown(facts['event'])}"))
        if problems:
            raise ContractError(problems)
        return cls(**{name: str(fact) for name, fact in facts.items()})


def _of_callback(body: Mapping[str, Any], attributes: Mapping[str, str]) -> dict[str, Any]:
    return {
        "client": attributes.get(CLIENT_ATTRIBUTE),
        "request": attributes.get(REQUEST_ID_ATTRIBUTE),
        "id": body.get("id"),
        "runtime": body.get("runtime"),
        "event": ENDED,
    }
