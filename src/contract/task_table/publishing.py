"""How the front door's requests agree on who publishes a task's message.

The first request puts the item and publishes. It does not write that the message was taken, since that would cost a
write for each task. So a repeat that finds the task waiting publishes it once more, and confirms that. Of many repeats
one does.
"""

from contract.task_table.item import SENDING, SENT, State, TaskItem
from contract.task_table.update import Request, Update


def take_over(table: str, item: TaskItem, *, published: int) -> Request:
    """update_item: a repeat is about to publish the message of a task that waits.

    ``published`` differs from the item's. Refused when another repeat has taken over since ``item`` was read.
    """
    update = Update(table, item.key, revision=False)
    update.set(published=published, republished=SENDING)
    return _publishing(update, item)


def unpublished(table: str, item: TaskItem) -> Request:
    """update_item: nobody knows whether the message was taken. Refused when a repeat has taken over."""
    update = Update(table, item.key, revision=False)
    update.set(published=0)
    return _publishing(update, item)


def confirm(table: str, item: TaskItem) -> Request:
    """update_item: the message that a repeat has published was taken."""
    update = Update(table, item.key, revision=False)
    update.set(republished=SENT)
    return update.request("#request = :request", names=("request",), request=item.request)


def _publishing(update: Update, item: TaskItem) -> Request:
    return update.request(
        "#status = :queued AND #request = :request AND #published = :seen",
        names=("status", "request", "published"),
        queued=State.QUEUED,
        request=item.request,
        seen=item.published,
    )
