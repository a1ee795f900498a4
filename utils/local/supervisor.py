"""Keeps the platform's processes alive, and leaves none of them behind."""

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
"""Seconds in which a part may use up its restarts; one that dies more slowly is started again each time."""

RESTART_DELAY = 0.5
"""Seconds between a death and the next start, so that a part that cannot start does not eat the machine."""

LAST_LINES = 8
"""Lines of its log that are shown of a part that is given up."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process: ``python -m module arguments…``, with ``environment`` and no other variable.

    ``restarts`` are allowed per RESTART_WINDOW; 0 for a part whose death takes what the others need with it.
    ``stop_seconds`` is how long it may take to stop on SIGTERM. ``sockets`` are open sockets that it inherits.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    restarts: int = 3
    stop_seconds: float = 5.0
    sockets: tuple[int, ...] = ()


class PartFailed(Exception):
    """A part died and is not started again. The text says how it ended, its last words and where its log is."""


class Supervisor:
    """Starts parts, starts them again when they die, and stops all of them on exit.

    Each part writes ``{name}.log`` in the folder ``logs``. ``report`` gets one line for whatever a person should know:
    which part died, and what was done about it.
    """

    def __init__(self, logs: Path, report: Callable[[str], None]) -> None:
        self._logs = logs
        self._report = report
        self._keepers: dict[str, _Keeper] = {}
        self._failure: asyncio.Future[PartFailed] = asyncio.get_running_loop().create_future()
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

    async def start(self, part: Part) -> None:
        """Start ``part`` and keep it alive from now on."""
        keeper = _Keeper(part, self._logs / f"{part.name}.log", self._life_line, self._report, self._give_up)
        await keeper.start()
        self._keepers[part.name] = keeper

    async def stop(self, *names: str) -> None:
        """Stop these parts, all at the same time; what does not end within its limit is killed.

        Cancelling this kills them at once.
        """
        keepers = [self._keepers.pop(name) for name in names]
        try:
            await asyncio.gather(*(keeper.stop() for keeper in keepers))
        finally:
            for keeper in keepers:
                await keeper.kill()

    async def watch(self, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work`` while all parts are kept alive. Raises PartFailed, and cancels it, when one died for good."""
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
        """The process id of every part that runs now."""
        return {name: keeper.process.pid for name, keeper in self._keepers.items() if keeper.alive}

    def _give_up(self, failure: PartFailed) -> None:
        if not self._failure.done():
            self._failure.set_result(failure)


class _Keeper:
    """One part: its process of the moment, and the task that starts the next one."""

    process: Process

    def __init__(
        self,
        part: Part,
        log: Path,
        life_line: int,
        report: Callable[[str], None],
        give_up: Callable[[PartFailed], None],
    ) -> None:
        self._part = part
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
        self._task = asyncio.create_task(self._keep(), name=f"keep {self._part.name}")

    async def stop(self) -> None:
        await self._leave()
        if self.alive:
            self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), self._part.stop_seconds)
        except TimeoutError:
            self._report(f"{self._part.name} did not stop within {self._part.stop_seconds:g} s and is killed")

    async def kill(self) -> None:
        """Make sure that nothing of the part is left."""
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
        # A session of its own keeps the terminal's Ctrl-C from it: who stops, and in which order, is decided here.
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "utils.local.tied", self._part.module, *self._part.arguments),
                env=dict(self._part.environment),
                stdin=self._life_line,
                stdout=log,
                stderr=log,
                pass_fds=self._part.sockets,
                start_new_session=True,
            )

    async def _keep(self) -> None:
        clock = asyncio.get_running_loop().time
        deaths: deque[float] = deque()
        while True:
            end = _how(await self.process.wait())
            deaths.append(clock())
            while deaths[0] < clock() - RESTART_WINDOW:
                deaths.popleft()
            if len(deaths) > self._part.restarts:
                self._give_up(self._failure(end))
                return
            self._report(f"{self._part.name} {end}; starting it again ({len(deaths)} of {self._part.restarts})")
            await asyncio.sleep(RESTART_DELAY)
            await self._spawn()

    def _failure(self, end: str) -> PartFailed:
        often = f" {self._part.restarts + 1} times within {RESTART_WINDOW:g} s" if self._part.restarts else ""
        lines = self._log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        words = "".join(f"\n  | {line}" for line in lines)
        return PartFailed(f"{self._part.name} {end}{often}; its log is {self._log}{words}")


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
