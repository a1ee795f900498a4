"""Tasks that failed at this agent's runtime: their further attempts are better spent elsewhere."""

MAX_PASSES = 2
"""How often such a task is passed on. Where there is no other agent it is run here after that."""

MAX_REMEMBERED = 1000


class Revisits:
    """Remembers the last MAX_REMEMBERED messages whose run failed here, and how often they were passed on."""

    def __init__(self) -> None:
        self._passes: dict[str, int] = {}

    def add(self, message_id: str) -> None:
        """A run of the message failed by the runtime's fault."""
        self._passes.pop(message_id, None)
        self._passes[message_id] = 0
        if len(self._passes) > MAX_REMEMBERED:
            self._passes.pop(next(iter(self._passes)))

    def pass_on(self, message_id: str) -> bool:
        """Whether the message is to be left to other agents this time."""
        passes = self._passes.get(message_id, MAX_PASSES)
        if passes >= MAX_PASSES:
            return False
        self._passes[message_id] = passes + 1
        return True
