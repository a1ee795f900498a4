"""Which messages something was done to, so that it is not done again when they come back to this process."""

MAX_IDS = 10_000
"""Far more than come back in the hours that a message may take; a megabyte."""


class RecentIds:
    """A set of ids that forgets the oldest ones."""

    def __init__(self, limit: int = MAX_IDS) -> None:
        self._limit = limit
        self._ids: dict[str, None] = {}

    def add(self, message_id: str) -> None:
        self._ids.pop(message_id, None)
        self._ids[message_id] = None
        if len(self._ids) > self._limit:
            del self._ids[next(iter(self._ids))]

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._ids
