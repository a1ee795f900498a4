"""One job at a time, in a thread: another one that comes meanwhile is refused, and its caller sends it again."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from image_kit.errors import Busy, Failed, KitError
from image_kit.watch import Watch

ID_BYTES = 8

T = TypeVar("T")

log = logging.getLogger(__name__)


class Jobs:
    """Made once in a process; ``close`` ends it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="job")
        self._watch = Watch()
        self.current: str | None = None
        """The id of the job that is worked on."""

    @property
    def progress(self) -> float | None:
        """Of the current job, 0..1."""
        return None if self.current is None else self._watch.progress

    async def run(self, job_id: str | None, work: Callable[[Watch], T]) -> T:
        """What ``work`` returns. Raises Busy while another job runs, the KitError that ``work`` raises, and Failed for
        any other error of it. Cancelled, it stops the work at its next step.
        """
        if self.current is not None:
            raise Busy("another request is being worked on; send this one again in a moment")
        self.current, self._watch = job_id or secrets.token_hex(ID_BYTES), Watch()
        running = asyncio.get_running_loop().run_in_executor(self._thread, work, self._watch)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self._watch.stop()
            await asyncio.wait([running])
            running.exception()  # seen, so that asyncio does not report it as never retrieved
            raise
        except KitError:
            raise
        except Exception as error:
            log.exception("a job failed", extra={"action": "job"})
            raise Failed(f"the model failed: {type(error).__name__}: {error}") from error
        finally:
            self.current = None

    def stop(self, job_id: str) -> bool:
        """Stop the job at its next step. Returns whether it is the current one."""
        if job_id != self.current:
            return False
        self._watch.stop()
        return True

    def close(self) -> None:
        """Stop the current job, and wait for its next step."""
        self._watch.stop()
        self._thread.shutdown(wait=True, cancel_futures=True)
