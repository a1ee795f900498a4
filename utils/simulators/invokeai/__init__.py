"""A simulated InvokeAI 6.x: queue, images and version, with graphs run node by node. Its socket is not simulated."""

from utils.simulators.invokeai.queue import Disk
from utils.simulators.invokeai.server import make_app

__all__ = ["Disk", "make_app"]
