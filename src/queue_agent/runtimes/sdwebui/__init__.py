"""The WebUI family (AUTOMATIC1111, Forge and their forks): one request a job, and a check of what came back."""

from queue_agent.runtimes.sdwebui.adapter import Adapter

__all__ = ["Adapter"]
