"""How this process is asked to stop: first finish what runs; asked again, release everything."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from queue_agent.concurrency import set_within

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """``requested``: take nothing new, finish what runs. ``abort``: release everything now."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.abort = asyncio.Event()

    def request(self) -> None:
        """Ask to stop; asked twice, it means now."""
        if self.requested.is_set():
            log.warning("asked to stop again; releasing everything", extra={"action": "abort"})
            self.abort.set()
            return
        log.info("asked to stop; no more tasks are taken", extra={"action": "stop"})
        self.requested.set()

    async def pause(self, seconds: float) -> None:
        """Sleep, but no longer than until the shutdown is requested."""
        await set_within(self.requested, seconds)


@asynccontextmanager
async def shutdown_on_signals() -> AsyncIterator[Shutdown]:
    """A Shutdown that SIGTERM and SIGINT request, for as long as the context lasts."""
    loop, shutdown = asyncio.get_running_loop(), Shutdown()
    for number in SIGNALS:
        loop.add_signal_handler(number, shutdown.request)
    try:
        yield shutdown
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
