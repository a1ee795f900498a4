"""ComfyUI: queue a workflow, follow its events, believe its history."""

from queue_agent.runtimes.comfyui.adapter import Adapter

__all__ = ["Adapter"]
