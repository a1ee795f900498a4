"""Agents as processes, each with a runtime of its own, and the ways in which they die."""

import asyncio
import base64
import json
import random
from asyncio.subprocess import Process
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from test.bench.stage import agent_environment, end, free_port, start_agent
from test.support.world import PNG, World, until

RESTART_SECONDS = 0.5
"""A crashed runtime is away this long; a real one loads its model for longer, and its agent waits the same way."""

STOP_SECONDS = 30.0
START_SECONDS = 60.0


class Runtime:
    """A WebUI that can be killed: its connections break, its job is gone, and its port refuses until it is back."""

    def __init__(self, seconds: float) -> None:
        self.port = free_port()
        self.runs = 0
        self._seconds = seconds
        self._runner: web.AppRunner | None = None
        self._job_count = 0

    async def start(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.post("/sdapi/v1/txt2img", self._generate),
                web.post("/sdapi/v1/interrupt", self._interrupt),
                web.get("/sdapi/v1/progress", self._progress),
                web.get("/sdapi/v1/options", self._options),
                web.get("/sdapi/v1/sd-models", self._models),
            ]
        )
        self._stop = asyncio.Event()
        self._gpu = asyncio.Lock()
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def kill(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _generate(self, request: web.Request) -> web.Response:
        await request.read()
        async with self._gpu:
            self.runs += 1
            self._job_count = 1
            self._stop.clear()
            try:
                await asyncio.wait_for(self._stop.wait(), self._seconds)
            except TimeoutError:
                pass
            finally:
                self._job_count = 0
        info = json.dumps({"sd_model_name": "m", "all_seeds": [1], "index_of_first_image": 0, "seed": 1})
        image = base64.b64encode(PNG).decode()
        return web.json_response({"images": [image], "parameters": {}, "info": info})

    async def _interrupt(self, _: web.Request) -> web.Response:
        self._stop.set()
        return web.json_response({})

    async def _progress(self, _: web.Request) -> web.Response:
        state = {"job_count": self._job_count, "interrupted": self._stop.is_set()}
        return web.json_response({"progress": 0.0, "eta_relative": 0.0, "state": state, "current_image": None})

    async def _options(self, _: web.Request) -> web.Response:
        return web.json_response({"sd_model_checkpoint": "m"})

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response([{"title": "m", "model_name": "m", "hash": None, "filename": "/m"}])


class Fleet:
    """So many agents, each with its runtime. ``kills`` counts agents and runtimes that died without a word."""

    def __init__(
        self,
        world: World,
        proxied: str,
        *,
        size: int,
        task_seconds: float,
        lease_seconds: int,
        logs: Path,
        rolls: random.Random,
    ) -> None:
        self.kills = 0
        self.exits: Counter[int] = Counter()
        self._runtimes = [Runtime(task_seconds) for _ in range(size)]
        self._agents: list[Process] = []
        self._told = [
            agent_environment(
                world,
                proxied,
                f"http://127.0.0.1:{runtime.port}",
                LEASE_SECONDS=str(lease_seconds),
                LOGLEVEL="INFO",
            )
            for runtime in self._runtimes
        ]
        self._logs = logs
        self._rolls = rolls
        self._gates = [asyncio.Lock() for _ in range(size)]
        self._read = [0] * size

    @property
    def runs(self) -> int:
        return sum(runtime.runs for runtime in self._runtimes)

    async def __aenter__(self) -> Self:
        for number, runtime in enumerate(self._runtimes):
            await runtime.start()
            self._agents.append(await self._start(number))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for agent in self._agents:
            if agent.returncode is None:
                agent.kill()
                await agent.wait()
        for runtime in self._runtimes:
            await runtime.kill()

    async def stop(self) -> None:
        """SIGTERM to all; every one must exit 0."""
        codes = await asyncio.gather(*(end(agent, STOP_SECONDS) for agent in self._agents))
        self.exits.update(codes)

    async def kill_agent(self) -> None:
        number = self._rolls.randrange(len(self._agents))
        async with self._gates[number]:
            self._agents[number].kill()
            await self._agents[number].wait()
            self.kills += 1
            self._agents[number] = await self._start(number)

    async def stop_agent(self) -> None:
        """SIGTERM to an agent that has begun; before that there is nothing to end well."""
        number = self._rolls.randrange(len(self._agents))
        async with self._gates[number]:
            await until(lambda: self._begun(number), START_SECONDS)
            self.exits[await end(self._agents[number], STOP_SECONDS)] += 1
            self._agents[number] = await self._start(number)

    async def kill_runtime(self) -> None:
        runtime = self._rolls.choice(self._runtimes)
        await runtime.kill()
        self.kills += 1
        await asyncio.sleep(RESTART_SECONDS)
        await runtime.start()

    async def _start(self, number: int) -> Process:
        log = self._log(number)
        self._read[number] = log.stat().st_size if log.exists() else 0
        return await start_agent(self._told[number], log=log)

    def _begun(self, number: int) -> bool:
        with self._log(number).open() as log:
            log.seek(self._read[number])
            return '"action": "started"' in log.read()

    def _log(self, number: int) -> Path:
        return self._logs / f"agent-{number}.jsonl"
