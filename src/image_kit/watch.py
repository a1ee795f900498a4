"""How far a job is, and whether it is to stop: written by one thread and read by another."""

from image_kit.errors import Stopped


class Watch:
    """``progress`` is 0..1; it grows in models that work in tiles, and stays 0 in the others."""

    def __init__(self) -> None:
        self.progress = 0.0
        self._stopped = False

    def stop(self) -> None:
        """The job ends at its next step, as Stopped."""
        self._stopped = True

    def step(self, progress: float) -> None:
        """The job has come so far. Raises Stopped when it is to stop."""
        if self._stopped:
            raise Stopped
        self.progress = progress
