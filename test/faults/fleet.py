"""Agents as processes, each with a runtime of its own, and the ways in which they die."""

import asyncio
import random
import tempfile
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from test.bench.stage import agent_environment, end, start_agent
from test.faults.runtime import Runtime
from test.support.world import World, until

RESTART_SECONDS = 0.5
"""A crashed runtime is away this long; a real one loads its model for longer, and its agent waits the same way."""

STOP_SECONDS = 30.0
START_SECONDS = 60.0


class Fleet:
    """One agent for each of ``runtimes``, which it starts and ends as well.

    ``settings`` are environment variables of all agents, ``particular`` those of single ones by their numbers.
    ``kills`` counts agents and runtimes that were killed. Every agent keeps its leases in a folder (STATE_DIR), which a
    restarted one finds again.
    """

    def __init__(
        self,
        world: World,
        proxied: str,
        runtimes: Sequence[Runtime],
        *,
        logs: Path,
        settings: Mapping[str, str] | None = None,
        particular: Mapping[int, Mapping[str, str]] | None = None,
        rolls: random.Random | None = None,
    ) -> None:
        self.kills = 0
        self.exits: Counter[int] = Counter()
        self.runtimes = runtimes
        self._agents: list[Process] = []
        self._state = tempfile.TemporaryDirectory(prefix="faults-state-")
        self._environments = [
            agent_environment(
                world,
                proxied,
                runtime.url,
                **{
                    "LOGLEVEL": "INFO",
                    "STATE_DIR": f"{self._state.name}/{number}",
                    **(settings or {}),
                    **(particular or {}).get(number, {}),
                },
            )
            for number, runtime in enumerate(runtimes)
        ]
        self._logs = logs
        self._rolls = rolls or random.Random(0)
        self._gates = [asyncio.Lock() for _ in runtimes]
        self._read = [0] * len(runtimes)

    @property
    def runs(self) -> int:
        return sum(runtime.runs for runtime in self.runtimes)

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        try:
            for number, runtime in enumerate(self.runtimes):
                await runtime.start()
                self._agents.append(await self._start(number))
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def begun(self) -> None:
        """Return when every agent has logged that it works."""
        for number in range(len(self._agents)):
            await until(partial(self.logged, number, "ready"), START_SECONDS)

    def logged(self, number: int, action: str) -> bool:
        """Whether the agent has logged this ``action`` since its last start."""
        return self.count_logged(number, action) > 0

    def count_logged(self, number: int, action: str) -> int:
        """How often the agent has logged this ``action`` since its last start."""
        with self._log(number).open() as log:
            log.seek(self._read[number])
            return log.read().count(f'"action": "{action}"')

    async def stop(self) -> None:
        """SIGTERM to all; every one must exit 0."""
        codes = await asyncio.gather(*(end(agent, STOP_SECONDS) for agent in self._agents))
        self.exits.update(codes)

    async def kill_agent(self, number: int | None = None) -> None:
        """SIGKILL to one agent, a random one by default, and its restart."""
        number = self._rolls.randrange(len(self._agents)) if number is None else number
        async with self._gates[number]:
            self._agents[number].kill()
            await self._agents[number].wait()
            self.kills += 1
            self._agents[number] = await self._start(number)

    async def stop_agent(self, number: int | None = None) -> None:
        """SIGTERM to one agent, a random one by default, once it has begun, and its restart after its end."""
        number = self._rolls.randrange(len(self._agents)) if number is None else number
        async with self._gates[number]:
            await until(lambda: self.logged(number, "started"), START_SECONDS)
            self.exits[await end(self._agents[number], STOP_SECONDS)] += 1
            self._agents[number] = await self._start(number)

    async def kill_runtime(self) -> None:
        runtime = self._rolls.choice(self.runtimes)
        await runtime.kill()
        self.kills += 1
        await asyncio.sleep(RESTART_SECONDS)
        await runtime.start()

    async def _end(self) -> None:
        for agent in self._agents:
            if agent.returncode is None:
                agent.kill()
                await agent.wait()
        for runtime in self.runtimes:
            await runtime.kill()
        self._state.cleanup()

    async def _start(self, number: int) -> Process:
        log = self._log(number)
        self._read[number] = log.stat().st_size if log.exists() else 0
        return await start_agent(self._environments[number], log=log)

    def _log(self, number: int) -> Path:
        return self._logs / f"agent-{number}.jsonl"
