"""Where a task's objects lie in the output bucket. Every name follows from the task and its SQS message."""

import base64
import hashlib
from dataclasses import dataclass, replace

RESERVED_PREFIX = ".platform"
"""Top folder of the platform's own short-lived objects; a lifecycle rule empties it, so no task may write there."""

REQUESTS_PREFIX = f"{RESERVED_PREFIX}/requests"
"""Contents of tasks that are too large for a message (claim check)."""

ATTEMPTS_PREFIX = f"{RESERVED_PREFIX}/attempts"
"""How often a redelivered task ran, one object a message."""

CODE_LENGTH = 4
"""The guide's names carry four characters; 32^4 codes keep two tasks that share an id apart."""


@dataclass(frozen=True, slots=True)
class ObjectKeys:
    """The objects of one task: ``s3://{bucket}/{prefix}/{id}/{id}-{code}-{n}.{ext}`` and ``….out``.

    ``code`` follows from the SQS message id, so that a redelivered message finds what an earlier delivery stored.
    ``turn`` counts the codes that were taken by other tasks of the same prefix and id.
    """

    bucket: str
    prefix: str
    task_id: str
    message_id: str
    turn: int = 0

    @property
    def code(self) -> str:
        name = f"{self.message_id}/{self.turn}" if self.turn else self.message_id
        return base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:CODE_LENGTH].lower()

    def next_turn(self) -> "ObjectKeys":
        """The places with another code, for when another task of the same prefix and id has this one."""
        return replace(self, turn=self.turn + 1)

    @property
    def record_key(self) -> str:
        """Key of ``.out``, the commit record, which is written after all pictures."""
        return f"{self._stem}.out"

    @property
    def attempts_key(self) -> str:
        return f"{ATTEMPTS_PREFIX}/{self.message_id}.json"

    def image_key(self, number: int, extension: str) -> str:
        """Key of picture ``number`` (from 1); ``extension`` comes without its dot."""
        return f"{self._stem}-{number}.{extension}"

    def url(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    @property
    def _stem(self) -> str:
        return f"{self.prefix}/{self.task_id}/{self.task_id}-{self.code}"


def output_location(bucket: str, prefix: str, task_id: str) -> str:
    """The folder that the front door's answer names."""
    return f"s3://{bucket}/{prefix}/{task_id}"
