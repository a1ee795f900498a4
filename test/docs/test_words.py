"""The guide uses plain technical words; words.yaml lists those that it does not."""

import pytest

from test.docs.pages import LANGUAGES, OTHERS, ROOT, guide_pages
from test.docs.words import forbidden

COMPUTED = {"infra/README.md"}
"""Its tables are printed by infra.cost."""

ENGLISH = [*(path for path in OTHERS if path not in COMPUTED), *(f"docs/en/{path}" for path in guide_pages("en"))]
PAGES = [(path, "en") for path in ENGLISH] + [(f"docs/zh/{path}", "zh") for path in guide_pages("zh")]


@pytest.mark.parametrize(("path", "language"), PAGES)
def test_a_page_uses_no_forbidden_word(path: str, language: str) -> None:
    found = [f"{path}:{word}" for word in forbidden((ROOT / path).read_text("utf-8"), language)]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text", ["The caller is told why.", "A key of yours, word for word.", "| a |\n| - |\n| Lies in S3 |"]
)
def test_a_forbidden_word_is_found(text: str) -> None:
    assert list(forbidden(text, LANGUAGES[0]))


def test_code_and_names_are_not_looked_at() -> None:
    assert not list(forbidden("`pictures_total` counts.\n\n```text\nwhat is told\n```\n[x](beside.md)", "en"))
