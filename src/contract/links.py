"""Which strings of a content are links to files: whole strings, in fields that hold files, never in text.

A runtime may fetch by itself whatever begins like a link. So everything that does is one, white space around it
removed, also if it turns out to be none that can be fetched: it is resolved or refused, and never passed on.

The front door counts them, the agent fetches them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Where a value is in a task's content: object keys and list indexes from the top."""

MAX_LINKS = 64
"""Links of one task. Real tasks have a handful; each more is a request to somebody's server."""

MAX_LINK_LENGTH = 8192
"""No server takes a longer URL."""

_LINK = re.compile(r"\s*((?:https?|s3)://\S.*)", re.IGNORECASE | re.DOTALL)
_SPACE = re.compile(r"\s")

TEXT_FIELDS = frozenset(
    {
        "prompt",
        "negative_prompt",
        "hr_prompt",
        "hr_negative_prompt",
        "styles",
        "infotext",
        "comments",
        # text inputs of ComfyUI's encoders and of InvokeAI's prompt nodes
        "text",
        "text_g",
        "text_l",
        "clip_l",
        "clip_g",
        "t5xxl",
        "positive",
        "negative",
        "positive_prompt",
        "caption",
        "style",
        "filename_prefix",
    }
)
"""Fields in which a URL is text: a prompt may well be a link's words."""

OPAQUE_FIELDS = frozenset({"_meta", "extra_data", "extra_pnginfo", "workflow"})
"""What editors keep beside the work itself, with everything below it."""


def find_links(content: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Every link of the content with its path, in the content's order, without white space around it."""
    pending: list[tuple[Path, Any]] = [((), content)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, Mapping):
            pending.extend(
                ((*path, key), inner) for key, inner in reversed(list(value.items())) if not _text(key, inner)
            )
        elif isinstance(value, list):
            pending.extend(((*path, index), inner) for index, inner in reversed(list(enumerate(value))))
        elif isinstance(value, str) and (link := _LINK.fullmatch(value)):
            yield path, link[1].rstrip()


def link_problem(link: str) -> str | None:
    """Why nobody could fetch a link that ``find_links`` found; None when nothing is wrong with how it is written."""
    if len(link) > MAX_LINK_LENGTH:
        return f"it is longer than {MAX_LINK_LENGTH} characters"
    if link[:2].lower() != "s3" and _SPACE.search(link):
        return "it contains white space; encode it as %20, or put text into a field for text such as 'prompt'"
    return None


def _text(key: str, value: Any) -> bool:
    return key in OPAQUE_FIELDS or (key in TEXT_FIELDS and not isinstance(value, Mapping))
