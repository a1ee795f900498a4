"""What this agent holds, in files that outlive its process: its successor in the same pod goes on with it at once,
instead of waiting for the leases to expire. One small file a message; without a folder nothing is kept."""

import json
import logging
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMessage:
    """A message as its agent last knew it. ``expires`` and ``first_received`` are seconds of the wall clock.

    ``runs`` counts the run that was begun, if there was one; None while no run was. ``job_ref`` is the runtime's own id
    of the job. ``notified``: the final callback was sent, so that only the deletion is left. ``sent`` is None in what
    an older agent kept.
    """

    message_id: str
    receipt: str
    body: str
    receives: int
    first_received: float
    expires: float
    traceparent: str | None = None
    request_id: str | None = None
    client: str | None = None
    group: str | None = None
    repeat: bool = False
    sent: float | None = None
    deadline: int | None = None
    webhook: str = ""
    runs: int | None = None
    job_ref: str | None = None
    notified: bool = False


class LeaseJournal:
    """Written at each change of what is held. A disk that takes nothing is logged once and costs no task."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[str, HeldMessage] = {}
        self._failing = False

    def hold(self, message: HeldMessage) -> None:
        """The message is held from now on."""
        if self._folder is not None:
            self._write(message)

    def renew(self, message_id: str, expires: float) -> None:
        """Its lease now expires at this time of the wall clock."""
        self._change(message_id, expires=expires)

    def begin(self, message_id: str, runs: int) -> None:
        """A run of it begins, the ``runs``-th."""
        self._change(message_id, runs=runs, job_ref=None)

    def accept(self, message_id: str, job_ref: str) -> None:
        """The runtime has its job, under this id."""
        self._change(message_id, job_ref=job_ref)

    def notify(self, message_id: str) -> None:
        """Its final callback was sent."""
        self._change(message_id, notified=True)

    def forget(self, message_id: str) -> None:
        """It is not held any more."""
        if self._held.pop(message_id, None) is not None:
            with suppress(OSError):  # a stale file is harmless: its lease expires
                self._path(message_id).unlink()

    def take_over(self) -> list[HeldMessage]:
        """What a predecessor held and whose lease has not expired, begun ones first; the files are removed."""
        found = []
        for path in sorted(self._folder.glob("*.json")) if self._folder and self._folder.is_dir() else ():
            try:
                found.append(HeldMessage(**json.loads(path.read_text())))
            except (OSError, ValueError, TypeError) as error:
                log.warning("a kept lease cannot be read", extra={"action": "recover", "cause": str(error)})
            path.unlink(missing_ok=True)
        now = time.time()
        return sorted((held for held in found if held.expires > now), key=lambda held: held.runs is None)

    def _change(self, message_id: str, **changes: float | str | None) -> None:
        if message_id in self._held:
            self._write(replace(self._held[message_id], **changes))  # type: ignore[arg-type]  # the callers name the fields

    def _write(self, message: HeldMessage) -> None:
        self._held[message.message_id] = message
        path = self._path(message.message_id)
        part = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(asdict(message)))
            part.replace(path)
        except OSError as error:
            if not self._failing:
                log.warning(
                    "what is held cannot be kept for a successor; after a crash its leases have to expire",
                    extra={"action": "journal", "cause": str(error)},
                )
            self._failing = True
        else:
            self._failing = False

    def _path(self, message_id: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{message_id}.json"
