"""What nodes of earlier prompts gave, kept by signature as ComfyUI keeps it.

Derived from ComfyUI's published sources (comfy_execution/caching.py), not from recordings: the default keeps what the
last prompt used; ``--cache-lru N`` keeps what earlier prompts used too, until there are more than N results, and then
drops whole prompts, the one that was used longest ago first. What the prompt that begins needs is never dropped.
Neither looks at the files that a kept record names.
"""

from collections.abc import Iterable, Mapping

from utils.simulators.comfyui.node import Produced


class OutputCache:
    """Results by signature. ``lru_size`` is the N of ``--cache-lru N``; 0 is ComfyUI without that option."""

    def __init__(self, lru_size: int = 0) -> None:
        self._lru_size = lru_size
        self._made: dict[str, Produced] = {}
        self._used: dict[str, int] = {}
        self._prompts = 0

    def begin(self, signatures: Iterable[str]) -> dict[str, Produced]:
        """Drop what a prompt with these signatures makes superfluous; what is kept of the prompt's own results."""
        wanted = set(signatures)
        self._prompts += 1
        self._used |= dict.fromkeys(wanted, self._prompts)
        first = self._prompts if self._lru_size == 0 else 0
        self._drop_before(first)
        while len(self._made) > self._lru_size > 0 and first < self._prompts:
            first += 1
            self._drop_before(first)
        return {sign: self._made[sign] for sign in wanted if sign in self._made}

    def keep(self, results: Mapping[str, Produced]) -> None:
        """Keep what the prompt that began last gave."""
        self._made |= results

    def clear(self) -> None:
        """Drop everything, as ``POST /free`` does."""
        self._made.clear()
        self._used.clear()

    def _drop_before(self, prompt: int) -> None:
        self._used = {sign: last for sign, last in self._used.items() if last >= prompt}
        self._made = {sign: made for sign, made in self._made.items() if sign in self._used}
