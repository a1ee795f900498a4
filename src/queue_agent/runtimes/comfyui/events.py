"""ComfyUI's websocket: what it says of a running prompt is a hint, never the truth."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, ClientWSTimeout, WSMsgType
from yarl import URL

from queue_agent.concurrency import set_within

FIRST_PAUSE, LAST_PAUSE = 0.2, 5.0
"""Seconds between attempts to connect, doubling."""

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 1.0

HEARTBEAT_SECONDS = 20.0
"""A ping this often; without its answer the connection is taken as lost: a half-open one would be silent for ever."""

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""Previews and errors with their inputs are smaller; what is larger costs a connection, not the agent's memory."""

log = logging.getLogger(__name__)


class Watch:
    """What the events tell of one prompt. ``hint`` is set when it is worth asking the history; ``on_begin`` is called
    with every event that only a running prompt has, and with whether it is the first one of every prompt."""

    def __init__(self, prompt_id: str, nodes: int, on_begin: Callable[[bool], None] = lambda _: None) -> None:
        self.prompt_id = prompt_id
        self.hint = asyncio.Event()
        self._on_begin = on_begin
        self._nodes = nodes
        self._done: dict[str, float] = {}
        self._current: str | None = None

    @property
    def share(self) -> float | None:
        """How much of the workflow's nodes is done, 0..1; None before the first event."""
        return min(1.0, sum(self._done.values()) / self._nodes) if self._done else None

    def hear(self, kind: str, data: Mapping[Any, Any]) -> None:
        if data.get("prompt_id") != self.prompt_id:
            return
        self._on_begin(kind == "execution_start")
        match kind, data:
            case "execution_cached", {"nodes": [*nodes]}:
                self._done.update(dict.fromkeys(map(str, nodes), 1.0))
            case "executing", {"node": None}:
                self.hint.set()
            case "executing", {"node": node}:
                self._begin(str(node))
            case "progress", {"node": node, "value": value, "max": maximum}:
                self._note(str(node), value, maximum)
            case "progress_state", {"nodes": dict() as states}:
                for node, state in states.items():
                    if isinstance(state, dict):
                        self._note(str(node), state.get("value"), state.get("max"))

    def _begin(self, node: str) -> None:
        """Versions without progress_state tell the end of a node only by the beginning of the next."""
        if self._current is not None:
            self._done[self._current] = 1.0
        self._current = node
        self._done.setdefault(node, 0.0)

    def _note(self, node: str, value: Any, maximum: Any) -> None:
        numbers = isinstance(value, int | float) and isinstance(maximum, int | float)
        if numbers and 0 <= value <= maximum and maximum:
            self._done[node] = value / maximum


class Events:
    """Keeps one connection open for as long as it is entered, and passes what it hears to ``watch``."""

    def __init__(self, url: URL, session: ClientSession, client_id: str) -> None:
        self._url = url / "ws"
        self._session = session
        self._client_id = client_id
        self._connected = asyncio.Event()
        self._wanted = asyncio.Event()
        self.watch: Watch | None = None

    async def listen(self) -> None:
        """Connect, again and again, until cancelled."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    socket = await self._connect()
                pause = FIRST_PAUSE
                await self._hear_all(socket)
            except (ClientError, OSError, TimeoutError) as error:
                log.debug("no events from ComfyUI", extra={"action": "events", "cause": str(error)})
            if await set_within(self._wanted, pause):
                self._wanted.clear()
            pause = min(pause * 2, LAST_PAUSE)

    async def connected(self, seconds: float) -> bool:
        """Wait for the connection, for at most so long; what was about to pause before the next attempt does not."""
        if self._connected.is_set():
            return True
        self._wanted.set()
        return await set_within(self._connected, seconds)

    async def _connect(self) -> ClientWebSocketResponse:
        return await self._session.ws_connect(
            self._url,
            params={"clientId": self._client_id},
            heartbeat=HEARTBEAT_SECONDS,
            max_msg_size=MAX_MESSAGE_BYTES,
            timeout=ClientWSTimeout(ws_close=CLOSE_SECONDS),
        )

    async def _hear_all(self, socket: ClientWebSocketResponse) -> None:
        async with socket:
            self._connected.set()
            self._hint()
            try:
                async for message in socket:
                    if message.type is WSMsgType.TEXT:
                        self._hear(message.data)
            finally:
                self._connected.clear()
                self._hint()

    def _hint(self) -> None:
        """The connection came or went: who knows what was missed."""
        if self.watch is not None:
            self.watch.hint.set()

    def _hear(self, text: str) -> None:
        try:
            event = json.loads(text)
        except ValueError:
            return
        match event:
            case {"type": str() as kind, "data": dict() as data} if self.watch is not None:
                self.watch.hear(kind, data)
