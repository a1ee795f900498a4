"""The image kit: one request an image, answered when it is done."""

from queue_agent.runtimes.imagekit.adapter import Adapter

__all__ = ["Adapter"]
