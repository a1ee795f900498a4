"""One request from its body to its answer, for both front ends: the HTTP server and the function."""

from typing import Any

from contract.errors import shown
from contract.image_kit import ImageRequest, image_problems, image_request
from contract.runtimes import TaskType
from image_kit.errors import BadRequest
from image_kit.images import Limits, decode_base64
from image_kit.links import Links


def checked(operation: TaskType, body: Any) -> ImageRequest:
    """The request of a JSON body. Raises BadRequest with all that is wrong."""
    if not isinstance(body, dict):
        raise BadRequest.of("", f"must be a JSON object, got {shown(body)}")
    problems = list(image_problems(operation, body))
    if problems:
        raise BadRequest(problems)
    return image_request(operation, body)


async def image_of(request: ImageRequest, links: Links, limits: Limits) -> bytes:
    """The bytes of the request's image. Raises KitError."""
    if request.url is not None:
        return await links.fetch(request.url.strip())
    assert request.img is not None, "a checked request has one of both"
    return decode_base64(request.img, limits)
