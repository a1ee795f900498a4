"""Which strings of a content are links to files: whole strings, in fields that hold files, never in text.

A runtime may fetch by itself whatever begins like a link. So everything that does is one, white space around it
removed, also if it turns out to be none that can be fetched: it is resolved or refused, and never passed on.

The front door counts them, the agent fetches them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Where a value is in a task's content: object keys and list indexes from the top."""

MAX_LINKS = 64
"""Links of one task. Real tasks have a handful; each more is a request to somebody's server."""

MAX_LINK_LENGTH = 8192
"""No server takes a longer URL."""

S3_SCHEME = "s3://"

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
"""Fields in which a URL is text: a prompt may well be a link."""

OPAQUE_FIELDS = frozenset({"_meta", "extra_data", "extra_pnginfo", "workflow"})
"""What editors keep in addition to the work itself, with everything below it."""


class S3Place(NamedTuple):
    """What an ``s3://`` link names; ``key`` may be empty."""

    bucket: str
    key: str


def find_links(content: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Every link of the content with its path, in the content's order, without white space around it.

    A content may hold half a million values, so nothing is collected on the way.
    """
    keys: list[str | int] = []
    pending = [_items(content)]
    while pending:
        for key, value in pending[-1]:
            if isinstance(value, str):
                if link := _LINK.fullmatch(value):
                    yield (*keys, key), link[1].rstrip()
            elif isinstance(value, Mapping | list):
                keys.append(key)
                pending.append(_items(value))
                break
        else:
            pending.pop()
            if keys:
                keys.pop()


def is_link(value: str) -> bool:
    """Whether ``find_links`` takes the string for a link."""
    return _LINK.fullmatch(value) is not None


def s3_place(link: str) -> S3Place | None:
    """The object that an ``s3://`` link names; None for a link of another kind."""
    if link[: len(S3_SCHEME)].lower() != S3_SCHEME:
        return None
    bucket, _, key = link[len(S3_SCHEME) :].partition("/")
    return S3Place(bucket, key)


def link_problem(link: str) -> str | None:
    """Why nobody could fetch a link that ``find_links`` found; None when nothing is wrong with how it is written."""
    if len(link) > MAX_LINK_LENGTH:
        return f"it is longer than {MAX_LINK_LENGTH} characters"
    if link[:2].lower() != "s3" and _SPACE.search(link):
        return "it contains white space; encode it as %20, or put text into a field for text such as 'prompt'"
    return None


def _items(value: Mapping[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, list):
        return iter(enumerate(value))
    return ((key, inner) for key, inner in value.items() if not _text(key, inner))


def _text(key: str, value: Any) -> bool:
    return key in OPAQUE_FIELDS or (key in TEXT_FIELDS and not isinstance(value, Mapping))
