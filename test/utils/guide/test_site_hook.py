"""What the hook of the site makes of a page's HTML."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from utils.guide import site


def shown(html: str, url: str = "how-to/links/") -> str:
    page = cast("Any", SimpleNamespace(url=url))
    return site.on_page_content(html, page, cast("Any", None), cast("Any", None))


@pytest.mark.parametrize(("url", "title"), [("how-to/links/", "Warning"), ("zh/how-to/links/", "注意")])
def test_an_alert_becomes_an_admonition_in_the_language_of_the_page(url: str, title: str) -> None:
    # Given the HTML of "> [!WARNING]" and a list
    html = "<blockquote>\n<p>[!WARNING]\nThis costs money.</p>\n<ul><li>GPUs</li></ul>\n</blockquote>"

    # Then
    assert shown(html, url) == (
        f'<div class="admonition warning"><p class="admonition-title">{title}</p><p>This costs money.</p>\n'
        "<ul><li>GPUs</li></ul>\n</div>"
    )


def test_an_ordinary_quotation_stays_one() -> None:
    html = "<blockquote>\n<p>All is well.</p>\n</blockquote>"

    assert shown(html) == html


def test_each_cell_has_the_title_of_its_column() -> None:
    # Given
    html = (
        "<table><thead><tr><th></th><th><code>limit</code> in s</th></tr></thead>"
        '<tbody><tr><td>run</td><td style="text-align: right;">300</td></tr></tbody></table>'
    )

    # Then
    assert '<td data-title="">run</td><td data-title="limit in s" style="text-align: right;">300</td>' in shown(html)


def test_a_drawing_can_be_scrolled_and_leads_to_itself() -> None:
    html = '<p><img alt="The parts" src="../images/architecture.svg"></p>'

    assert shown(html) == (
        '<p class="drawing"><a href="../images/architecture.svg">'
        '<img alt="The parts" src="../images/architecture.svg"></a></p>'
    )
