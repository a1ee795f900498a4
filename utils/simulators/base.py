"""What all simulated runtimes share: their options, and how a server is made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Options:
    """How a simulated runtime behaves.

    ``seconds_per_step`` is the time of one sampling step of one image, ``startup_seconds`` the time it takes to load
    its model: until then it answers as the real one does while it starts. ``flavour`` names a fork whose ways to
    follow, where a simulator knows one (sdwebui: ``forge``). ``cache_lru`` is the number of nodes' results that a
    simulated ComfyUI keeps, as with ``--cache-lru``; 0 keeps those of the last prompt, its default.
    """

    name: str = "simulated"
    models: tuple[str, ...] = ("v1-5-pruned-emaonly.safetensors",)
    seconds_per_step: float = 0.02
    startup_seconds: float = 0.0
    flavour: str | None = None
    cache_lru: int = 0


MakeApp: TypeAlias = Callable[[Options], web.Application]
