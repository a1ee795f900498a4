"""Tasks as answers show them."""

from http import HTTPStatus
from typing import Any

from contract.task_table.item import MAX_OUTPUTS, State, TaskItem
from contract.task_table.view import Places, Waiting, task_view
from frontend_lambda.responses import Response, respond
from frontend_lambda.tasks.estimate import retry_after, waiting
from frontend_lambda.tasks.links import Signer
from frontend_lambda.tasks.load import Loads
from frontend_lambda.tasks.reader import tag
from frontend_lambda.tasks.request import TaskRequest


class Views:
    """Shows tasks, with estimates and links of the moment."""

    def __init__(self, loads: Loads, signer: Signer, bucket: str) -> None:
        self._loads = loads
        self._signer = signer
        self._bucket = bucket

    def task(self, request: TaskRequest, item: TaskItem, *, links: int = MAX_OUTPUTS) -> dict[str, Any]:
        """The Task. ``links`` is how many of its outputs have a link; with 0 its record has none, either: a page of
        tasks with thousands of links would be larger than Lambda may answer."""
        sign = self._signer.download if links else None
        places = Places(base_url=request.tasks_url, bucket=self._bucket, sign=sign, linked=links)
        return task_view(item, places, self._waiting(item))

    def response(self, request: TaskRequest, item: TaskItem, status: HTTPStatus) -> Response:
        """The answer that is one Task."""
        headers = {**self.headers(item), "Location": request.task_url(item.id)}
        return respond(status, self.task(request, item), headers)

    def unchanged(self, item: TaskItem) -> Response:
        """304: the caller has this revision."""
        return {"statusCode": HTTPStatus.NOT_MODIFIED.value, "headers": self.headers(item), "body": ""}

    def headers(self, item: TaskItem) -> dict[str, str]:
        headers = {"ETag": f'W/"{tag(item)}"', "Cache-Control": "no-store"}
        if not item.status.terminal:
            load = self._loads.of(item.runtime)
            headers["Retry-After"] = str(retry_after(item, load, self._waiting(item)))
        return headers

    def _waiting(self, item: TaskItem) -> Waiting | None:
        return waiting(item, self._loads.of(item.runtime)) if item.status is State.QUEUED else None
