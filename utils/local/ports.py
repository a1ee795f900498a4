"""Ports on loopback that stay ours from the moment they are chosen."""

import socket
import sys
from typing import Self

LOOPBACK = "127.0.0.1"


def listen(port: int = 0) -> socket.socket:
    """A listening socket; on any free port for 0. Raises OSError when the port is taken.

    A process that inherits it may start late or be restarted: clients that connect meanwhile wait and are not refused.
    """
    return socket.create_server((LOOPBACK, port), backlog=socket.SOMAXCONN)


def address(listening: socket.socket) -> str:
    """``http://127.0.0.1:{port}``"""
    return f"http://{LOOPBACK}:{listening.getsockname()[1]}"


class Reservation:
    """A port for a process that binds it by number, now and again after a restart; any free one for 0.

    A bound socket that does not listen keeps the port from processes that ask for any free one, lets a server that sets
    SO_REUSEADDR listen on it, and refuses connections while no server is there. Other systems than Linux do not allow
    the second bind; there the port is only chosen, and a collision shows as a process that cannot start.

    Raises OSError when the port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((LOOPBACK, port))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        if sys.platform != "linux":
            self._socket.close()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()
