"""Each thing is in one place: no two pages of the guide have a row of a table in common."""

from collections import defaultdict
from collections.abc import Iterator

import pytest

from test.docs.pages import GUIDE, LANGUAGES, guide_pages, read_page

HEAD = 2
"""Lines of a table before its rows."""

SHORT = {"en": 40, "zh": 25}
"""Characters of a row that two pages may share by chance, such as ``| 0 | all is well |``."""


def rows(language: str, page: str) -> Iterator[str]:
    """Every long row of every table of a page."""
    lines = (GUIDE / language / page).read_text("utf-8").splitlines()
    for table in read_page(f"docs/{language}/{page}").tables:
        first = table.line - 1
        yield from (row for row in lines[first + HEAD : first + 1 + table.rows] if len(row) > SHORT[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_pages_share_a_row(language: str) -> None:
    # When
    pages = defaultdict(set)
    for page in guide_pages(language):
        for row in rows(language, page):
            pages[row].add(page)
    # Then
    assert len(pages) > 500
    assert {row: sorted(where) for row, where in pages.items() if len(where) > 1} == {}
