"""Restarts the platform's processes when they end, and leaves none behind."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

RESTART_WINDOW = 60.0
"""Seconds in which a service may use up its restarts; one that ends more rarely is restarted each time."""

RESTART_DELAY = 0.5
"""Seconds before a restart, so that a service that cannot start does not take the whole CPU."""

NOTICE_SECONDS = 5.0
"""After which a person who waits for the end hears what it waits for."""

LAST_LINES = 8
"""Lines of its log that are shown of a service that is not restarted any more."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process: ``python -m module arguments…``, with ``environment`` and no other variable.

    ``restarts`` are allowed per RESTART_WINDOW; 0 for a service whose state the others need.
    ``stop_seconds`` is how long it may take to stop on SIGTERM. ``sockets`` are open sockets that it inherits.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    restarts: int = 3
    stop_seconds: float = 5.0
    sockets: tuple[int, ...] = ()


class ServiceFailed(Exception):
    """A service ended and is not restarted. The text says how it ended, where its log is, and its last lines."""


class Supervisor:
    """Starts services, restarts them when they end, and stops all of them on exit.

    Each service writes ``{name}.log`` in the folder ``logs``. ``report`` gets one line for each event that a person
    should know: which service ended, and what is done about it.
    """

    def __init__(self, logs: Path, report: Callable[[str], None]) -> None:
        self._logs = logs
        self._report = report
        self._keepers: dict[str, _Keeper] = {}
        self._failure: asyncio.Future[ServiceFailed] = asyncio.get_running_loop().create_future()
        self._life_line, self._held_end = os.pipe()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop(*self._keepers)
        finally:
            os.close(self._held_end)
            os.close(self._life_line)

    async def start(self, service: Service) -> None:
        """Start ``service``, and restart it from now on."""
        keeper = _Keeper(service, self._logs / f"{service.name}.log", self._life_line, self._report, self._give_up)
        await keeper.start()
        self._keepers[service.name] = keeper

    async def stop(self, *names: str) -> None:
        """Stop these services, all at the same time; one that does not end within its limit is killed.

        Cancelling this kills them at once.
        """
        keepers = [self._keepers.pop(name) for name in names]
        try:
            await asyncio.gather(*(keeper.stop() for keeper in keepers))
        finally:
            for keeper in keepers:
                await keeper.kill()

    async def watch(self, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work`` while all services are up. Cancels it, and raises ServiceFailed, when one is given up."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._failure), return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                raise self._failure.result()
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})

    def pids(self) -> dict[str, int]:
        """The process id of every service that runs now."""
        return {name: keeper.process.pid for name, keeper in self._keepers.items() if keeper.alive}

    def _give_up(self, failure: ServiceFailed) -> None:
        if not self._failure.done():
            self._failure.set_result(failure)


class _Keeper:
    """One service: its current process, and the task that starts the next one."""

    process: Process

    def __init__(
        self,
        service: Service,
        log: Path,
        life_line: int,
        report: Callable[[str], None],
        give_up: Callable[[ServiceFailed], None],
    ) -> None:
        self._service = service
        self._log = log
        self._life_line = life_line
        self._report = report
        self._give_up = give_up
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def start(self) -> None:
        await self._spawn()
        self._task = asyncio.create_task(self._keep(), name=f"keep {self._service.name}")

    async def stop(self) -> None:
        await self._leave()
        if self.alive:
            self._signal(signal.SIGTERM)
        notice = asyncio.get_running_loop().call_later(
            NOTICE_SECONDS,
            self._report,
            f"waiting for {self._service.name} to stop, {self._service.stop_seconds:g} s at most; Ctrl-C kills it",
        )
        try:
            await asyncio.wait_for(self.process.wait(), self._service.stop_seconds)
        except TimeoutError:
            self._report(f"{self._service.name} did not stop within {self._service.stop_seconds:g} s and is killed")
        finally:
            notice.cancel()

    async def kill(self) -> None:
        """Make sure that nothing of the service is left."""
        await self._leave()
        if self.alive:
            self._signal(signal.SIGKILL)
            await self.process.wait()

    async def _leave(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    async def _spawn(self) -> None:
        # In a session of its own it gets no Ctrl-C from the terminal: the order of stopping is decided here.
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-P",
                    "-m",
                    "utils.local.exit_with_parent",
                    self._service.module,
                    *self._service.arguments,
                ),
                env=dict(self._service.environment),
                stdin=self._life_line,
                stdout=log,
                stderr=log,
                pass_fds=self._service.sockets,
                start_new_session=True,
            )

    async def _keep(self) -> None:
        clock = asyncio.get_running_loop().time
        ends: deque[float] = deque()
        while True:
            how = _how(await self.process.wait())
            ends.append(clock())
            while ends[0] < clock() - RESTART_WINDOW:
                ends.popleft()
            if len(ends) > self._service.restarts:
                self._give_up(self._failure(how))
                return
            self._report(f"{self._service.name} {how}; restarting it ({len(ends)} of {self._service.restarts})")
            await asyncio.sleep(RESTART_DELAY)
            await self._spawn()

    def _failure(self, how: str) -> ServiceFailed:
        often = f" {self._service.restarts + 1} times within {RESTART_WINDOW:g} s" if self._service.restarts else ""
        lines = self._log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        last = "".join(f"\n  | {line}" for line in lines)
        return ServiceFailed(f"{self._service.name} {how}{often}; its log is {self._log}{last}")


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
