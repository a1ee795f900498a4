"""What the protocol asks of the transport that carries its requests.

Every verb of the client is a generator, a Flow: it yields steps, is sent what became of each, and returns its result.
It does no I/O, so the synchronous and the asynchronous client run the very same code.
"""

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO, TypeAlias, TypeVar

from sd_on_eks.errors import ProtocolError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request. Its headers hold all that it needs, the key included.

    ``body`` is sent as it is. ``seconds`` is how long each part of the answer may take. The body of an answer of 200
    goes to ``sink``, which is emptied first, and else into the Response.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    seconds: float
    sink: BinaryIO | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """``headers`` have names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < HTTPStatus.BAD_REQUEST

    def json(self) -> Any:
        """Raises ProtocolError when the body is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ProtocolError(f"an answer with status {self.status} is not JSON; is the endpoint right?") from error


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came to a request; ``cause`` says why."""

    cause: Exception


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is done for ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """``call`` reads a file. Its result is the answer; what it raises is raised."""

    call: Callable[[], Any]


Step: TypeAlias = Request | Pause | Work

Flow: TypeAlias = Generator[Step, Any, T]
"""Answers: to a Request a Response or Lost, to a Pause None, to Work its result."""
