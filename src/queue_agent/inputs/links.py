"""How links are shown, named and refused. What a link is, and where, is the contract's."""

from pathlib import PurePosixPath

from yarl import URL

from contract.errors import truncate
from contract.links import s3_place
from queue_agent.errors import LinkUnavailable, PermanentError

MAX_SHOWN_LINK = 300
"""Characters of a link that an error or a log shows."""

MAX_NAME = 64
"""Characters of a file's name, extension aside: enough to recognise it in a runtime's folder."""


class FlakyServer(Exception):
    """The server of a link cannot be reached or is in trouble: worth another attempt."""


def in_s3(link: str) -> bool:
    return s3_place(link) is not None


def shown_link(link: str) -> str:
    """The link as an error or a log may show it: without query, fragment and credentials, which hold secrets.

    Of what is no URL only the scheme is shown, since nobody can tell where its secrets are.
    """
    try:
        shown = str(URL(link).with_user(None).with_query(None).with_fragment(None))
    except ValueError:
        return f"{link.partition('://')[0]}://…"
    return truncate(shown, MAX_SHOWN_LINK)


def file_name(link: str) -> str:
    """The link's last part, with every character replaced that a file system or a runtime might interpret."""
    last = PurePosixPath(shown_link(link).partition("://")[2]).name
    safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in last)
    return safe[-MAX_NAME:].strip(".") or "input"


def link_fault(link: str, why: str) -> PermanentError:
    """The link itself is at fault: the caller must send another one."""
    return PermanentError("link", f"could not fetch {shown_link(link)}: {why}")


def link_unavailable(link: str, why: str) -> LinkUnavailable:
    """The link's server is not reached now, or not from here."""
    return LinkUnavailable(f"could not fetch {shown_link(link)}: {why}")
