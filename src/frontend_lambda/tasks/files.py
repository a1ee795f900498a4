"""``POST /v1alpha2/files``: a place for a file that a task will name in its content."""

import re
import uuid
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from contract.errors import ContractError, Problem, shown
from contract.object_keys import uploads_folder
from contract.task_table.item import timestamp
from frontend_lambda.body import whole
from frontend_lambda.responses import Response, respond
from frontend_lambda.tasks.links import Signer
from frontend_lambda.tasks.problems import invalid
from frontend_lambda.tasks.request import TaskRequest

MAX_BYTES = 32 * 1024 * 1024
"""An agent takes no larger file, unless its MAX_LINK_BYTES says so."""

FIELDS = ("bytes", "name", "type")

DEFAULT_NAME = "file"

_NAME = re.compile(r"(?=.*[^.])[A-Za-z0-9._-]{1,64}")
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}", re.IGNORECASE)


def upload(request: TaskRequest, body: Any, signer: Signer, bucket: str) -> Response:
    """201: a link to PUT the file to, and the ``s3://`` link by which the client's tasks name it.

    Raises TaskProblem.
    """
    problems = list(_problems(body))
    if problems:
        raise invalid(ContractError(problems))
    key = f"{uploads_folder(request.client)}/{uuid.uuid4()}/{body.get('name', DEFAULT_NAME)}"
    made = signer.upload(key, size=int(body["bytes"]), media_type=body.get("type"))
    answer = {
        "s3": f"s3://{bucket}/{key}",
        "method": "PUT",
        "url": made.url,
        "headers": made.headers,
        "url_expires": timestamp(made.expires),
    }
    return respond(HTTPStatus.CREATED, answer, {"Cache-Control": "no-store"})


def _problems(body: Any) -> Iterator[Problem]:
    if not isinstance(body, dict):
        yield Problem("", f"the body must be a JSON object, got {type(body).__name__}")
        return
    for name in body.keys() - FIELDS:
        yield Problem(name, f"is not a known field; there are {', '.join(map(repr, FIELDS))}")
    size, name, media_type = body.get("bytes"), body.get("name", DEFAULT_NAME), body.get("type")
    if "bytes" not in body:
        yield Problem("bytes", "is required: the size of the file, which the link then takes exactly")
    elif not 1 <= (whole(size) or 0) <= MAX_BYTES:
        yield Problem("bytes", f"must be 1 to {MAX_BYTES}, got {shown(size)}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield Problem(
            "name", f"must be 1 to 64 of letters, digits, '.', '_' and '-', and more than dots, got {shown(name)}"
        )
    if media_type is not None and not (isinstance(media_type, str) and _MEDIA_TYPE.fullmatch(media_type)):
        yield Problem("type", f"must be a media type such as 'image/png', got {shown(media_type)}")
