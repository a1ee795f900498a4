"""GitHub and the site read Markdown by other rules; a page must mean the same to both."""

import re
from functools import cache

import pytest
from markdown import Markdown
from markdown_it import MarkdownIt
from mkdocs.config import load_config

from test.docs.pages import ROOT, all_pages

PARTS = ("a", "blockquote", "em", "h1", "h2", "h3", "h4", "img", "li", "ol", "pre", "strong", "table", "td", "th", "ul")
"""What must be as often in both. Paragraphs inside of list items are not: the look is the same without them."""

GUIDE = [path for path in all_pages() if path.startswith("docs/")]


@cache
def site() -> Markdown:
    config = load_config(str(ROOT / "mkdocs.yml"))
    return Markdown(extensions=config["markdown_extensions"], extension_configs=config["mdx_configs"])


def parts(html: str) -> dict[str, int]:
    html = re.sub(r'<a class="headerlink".*?</a>|<a id="__[^>]*></a>', "", html)
    return {part: len(re.findall(rf"<{part}[ >]", html)) for part in PARTS}


@pytest.mark.parametrize("path", GUIDE)
def test_a_page_has_the_same_parts_on_github_and_in_the_site(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")

    assert parts(site().reset().convert(text)) == parts(MarkdownIt("commonmark").enable("table").render(text))


def test_a_list_without_a_blank_line_before_it_is_none_in_the_site() -> None:
    """So the comparison finds it."""
    text = "Words:\n- one\n- two\n"

    assert parts(site().reset().convert(text)) != parts(MarkdownIt("commonmark").render(text))
