"""Which objects of the output bucket are a task's. Every key follows from the task and from its request."""

import base64
import hashlib
from dataclasses import dataclass, replace

RESERVED_PREFIX = ".platform"
"""Top folder of the platform's own short-lived objects; a lifecycle rule empties it, so no task may write there."""

REQUESTS_PREFIX = f"{RESERVED_PREFIX}/requests"
"""Contents of tasks that are too large for a message (claim check)."""

ATTEMPTS_PREFIX = f"{RESERVED_PREFIX}/attempts"
"""How often a redelivered task ran, one object a task."""

UPLOADS_PREFIX = f"{RESERVED_PREFIX}/uploads"
"""Files that clients upload for their tasks, in a folder for each client."""

RESULTS_PREFIX = f"{RESERVED_PREFIX}/results"
"""What the image kit's function made and could not answer, since it is too large; the link to it opens for minutes."""

SYNC_FOLDER = "sync"
"""Folder of what the synchronous routes make, below the client's first folder if it has one."""

CODE_LENGTH = 13
"""Characters of base32, 5 bits each: with 65 bits, two of a billion tasks with one id share a code with a probability
of 1.4 %. Four characters would collide after a thousand tasks."""


@dataclass(frozen=True, slots=True)
class ObjectKeys:
    """The objects of one task: ``s3://{bucket}/{prefix}/{id}/{id}-{code}-{n}.{ext}`` and ``….out``.

    ``code`` follows from ``identity``, so that a redelivered message finds what an earlier delivery stored, and so that
    two messages of one request share their objects. ``turn`` counts the codes that were taken by other tasks of the
    same prefix and id.
    """

    bucket: str
    prefix: str
    task_id: str
    message_id: str
    """Of the SQS message."""
    turn: int = 0
    request_id: str | None = None
    """Of the request at the front door; None when the message was sent by something else."""

    @property
    def identity(self) -> str:
        """What the task is one of: its request, or its message where no request is named."""
        return self.request_id or self.message_id

    @property
    def code(self) -> str:
        name = f"{self.identity}/{self.turn}" if self.turn else self.identity
        return base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:CODE_LENGTH].lower()

    def next_turn(self) -> "ObjectKeys":
        """The keys with another code, for when another task of the same prefix and id has this one."""
        return replace(self, turn=self.turn + 1)

    @property
    def record_key(self) -> str:
        """Key of ``.out``, the commit record, which is written after all outputs."""
        return f"{self._stem}.out"

    @property
    def attempts_key(self) -> str:
        return f"{ATTEMPTS_PREFIX}/{self.identity}.json"

    def image_key(self, number: int, extension: str) -> str:
        """Key of output ``number`` (from 1); ``extension`` comes without its dot."""
        return f"{self._stem}-{number}.{extension}"

    def url(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    @property
    def _stem(self) -> str:
        return f"{self.prefix}/{self.task_id}/{self.task_id}-{self.code}"


def uploads_folder(client: str) -> str:
    """The folder of a client's uploads, which only its own tasks may read."""
    return f"{UPLOADS_PREFIX}/{client}"


def is_below(path: str, folder: str) -> bool:
    """Whether an object or a folder is ``folder`` or lies below it; not when its path can be read in another way."""
    return (path == folder or path.startswith(f"{folder}/")) and {".", ".."}.isdisjoint(path.split("/"))


def output_location(bucket: str, prefix: str, task_id: str) -> str:
    """The folder that the front door's answer names."""
    return f"s3://{bucket}/{prefix}/{task_id}"
