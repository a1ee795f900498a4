"""Everything that a request can end with other than its answer, each with its HTTP status.

KitError
├── BadRequest       400  the request: a field, or the image in it
│   └── BadLink      400  the link in ``url``: not allowed, not found, or too large
├── LinkUnavailable  502  the link's server does not answer, or says that it is in trouble
├── Stopped          409  the job was stopped by POST /interrupt, or its caller left
├── TooLate          504  the function's time would end before the job does
├── Busy             503  another request is being worked on
└── Failed           500  the model failed
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from contract.errors import ContractError, Problem
from contract.image_kit import IMG, URL


class KitError(Exception):
    """``type`` is a short name for programs; ``problems`` name the fields that are wrong."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    type = "failed"

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON, in the form of all errors of the platform."""
        return {
            "message": self.message,
            "type": self.type,
            "errors": [{"field": one.field, "problem": one.problem} for one in self.problems],
        }


class BadRequest(KitError):
    """The caller can fix it."""

    status = HTTPStatus.BAD_REQUEST
    type = "invalid-request"
    MESSAGE = "invalid param"
    """As the services say whose requests these are."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        bounded = ContractError(problems)
        super().__init__(self.MESSAGE, bounded.problems)

    @classmethod
    def of(cls, field: str, problem: str) -> "BadRequest":
        """One problem."""
        return cls([Problem(field, problem)])


class BadLink(BadRequest):
    """``problem`` says why the link in ``url`` gives no image."""

    type = "link"
    MESSAGE = f"parameter `{URL}` illegal"


class LinkUnavailable(KitError):
    """Worth another request later."""

    status = HTTPStatus.BAD_GATEWAY
    type = "link-unavailable"


class Stopped(KitError):
    """Nothing is answered of what had begun."""

    status = HTTPStatus.CONFLICT
    type = "interrupted"

    def __init__(self) -> None:
        super().__init__("the job was stopped")


class TooLate(KitError):
    """It would be too late on another try as well."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    type = "timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the image takes longer than {seconds:.0f} s; send a smaller one, or a task of this type to POST /v1alpha2"
        )


class Busy(KitError):
    """Worth another request in a moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "busy"


class Failed(KitError):
    """The text of the model's own error is in the message: it may say that memory did not suffice."""


def bad_image(problem: str, *, from_link: bool) -> BadRequest:
    """The image that the request gave cannot be used."""
    return BadRequest.of(URL if from_link else IMG, problem)
