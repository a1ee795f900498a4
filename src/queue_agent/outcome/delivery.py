"""One delivery of one task: what this agent knows of it from the receive to the end. Nothing outlives it."""

import uuid
from dataclasses import dataclass, field, replace
from typing import Self

from contract.callback import Callback, Cause, Status
from contract.object_keys import ObjectKeys
from contract.task import Metadata
from queue_agent.aws.lease import Lease


@dataclass(frozen=True, slots=True)
class Delivery:
    """``runs`` counts the runs begun before and in this delivery; None while nobody looked what earlier ones noted.
    ``started`` says whether one was begun in this delivery, ``seconds`` how long the runtime worked for it, once it is
    over."""

    lease: Lease
    metadata: Metadata
    keys: ObjectKeys
    runs: int | None = None
    last_cause: Cause | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: bool = False
    seconds: float | None = None

    @property
    def first(self) -> bool:
        """Whether SQS hands the message out for the first time."""
        return self.lease.receives == 1

    def begun(self) -> Self:
        """The delivery with one more run."""
        return replace(self, runs=(self.runs or 0) + 1, started=True)

    def uncounted(self) -> Self:
        """The delivery without the run that was begun in it."""
        return replace(self, runs=(self.runs or 1) - 1)

    @property
    def fields(self) -> dict[str, object]:
        """What every log line of the task carries."""
        return {
            "task_id": self.metadata.id,
            "tasktype": self.metadata.tasktype.value,
            "attempt": self.runs,
            **self.lease.fields,
        }

    def completed(self, image_urls: list[str]) -> Callback:
        return self._callback(result=True, status=Status.COMPLETED, image_url=tuple(image_urls))

    def failed(self, cause: Cause, status: Status = Status.FAILED) -> Callback:
        return self._callback(result=False, status=status, error=cause)

    def running(self) -> Callback:
        return self._callback(result=None, status=Status.RUNNING)

    def _callback(
        self,
        *,
        result: bool | None,
        status: Status,
        image_url: tuple[str, ...] = (),
        error: Cause | None = None,
    ) -> Callback:
        return Callback(
            id=self.metadata.id,
            result=result,
            image_url=image_url,
            output_url=None if status is Status.RUNNING else self.keys.url(self.keys.record_key),
            context=self.metadata.context,
            runtime=self.metadata.runtime,
            status=status,
            error=error,
        )
