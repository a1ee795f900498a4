"""The task that a synchronous request becomes, from its admission to its end."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from contract.errors import ContractError
from contract.runtimes import TaskType
from frontend_lambda.admission import Admission
from frontend_lambda.caller import Caller
from frontend_lambda.responses import Response
from frontend_lambda.sync.request import Accept, SyncRequest, folder, own_fields
from frontend_lambda.sync.results import Ended, Results
from frontend_lambda.v1alpha2 import accept as admit_task


@dataclass(frozen=True, slots=True)
class TaskRunner:
    """Runs requests as tasks of one type on one runtime."""

    runtime: str
    operation: TaskType
    results: Results

    def run(self, content: Mapping[str, Any], request: SyncRequest, accept: Accept) -> Ended | Response:
        """What the task of this content made; a Response instead when it was not taken, not ended in time, or failed.

        Raises ContractError with everything that is wrong, by the request's fields.
        """
        admission = self._admit(content, request.caller)
        accepted = accept(admission)
        if accepted["statusCode"] != HTTPStatus.OK:
            return accepted
        return self.results.of(admission, accepted, request.request_id, request.started)

    def _admit(self, content: Mapping[str, Any], caller: Caller) -> Admission:
        """The task with an id of its own."""
        metadata = {
            "id": uuid.uuid4().hex,
            "runtime": self.runtime,
            "tasktype": self.operation.value,
            "prefix": folder(caller.client),
        }
        try:
            return admit_task({"task": {"metadata": metadata, "content": content}}, caller)
        except ContractError as error:
            raise ContractError(own_fields(error), omitted=error.omitted) from error
