"""The simulated ComfyUI's open websockets, one for each client id."""

from typing import Any

from aiohttp import WSCloseCode, web


class Sockets:
    """Sends events to one client or to all; a client that is gone hears nothing, and nothing is kept for it."""

    def __init__(self) -> None:
        self._open: dict[str, web.WebSocketResponse] = {}

    def add(self, client_id: str, socket: web.WebSocketResponse) -> None:
        self._open[client_id] = socket

    def remove(self, client_id: str, socket: web.WebSocketResponse) -> None:
        if self._open.get(client_id) is socket:
            del self._open[client_id]

    async def send(self, event: str, data: dict[str, Any], client_id: str | None = None) -> None:
        """To the client of that id, or to all."""
        for socket in self._addressed(client_id):
            try:
                await socket.send_json({"type": event, "data": data})
            except ConnectionError:
                continue

    async def send_bytes(self, data: bytes, client_id: str) -> None:
        for socket in self._addressed(client_id):
            try:
                await socket.send_bytes(data)
            except ConnectionError:
                continue

    async def close(self) -> None:
        for socket in list(self._open.values()):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    def _addressed(self, client_id: str | None) -> list[web.WebSocketResponse]:
        chosen = self._open.values() if client_id is None else [self._open.get(client_id)]
        return [socket for socket in chosen if socket is not None and not socket.closed]
