"""The Chinese of the English texts that the guide takes from the code."""

from functools import cache
from pathlib import Path

import yaml

LANGUAGES = ("en", "zh")

CHINESE = Path(__file__).with_name("chinese.yaml")


def translated(sentence: str, language: str) -> str:
    """The sentence in that language. Raises LookupError when chinese.yaml does not have it (any more)."""
    if language == "en" or not sentence:
        return sentence
    found = sentences().get(sentence)
    if found is None:
        raise LookupError(f"{CHINESE} lacks {sentence!r}: it is new, or its English was changed")
    return found


@cache
def sentences() -> dict[str, str]:
    """Every English sentence with its Chinese."""
    texts: dict[str, str] = yaml.safe_load(CHINESE.read_text("utf-8"))
    return texts


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)
