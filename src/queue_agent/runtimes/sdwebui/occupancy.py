"""Whose job a WebUI works at. It gives its jobs no names, and shows an upscaling that failed as running for ever."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from queue_agent.concurrency import cancel_all
from queue_agent.errors import AgentError
from queue_agent.runtimes.sdwebui.api import Api

STILL_SECONDS = 10.0
"""A job that shows nothing new for so long may have ended: it is looked into. A large upscaling or the load of a model
shows nothing new either, and is not disturbed by that."""

CLEAR_SECONDS = 5.0
"""What the look into an idle WebUI may take; it takes milliseconds. A WebUI that runs a job answers after that job."""

IDLE_HOLDS_SECONDS = 0.1
"""For how long a WebUI that was seen idle counts as idle: between two tasks of a busy agent each question would cost
GPU time."""

FIRST_PAUSE, LAST_PAUSE, PAUSE_GROWTH = 0.05, 1.0, 1.5
"""Seconds between looks at a WebUI that works for another client."""

NO_JOB: dict[str, Any] = {
    "image": "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADElEQVR42mNgoA4AAABIAAEQRe/SAAAAAElFTkSuQmCC",
    "upscaler_1": "None",
    "upscaling_resize": 1,
}
"""An upscaling of 8 x 8 pixels by nothing. WebUI runs it when its turn has come, and shows that nothing runs then."""

log = logging.getLogger(__name__)


class Occupancy:
    """Judges the state of /progress.

    WebUI names a job by the second in which it began (``job_timestamp``). Ours is the first one that is seen after it
    was sent: nothing is sent to a WebUI that works for another client. While our answer is being encoded, another
    client's job may run already.
    """

    def __init__(self, api: Api, still_seconds: float = STILL_SECONDS) -> None:
        self._api = api
        self._still_seconds = still_seconds
        self._ours: Any = None
        self._shown: Mapping[str, Any] | None = None
        self._shown_since = 0.0
        self._clearing: asyncio.Task[None] | None = None
        self._seen_idle: float | None = None

    def sending(self) -> None:
        """A job of ours is sent: the next one that is seen is ours."""
        self._ours = None

    def is_ours(self, state: Mapping[str, Any]) -> bool:
        """Whether the running job is the one that was sent last."""
        if not state.get("job_count"):
            return False
        if self._ours is None:
            self._ours = state.get("job_timestamp")
        return bool(self._ours == state.get("job_timestamp"))

    def note_idle(self, state: Mapping[str, Any]) -> None:
        """What was seen at the end of our job."""
        self._seen_idle = None if state.get("job_count") else _now()

    def busy(self, state: Mapping[str, Any]) -> bool:
        """Whether a job runs while none of ours does. One that shows nothing new for long is looked into.

        ``state`` is what /progress says now.
        """
        if not state.get("job_count"):
            self._shown = None
            return self._clearing is not None
        if state != self._shown:
            self._shown, self._shown_since = dict(state), _now()
        elif _now() - self._shown_since > self._still_seconds and self._clearing is None:
            self._shown_since = _now()
            self._begin_clearing()
        return True

    async def wait_until_idle(self, waits: Callable[[], bool]) -> None:
        """Return when nothing runs; not asked when nothing ran a moment ago. ``waits`` is called whenever something
        runs; False ends the wait.

        After somebody else's job WebUI must be seen idle twice: between two requests that wait for it, it is so for a
        moment.
        """
        if self._seen_idle is not None and _now() - self._seen_idle < IDLE_HOLDS_SECONDS:
            return
        pause, idle_looks = FIRST_PAUSE, 1
        while True:
            if self.busy(await self._api.state()):
                if not waits():
                    return
                idle_looks = 2
                await asyncio.sleep(pause)
                pause = min(pause * PAUSE_GROWTH, LAST_PAUSE)
                continue
            idle_looks -= 1
            if not idle_looks:
                return
            await asyncio.sleep(FIRST_PAUSE)

    async def clear(self) -> None:
        """After an upscaling of ours that failed: have WebUI show what runs. Never raises."""
        await asyncio.wait([self._clearing or self._begin_clearing()], timeout=CLEAR_SECONDS)

    async def close(self) -> None:
        if self._clearing is not None:
            await cancel_all([self._clearing])

    def _begin_clearing(self) -> "asyncio.Task[None]":
        self._clearing = asyncio.create_task(self._clear(), name="look into a job that shows nothing new")
        return self._clearing

    async def _clear(self) -> None:
        try:
            await self._api.post("extra-single-image", NO_JOB, seconds=None)
        except AgentError as error:
            log.warning(
                "SD WebUI shows a job as running, and did not run another",
                extra={"action": "occupancy", "cause_type": error.type, "cause": error.message},
            )
        finally:
            self._clearing = None


def _now() -> float:
    return asyncio.get_running_loop().time()
