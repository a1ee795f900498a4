"""InvokeAI 6.x: graphs through its queue, which is asked until the batch has ended; its socket is not used."""

from queue_agent.runtimes.invokeai.adapter import Adapter

__all__ = ["Adapter"]
