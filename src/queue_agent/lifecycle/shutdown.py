"""How this process is told to stop: first finish what runs, then, on a second word, let go of everything."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """``requested``: take nothing new, finish what runs. ``abort``: hand everything back now."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.abort = asyncio.Event()

    def request(self) -> None:
        """Ask to stop; asked twice, it means now."""
        if self.requested.is_set():
            log.warning("told to stop again; handing everything back", extra={"action": "abort"})
            self.abort.set()
            return
        log.info("told to stop; no more tasks are taken", extra={"action": "stop"})
        self.requested.set()

    async def pause(self, seconds: float) -> None:
        """Sleep, but no longer than until the stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.requested.wait(), seconds)


@asynccontextmanager
async def shutdown_on_signals() -> AsyncIterator[Shutdown]:
    """A Shutdown that SIGTERM and SIGINT request, for as long as the context lasts."""
    loop, stop = asyncio.get_running_loop(), Shutdown()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.request)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
