"""The guide, help texts, logs and errors use plain technical words; words.yaml lists those that they do not."""

import pytest

from test.docs.pages import LANGUAGES, OTHERS, ROOT, guide_pages
from test.docs.words import forbidden, forbidden_in_messages

COMPUTED = {"infra/README.md"}
"""Its tables are printed by infra.cost."""

ENGLISH = [*(path for path in OTHERS if path not in COMPUTED), *(f"docs/en/{path}" for path in guide_pages("en"))]
PAGES = [(path, "en") for path in ENGLISH] + [(f"docs/zh/{path}", "zh") for path in guide_pages("zh")]


MODULES = sorted(
    path.relative_to(ROOT).as_posix() for folder in ("src", "utils", "infra") for path in (ROOT / folder).rglob("*.py")
)


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


def test_no_message_uses_a_forbidden_word() -> None:
    found = [f"{path}:{word}" for path in MODULES for word in forbidden_in_messages((ROOT / path).read_text("utf-8"))]

    assert not found, "\n".join(found)


def test_a_forbidden_word_of_a_message_is_found_and_that_of_a_docstring_is_not() -> None:
    # Given
    lines = [
        '"""It tells nobody."""',
        'log.warning("nobody answers now", extra={"tells": 1})',
        'help = "see --pictures of it"',
    ]

    # When
    found = list(forbidden_in_messages("\n".join(lines)))

    # Then
    assert [word[:11] for word in found] == ["2: 'nobody'"]
