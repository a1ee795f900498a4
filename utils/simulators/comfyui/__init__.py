"""A simulated ComfyUI 0.3.64: it draws instead of sampling, and answers as the recordings of the real one do."""

from utils.simulators.comfyui.server import make_app

__all__ = ["make_app"]
