"""A hook of MkDocs: alerts as on GitHub, tables and drawings that a phone can show, a search index for each language,
and Chinese text split into words.

The plugin for languages puts all pages into one index, in which every search would find each page twice. Chinese is
written without spaces: its words are parted by zero-width spaces, as the search of the theme expects it. (The theme
would do so itself with ``jieba``, which has had no release since 2020; ``rjieba`` is the same in Rust.) For the same
reason the end of a line in a Chinese source must not become a space, as browsers make it.

Alerts are written as GitHub reads them (``> [!WARNING]``), and become the admonitions of the theme.
"""

import json
import re
from pathlib import Path
from typing import Any

import rjieba
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

CHINESE = "zh/"
"""The folder of the Chinese pages in the site; English ones lie at the root."""

INDEX = Path("search") / "search_index.json"

AFTER_THE_LANGUAGES = -200
"""The plugin for languages writes the whole index at -100."""

ALERTS = {
    "NOTE": ("Note", "说明"),
    "TIP": ("Tip", "提示"),
    "WARNING": ("Warning", "注意"),
}
"""The titles of alerts, in English and Chinese. Source of the kinds: GitHub's documentation of Markdown alerts."""

_ALERT = re.compile(rf"<blockquote>\s*<p>\[!({'|'.join(ALERTS)})\]\s*(.*?)</blockquote>", re.DOTALL)

_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_ROW = re.compile(r"<tr>.*?</tr>", re.DOTALL)
_HEAD = re.compile(r"<th[^>]*>(.*?)</th>", re.DOTALL)
_CELL = re.compile(r"<td\b")
_TAG = re.compile(r"<[^>]+>")
_DRAWING = re.compile(r'<p>(<img [^>]*src="([^"]+\.svg)"[^>]*>)</p>')

_FIRST_PAGE = re.compile(rf'href="/({CHINESE})?" hreflang=')
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_ZERO_WIDTH_SPACE = "\u200b"
_WIDE = r"\u3000-\u303f\uff01-\uff60"
"""Punctuation of Chinese, which brings its own space."""
_END_OF_LINE = re.compile(
    rf"(?<=[{_WIDE}])\n\s*(?=[^\s<]|<(?:a|code|em|strong)\b)|(?<=[\u4e00-\u9fff])\n\s*(?=[\u4e00-\u9fff{_WIDE}])"
)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs names them
    """Show alerts as admonitions, label the cells of tables, let drawings be scrolled, and join the lines of a Chinese
    page where no space belongs."""
    chinese = page.url.startswith(CHINESE)
    html = _ALERT.sub(lambda alert: _admonition(alert[1], alert[2], chinese=chinese), html)
    html = _TABLE.sub(lambda table: _labelled(table[0]), html)
    html = _DRAWING.sub(r'<p class="drawing"><a href="\2">\1</a></p>', html)
    return _END_OF_LINE.sub("", html) if chinese else html


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001 - MkDocs names them
    """Let the scripts of a Chinese page look for the index in their folder, and count places from there.

    The links between the two first pages become relative, so that the site may lie below any address.
    """
    chinese = page.url.startswith(CHINESE)
    if page.url in {"", CHINESE}:
        up = "../" if chinese else "./"
        output = _FIRST_PAGE.sub(lambda link: f'href="{up}{link[1] or ""}" hreflang=', output)
    if not chinese:
        return output
    up = "/".join([".."] * page.url.count("/"))
    here = up.removeprefix("..").removeprefix("/") or "."
    return output.replace(f'"base": "{up}"', f'"base": "{here}"', 1)


@event_priority(AFTER_THE_LANGUAGES)
def on_post_build(config: MkDocsConfig) -> None:
    """Write the index of each language."""
    site = Path(config.site_dir)
    whole = json.loads((site / INDEX).read_text("utf-8"))
    english = [doc for doc in whole["docs"] if not doc["location"].startswith(CHINESE)]
    chinese = [_in_chinese(doc) for doc in whole["docs"] if doc["location"].startswith(CHINESE)]
    _write(site / INDEX, {**whole, "docs": english})
    _write(site / CHINESE / INDEX, {**whole, "docs": chinese})


def parted(text: str) -> str:
    """The text with a zero-width space between words of Chinese."""
    return _HAN.sub(lambda run: _ZERO_WIDTH_SPACE.join(rjieba.cut(run[0])), text)


def _admonition(kind: str, body: str, *, chinese: bool) -> str:
    """``body`` lacks the tag of its first paragraph."""
    title = ALERTS[kind][chinese]
    return f'<div class="admonition {kind.lower()}"><p class="admonition-title">{title}</p><p>{body}</div>'


def _labelled(table: str) -> str:
    """The table with its column's title at each cell, which guide.css shows where a row is a block of its own."""
    titles = [_TAG.sub("", title) for title in _HEAD.findall(table)]

    def row(found: re.Match[str]) -> str:
        remaining = iter(titles)
        return _CELL.sub(lambda _: f'<td data-title="{next(remaining, "")}"', found[0])

    return _ROW.sub(row, table)


def _in_chinese(doc: dict[str, Any]) -> dict[str, Any]:
    return {
        **doc,
        "location": doc["location"].removeprefix(CHINESE),
        "title": parted(doc["title"]),
        "text": parted(doc["text"]),
    }


def _write(path: Path, index: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(index, ensure_ascii=False, separators=(",", ":")), "utf-8")
