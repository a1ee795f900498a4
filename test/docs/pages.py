"""The pages of the guide, taken apart: code blocks, headings, tables, and the names in ``code``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs"
LANGUAGES = ("en", "zh")
OTHERS = ("README.md", "SECURITY.md", "charts/sd-on-eks/README.md", "infra/README.md")
"""Pages outside the guide, whose blocks are held to the same rules."""

_MARKER = re.compile(r"<!--\s*block:\s*(?P<kind>.*?)\s*-->")
_TITLE = re.compile(r'title="(?P<file>[^"]+)"')
_PARSER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. ``line`` is that of its fence, from 1; ``marker`` is the kind that the comment above it names.

    ``file`` is the title of the fence: the reader saves the block under this name. Empty without one.
    """

    line: int
    language: str
    marker: str
    text: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """``rows`` counts the head."""

    line: int
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Heading:
    line: int
    level: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page, taken apart. ``lost`` are lines that mean nothing: a marker without a block, a block without a fence."""

    blocks: tuple[Block, ...]
    headings: tuple[Heading, ...]
    tables: tuple[Table, ...]
    names: tuple[tuple[int, str], ...]
    links: tuple[tuple[int, str], ...]
    lost: tuple[tuple[int, str], ...]


def guide_pages(language: str) -> list[str]:
    """The paths of a language's pages below its folder."""
    folder = GUIDE / language
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.md"))


def all_pages() -> list[str]:
    """Paths below the project's root of all pages whose blocks are checked."""
    return [*OTHERS, *(f"docs/{language}/{path}" for language in LANGUAGES for path in guide_pages(language))]


@cache
def read_page(path: str) -> Page:
    """The page at ``path`` below the project's root."""
    return parse((ROOT / path).read_text("utf-8"))


def parse(text: str) -> Page:
    """A page's Markdown, taken apart as GitHub does it."""
    tokens = _PARSER.parse(text)
    return Page(
        blocks=tuple(_blocks(tokens)),
        headings=tuple(Heading(_line(t), int(t.tag[1])) for t in tokens if t.type == "heading_open"),
        tables=tuple(_tables(tokens)),
        names=tuple(_inline(tokens, "code_inline")),
        links=tuple(_inline(tokens, "link_open")),
        lost=tuple(_lost(tokens)),
    )


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0


def _blocks(tokens: list[Token]) -> Iterator[Block]:
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "fence":
            language, _, rest = token.info.strip().partition(" ")
            title = _TITLE.fullmatch(rest.strip())
            yield Block(_line(token), language, _marker(before) or "", token.content, title["file"] if title else "")


def _marker(token: Token | None) -> str | None:
    match = _MARKER.fullmatch(token.content.strip()) if token and token.type == "html_block" else None
    return match["kind"] if match else None


def _tables(tokens: list[Token]) -> Iterator[Table]:
    for place, token in enumerate(tokens):
        if token.type != "table_open":
            continue
        kinds = [inner.type for inner in tokens[place : _end(tokens, place)]]
        yield Table(_line(token), kinds.count("tr_open"), kinds.count("th_open"))


def _end(tokens: list[Token], place: int) -> int:
    return next(end for end in range(place, len(tokens)) if tokens[end].type == "table_close")


def _inline(tokens: list[Token], kind: str) -> Iterator[tuple[int, str]]:
    """Inline code, or the targets of links, each with the line of its paragraph."""
    for token in tokens:
        for child in token.children or ():
            if child.type == kind:
                yield _line(token), child.content or str(child.attrGet("href") or "")


def _lost(tokens: list[Token]) -> Iterator[tuple[int, str]]:
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "html_block" and "block:" in token.content and (not after or after.type != "fence"):
            yield _line(token), f"{token.content.strip()} is above no block; it goes right above the fence"
        if token.type == "code_block":
            yield _line(token), "an indented block is not checked; put it between fences with a language"
