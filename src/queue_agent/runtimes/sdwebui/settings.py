"""WebUI's settings, which a task may change for itself and must leave as they were.

WebUI puts ``override_settings`` back by itself only for keys that its config.json holds, on a fresh server hardly any,
and only when ``override_settings_restore_afterwards`` is true.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from contract.errors import shown
from queue_agent.errors import RuntimeFault
from queue_agent.runtimes.sdwebui.api import Api

RESTORE_SECONDS = 60.0
"""Putting a model or VAE back loads it."""

FOLLOWING = frozenset({"sd_checkpoint_hash"})
"""Settings that WebUI changes by itself, with the model."""


class Settings:
    """Remembers what the settings were before a run changed them, until they are so again."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._before: dict[str, Any] = {}

    @property
    def changed(self) -> bool:
        """Whether a run may have left settings changed."""
        return bool(self._before)

    async def read(self) -> dict[str, Any]:
        """All settings, those at their default included. Raises RuntimeFault when WebUI does not tell them."""
        options = await self._api.get("options")
        if not isinstance(options, dict):
            raise RuntimeFault("bad-answer", "SD WebUI's /options is no object")
        return options

    async def note(self, keys: Iterable[str] | None) -> None:
        """Remember these settings, or all for None, before a run that may change them."""
        options = await self.read()
        wanted = options.keys() - FOLLOWING if keys is None else options.keys() & set(keys)
        self._before = {**{key: options[key] for key in wanted}, **self._before}

    async def restore(self) -> None:
        """Put back what is not as it was, and see that it is. Raises RuntimeFault when it is not; the next call then
        tries again."""
        if not self._before:
            return
        if changed := self._changed(await self.read()):
            await self._api.post("options", changed, seconds=RESTORE_SECONDS)
            if kept := self._changed(await self.read()):
                names = ", ".join(f"{key} (was {shown(value)})" for key, value in sorted(kept.items()))
                raise RuntimeFault(
                    "settings-changed", f"SD WebUI does not take back settings of an earlier task: {names}"
                )
        self._before = {}

    def _changed(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in self._before.items() if options.get(key) != value}
