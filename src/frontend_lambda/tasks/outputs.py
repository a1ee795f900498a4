"""A task's outputs, each at an address that does not expire."""

import re
from http import HTTPStatus

from contract.task_table.item import TaskItem
from frontend_lambda.responses import Response
from frontend_lambda.tasks.links import Signer
from frontend_lambda.tasks.problems import not_found

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")


def redirect(item: TaskItem, number: str, signer: Signer) -> Response:
    """302 to a fresh link of output ``number`` (from 1). Raises TaskProblem where there is none."""
    if not _NUMBER.fullmatch(number) or int(number) > len(item.outputs) + item.omitted_outputs:
        raise not_found(f"task {item.id!r} is {item.status.value} and has {len(item.outputs)} outputs, no {number!r}")
    if int(number) > len(item.outputs):
        raise not_found(f"output {number} is named in the task's record only: see urls.record")
    link = signer.download(item.outputs[int(number) - 1].key)
    headers = {"Location": link.url, "Cache-Control": "no-store", "Content-Type": "application/json"}
    return {"statusCode": HTTPStatus.FOUND.value, "headers": headers, "body": ""}
