"""The body of a webhook: ``{"type": "task.ended", "timestamp": …, "data": Task}``."""

import json

from contract.task_event import TaskEvent
from contract.task_table.item import TaskItem
from contract.task_table.view import Places, task_view
from contract.webhook import ENDED


def payload(event: TaskEvent, item: TaskItem, places: Places) -> bytes:
    """``data`` is the Task as it is now, its links signed now; ``timestamp`` is when the event happened."""
    happened = item.ended if event.event == ENDED else item.started
    body = {
        "type": f"task.{event.event}",
        "timestamp": happened or item.created,
        "data": task_view(item, places),
    }
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
