"""Whether the agents' runtimes are ready, and why not: shown when it changes."""

import asyncio
import time
from collections.abc import Callable, Mapping

from aiohttp import ClientError, ClientSession, ClientTimeout

POLL_SECONDS = 1.0

GRACE_SECONDS = 3.0
"""A reason that lasts shorter is not shown: every runtime is not there for a moment as it starts."""

STARTING = "starting"
"""Type of the reason of an agent that has not asked its runtime yet."""


class ReadinessWatch:
    """``health``: the URL of each agent's readiness probe, by the agent's name. ``report`` gets a line for a change."""

    def __init__(self, health: Mapping[str, str], report: Callable[[str], None]) -> None:
        self._health = health
        self._report = report
        self._reasons: dict[str, str] = {}
        self._since: dict[str, float] = {}
        self._shown: dict[str, str] = {}

    def reason(self, agent: str) -> str | None:
        """Why the agent's runtime is not ready, as far as that is known."""
        return self._reasons.get(agent)

    async def watch(self) -> None:
        """Ask, and report, until cancelled."""
        async with ClientSession(timeout=ClientTimeout(total=5)) as session:
            while True:
                for agent, url in self._health.items():
                    await self._ask(session, agent, url)
                await asyncio.sleep(POLL_SECONDS)

    async def _ask(self, session: ClientSession, agent: str, url: str) -> None:
        try:
            async with session.get(url) as answer:
                ready, body = answer.ok, await answer.json()
        except (ClientError, TimeoutError, ValueError):
            return  # the agent itself is not there; the supervisor reports that
        found = body["runtime"]["reason"] or body["delivery"]["reason"]
        if ready or found is None:
            self._forget(agent)
        elif found["type"] != STARTING:
            self._note(agent, str(found["message"]))

    def _note(self, agent: str, reason: str) -> None:
        if self._reasons.get(agent) != reason:
            self._reasons[agent] = reason
            self._since.setdefault(agent, time.monotonic())
        if self._shown.get(agent) != reason and time.monotonic() - self._since[agent] >= GRACE_SECONDS:
            self._shown[agent] = reason
            self._report(f"the runtime of {agent} is not ready: {reason}")

    def _forget(self, agent: str) -> None:
        self._reasons.pop(agent, None)
        self._since.pop(agent, None)
        if self._shown.pop(agent, None) is not None:
            self._report(f"the runtime of {agent} is ready")
