"""The image kit's routes: each request is a task, answered with its result.

The routes, bodies and answers are those of ``contract.image_kit``. A result that is larger than a function's answer is
a link, and a task that has not ended in time is answered 202 with its place.
"""

from contract.errors import ContractError, Problem, shown
from contract.image_kit import RESULT, ROUTES
from contract.runtimes import TaskType
from frontend_lambda.body import read_json
from frontend_lambda.responses import Response
from frontend_lambda.sync.request import Accept, SyncRequest, answered
from frontend_lambda.sync.results import Results
from frontend_lambda.sync.tasks import TaskRunner


class ImageKitRoute:
    """One of ``contract.image_kit.ROUTES``."""

    method = "POST"

    def __init__(self, route: str, runtime: str, results: Results) -> None:
        self.path = f"/{route}"
        self._runner = TaskRunner(runtime, ROUTES[route], results)

    def respond(self, request: SyncRequest, accept: Accept) -> Response:
        body = read_json(request.event)
        if not isinstance(body, dict):
            raise ContractError([Problem("", f"must be a JSON object, got {shown(body)}")])
        ended = self._runner.run(body, request, accept)
        if isinstance(ended, dict):
            return ended
        if self._runner.operation is TaskType.OCR:
            return answered(ended.record[RESULT])
        results, key = self._runner.results, ended.outputs[0]
        image = results.base64(key)
        return answered({"url": results.link(key)} if image is None else {RESULT: image})
