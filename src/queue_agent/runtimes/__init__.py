"""The runtimes' adapters: one file each, and one line below."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from aiohttp import ClientSession
from yarl import URL

from contract.runtimes import RuntimeType
from queue_agent.runtimes.base import Runtime

ADAPTERS: Mapping[RuntimeType, str] = MappingProxyType(
    {
        RuntimeType.SDWEBUI: "queue_agent.runtimes.sdwebui",
        RuntimeType.COMFYUI: "queue_agent.runtimes.comfyui",
        RuntimeType.INVOKEAI: "queue_agent.runtimes.invokeai",
        RuntimeType.IMAGEKIT: "queue_agent.runtimes.imagekit",
    }
)
"""The module of each type; its class ``Adapter`` fulfils ``Runtime``. A pod imports only the one it serves."""


def open_runtime(kind: RuntimeType, url: URL, session: ClientSession, *, dynamic_model: bool = False) -> Runtime:
    """The adapter for the runtime at ``url``, to be entered with ``async with``.

    ``session`` is the caller's ``runtime_session``. ``dynamic_model`` lets each task choose the model (sdwebui only).
    """
    adapter: Runtime = import_module(ADAPTERS[kind]).Adapter(url, session, dynamic_model=dynamic_model)
    return adapter
