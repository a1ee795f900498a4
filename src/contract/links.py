"""Which strings of a content are links to files: whole strings, in fields that hold files, never in text.

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
"""Longer strings are data (base64), and no server takes such a URL."""

_BEGINS = re.compile(r"\s*(?:https?|s3)://", re.IGNORECASE)
_LINK = re.compile(r"(?:https?|s3)://\S+", re.IGNORECASE)

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
"""Fields in which a URL is text: a prompt may well be a link."""

OPAQUE_FIELDS = frozenset({"_meta", "extra_data", "extra_pnginfo", "workflow"})
"""What editors keep in addition to the work itself, with everything below it."""


def find_links(content: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Every link of the content with its path, in the content's order."""
    return ((path, value) for path, value in _files(content) if is_link(value))


def unclear_links(content: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Strings that a runtime may take for a link although ``find_links`` does not, with their paths.

    They are too long or hold white space. Where nothing else is in them they are no text either.
    """
    return ((path, value) for path, value in _files(content) if _BEGINS.match(value) and not is_link(value))


def is_link(value: str) -> bool:
    return len(value) <= MAX_LINK_LENGTH and _LINK.fullmatch(value) is not None


def _files(content: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Every string of fields that may hold files. A content may have half a million: they are not collected."""
    pending: list[tuple[Path, Iterator[tuple[str | int, Any]]]] = [((), _items(content))]
    while pending:
        path, items = pending[-1]
        for key, value in items:
            if isinstance(value, str):
                yield (*path, key), value
            elif isinstance(value, Mapping | list):
                pending.append(((*path, key), _items(value)))
                break
        else:
            pending.pop()


def _items(value: Mapping[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, list):
        return iter(enumerate(value))
    return ((key, inner) for key, inner in value.items() if not _text(key, inner))


def _text(key: str, value: Any) -> bool:
    return key in OPAQUE_FIELDS or (key in TEXT_FIELDS and not isinstance(value, Mapping))
