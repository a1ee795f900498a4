"""What all simulated runtimes share: their options, and how a server is made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Options:
    """How a simulated runtime behaves.

    ``seconds_per_step`` is the time of one sampling step of one picture, ``startup_seconds`` the time it takes to load
    its model: until then it answers as the real one does while it starts. ``flavour`` names a fork whose ways to
    follow, where a simulator knows one (sdwebui: ``forge``).
    """

    name: str = "simulated"
    models: tuple[str, ...] = ("v1-5-pruned-emaonly.safetensors",)
    seconds_per_step: float = 0.02
    startup_seconds: float = 0.0
    flavour: str | None = None


MakeApp: TypeAlias = Callable[[Options], web.Application]
