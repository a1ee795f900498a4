"""A simulated SD WebUI: AUTOMATIC1111 1.8.0, or Forge f2.0.1 with ``Options(flavour="forge")``.

It answers as the recordings in ``test/events/{a1111-1.8.0,forge-f2.0.1}`` show, queues and interrupts as the real one
does, and draws instead of generating.
"""

from utils.simulators.sdwebui.routes import make_app

__all__ = ["make_app"]
