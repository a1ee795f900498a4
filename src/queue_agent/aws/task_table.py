"""The table of tasks: each write of the contract, sent and answered."""

import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from contract.task_table import pods, writes
from contract.task_table.pods import PodItem
from contract.task_table.writes import CONDITION_FAILED, Ending, Origin, Refusal, refusal, refusal_in
from queue_agent.aws.clients import aws_errors, code_of
from queue_agent.concurrency import within

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

CALL_SECONDS = 5.0
"""For one call, the SDK's repetitions included: DynamoDB answers within milliseconds, or is in trouble."""


class _ConditionFailed(Exception):
    """``item``: what is in the table instead, as AWS writes it."""

    def __init__(self, item: Any) -> None:
        super().__init__()
        self.item = item


class TaskTable:
    """Every call raises AwsError when it fails, or takes longer than CALL_SECONDS. None of them is repeated here, and
    each may be: a claim, a beat and an end that AWS has taken already change nothing more."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    async def look(self, origin: Origin) -> Refusal | None:
        """Why the task is not to run; None when it may, also when the table does not know it."""
        request = writes.look(self._name, origin.client, origin.id)
        answer = await _call("read the task's item", self._client.get_item(**request))
        return refusal_in(answer.get("Item"), origin.request)

    async def claim(self, origin: Origin, *, run: str, attempt: int) -> Refusal | None:
        """Note that a run begins; why it is not to, if so."""
        request = writes.claim(self._name, origin, run=run, attempt=attempt, now=time.time())
        try:
            await _call("claim the task in the table", self._client.update_item(**request))
        except _ConditionFailed as failed:
            return refusal(failed.item, origin.request)
        return None

    async def beat(self, origin: Origin, *, run: str, progress: float | None) -> Refusal | None:
        """Note that the run goes on, and its ``progress`` when that changed. Why it is not to go on, if so; ANOTHER
        when the item has another run."""
        request = writes.beat(self._name, origin, run=run, now=time.time(), progress=progress)
        try:
            answer = await _call("note the task's progress", self._client.update_item(**request))
        except _ConditionFailed as failed:
            return refusal_in(failed.item, origin.request) or Refusal.ANOTHER
        return refusal_in(answer.get("Attributes"), origin.request)

    async def end(self, origin: Origin, ending: Ending) -> Refusal | None:
        """Note what the task came to; what it has come to already, if so."""
        request = writes.end(self._name, origin, ending, now=time.time())
        try:
            await _call("end the task in the table", self._client.update_item(**request))
        except _ConditionFailed as failed:
            return refusal(failed.item, origin.request)
        return None

    async def requeue(self, origin: Origin, *, run: str) -> None:
        """Note that the task waits for another run, unless the item has another run already."""
        request = writes.requeue(self._name, origin, run=run)
        try:
            await _call("requeue the task in the table", self._client.update_item(**request))
        except _ConditionFailed:
            return

    async def report(self, pod: PodItem) -> None:
        """Note what a pod says of itself."""
        await _call("report on the pod", self._client.put_item(**pods.report(self._name, pod)))


async def _call(action: str, work: Coroutine[Any, Any, Any]) -> Any:
    with aws_errors(action):
        try:
            return await within(CALL_SECONDS, work)
        except ClientError as error:
            if code_of(error) == CONDITION_FAILED:
                raise _ConditionFailed(error.response.get("Item")) from error
            raise
