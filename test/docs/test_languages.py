"""English and Chinese are one guide: the same pages with the same parts."""

import pytest

from test.docs.languages import differences
from test.docs.pages import guide_pages, read_page

ENGLISH, CHINESE = guide_pages("en"), guide_pages("zh")


def test_both_languages_have_the_same_pages() -> None:
    assert CHINESE == ENGLISH


@pytest.mark.parametrize("path", sorted({*ENGLISH} & {*CHINESE}))
def test_a_page_is_the_same_in_both_languages(path: str) -> None:
    found = list(differences(read_page(f"docs/en/{path}"), read_page(f"docs/zh/{path}")))

    assert not found, f"docs/en/{path} and docs/zh/{path}:\n" + "\n".join(found)
