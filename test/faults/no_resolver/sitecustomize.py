"""On the PYTHONPATH of a process, takes its resolver away: names have no answer now (EAI_AGAIN)."""

import ipaddress
import socket
from typing import Any

_resolve = socket.getaddrinfo


def _no_answer(host: Any, *arguments: Any, **options: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    if name is not None:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution") from None
    return _resolve(host, *arguments, **options)


socket.getaddrinfo = _no_answer
