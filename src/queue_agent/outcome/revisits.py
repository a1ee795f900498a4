"""Tasks that failed at this agent's runtime, or whose links it could not reach: their further attempts are better spent
elsewhere."""

MAX_PASSES = 2
"""How often such a task is passed on. Where there is no other agent it is run here after that."""

LINK_PASSES = 1
"""The same for a task whose link was not reached: passes count as deliveries, which are limited."""

MAX_REMEMBERED = 1000


class Revisits:
    """Remembers the last MAX_REMEMBERED messages that failed here, and how often they were passed on."""

    def __init__(self) -> None:
        self._passes: dict[str, int] = {}

    def add(self, message_id: str, passes: int = MAX_PASSES) -> None:
        """The message failed here, by no fault of its own: it is passed on so often."""
        self._passes.pop(message_id, None)
        self._passes[message_id] = passes
        if len(self._passes) > MAX_REMEMBERED:
            self._passes.pop(next(iter(self._passes)))

    def pass_on(self, message_id: str) -> bool:
        """Whether the message is to be left to other agents this time."""
        passes = self._passes.get(message_id, 0)
        if passes == 0:
            return False
        self._passes[message_id] = passes - 1
        return True
