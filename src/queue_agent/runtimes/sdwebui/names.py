"""The names that WebUI knows: what is close to one is corrected, what is none is refused with the names there are."""

from typing import Any

from queue_agent.errors import AgentError, PermanentError
from queue_agent.runtimes.sdwebui.api import Api
from queue_agent.runtimes.sdwebui.content import Request

UPSCALER_FIELDS = ("upscaler_1", "upscaler_2", "hr_upscaler")
"""Where a request names upscalers; WebUI compares them letter by letter."""

UNKNOWN_SAMPLER, UNKNOWN_UPSCALER = "Sampler not found", "could not find upscaler named "
UNKNOWN_REFINER = "Could not find checkpoint with name "
"""How AUTOMATIC1111 words it."""


class Names:
    """Asks WebUI for its lists only when something asked for may be missing from them."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._upscalers: list[str] = []

    async def correct_upscalers(self, request: Request) -> None:
        """Write the upscalers' names as WebUI does: ``ESRGAN_4X`` becomes ``ESRGAN_4x``."""
        asked = {field: request.body.get(field) for field in UPSCALER_FIELDS if request.body.get(field)}
        if all(name in self._upscalers or name == "None" for name in asked.values()):
            return
        self._upscalers = await self._list("upscalers")
        latent = await self._list("latent-upscale-modes") if "hr_upscaler" in asked else []
        known = {name.casefold(): name for name in [*latent, *self._upscalers]}
        changes = {
            field: known[name.casefold()]
            for field, name in asked.items()
            if isinstance(name, str) and known.get(name.casefold(), name) != name
        }
        if changes:
            request.change(changes)

    async def check_sampler(self, asked: str | None, ran: str | None) -> None:
        """Raise PermanentError when WebUI did not know the sampler and took another, as Forge does without a word.
        Newer versions run ``DPM++ 2M Karras`` as the sampler ``DPM++ 2M`` with the schedule ``Karras``."""
        if asked is None or ran is None or asked == ran:
            return
        names = await self._list("samplers")
        if not names or asked in names:
            return
        schedules = await self._list("schedulers")
        if asked.casefold() not in {f"{ran} {schedule}".casefold() for schedule in schedules}:
            raise _unknown("sampler", asked, names)

    async def explain(self, fault: AgentError, request: Request) -> AgentError:
        """The fault with the names there are, when an unknown one is its cause."""
        if UNKNOWN_SAMPLER in fault.message and request.sampler:
            return await self._explained(fault, "sampler", request.sampler, "samplers")
        if UNKNOWN_UPSCALER in fault.message:
            name = fault.message.partition(UNKNOWN_UPSCALER)[2].strip()
            return await self._explained(fault, "upscaler", name, "upscalers")
        if UNKNOWN_REFINER in fault.message:
            name = str(request.body.get("refiner_checkpoint") or request.body.get("hr_checkpoint_name"))
            return await self._explained(fault, "model", name, "sd-models", key="title")
        return fault

    async def _explained(self, fault: AgentError, kind: str, name: str, route: str, *, key: str = "name") -> AgentError:
        names = await self._list(route, key=key)
        return _unknown(kind, name, names) if names else fault

    async def _list(self, route: str, *, key: str = "name") -> list[str]:
        """Names that the route lists, schedules by both of theirs; none when it does not answer. A sampler's aliases
        are left out: the API refuses them."""
        try:
            items: Any = await self._api.get(route)
            return [name for item in items for name in (item[key], item.get("label")) if name]
        except (AgentError, KeyError, TypeError, AttributeError):
            return []


def _unknown(kind: str, name: str, names: list[str]) -> PermanentError:
    return PermanentError(f"unknown-{kind}", f"there is no {kind} {name!r}; there are: {', '.join(names)}")
