"""Where a list goes on. A cursor is of one client and one set of filters; with any other it is refused.

It is not signed: all that it holds is a place in the client's own list, which the client could reach anyway. The digest
is there so that a foreign or damaged cursor is an error, and not a page of something else. A place that a client made
up is checked, since DynamoDB would refuse some.
"""

import base64
import hashlib
import json
from collections.abc import Sequence

from contract.task_table.keys import is_created_id

DIGEST_LENGTH = 16


class InvalidCursor(Exception):
    """The cursor is damaged, or is of another client or of other filters."""


def write_cursor(client: str, filters: Sequence[str], place: str) -> str:
    """``place`` is the ``created_id`` of the last task of a page."""
    text = json.dumps([place, _digest(client, filters, place)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(client: str, filters: Sequence[str], cursor: str) -> str:
    """The place that ``write_cursor`` was given. Raises InvalidCursor."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place, digest = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidCursor from error
    if not isinstance(place, str) or not is_created_id(place) or digest != _digest(client, filters, place):
        raise InvalidCursor
    return place


def _digest(client: str, filters: Sequence[str], place: str) -> str:
    text = json.dumps([client, sorted(filters), place])
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
