"""Words that a page or a message uses against the rules of its language."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

WORDS = Path(__file__).with_name("words.yaml")

SENTENCE = 3
"""Words that make a sentence of a string; shorter ones are names, keys and expressions."""

_WORD = re.compile(r"[A-Za-z]+")
_OPTION = re.compile(r"--[\w-]+")

_INSTEAD = {"code_inline": "\N{OBJECT REPLACEMENT CHARACTER}", "softbreak": " ", "hardbreak": " "}
"""What is read in place of what is no text."""

_PARSER = MarkdownIt("commonmark").enable("table")


def forbidden(text: str, language: str) -> Iterator[str]:
    """Each forbidden word of a page's prose, with the line of its paragraph and what to write instead."""
    for token in _PARSER.parse(text):
        for word, instead in words(language).items():
            for found in re.finditer(word, _prose(token)):
                yield f"{token.map[0] + 1 if token.map else 0}: {found[0]!r}; write: {instead}"


def forbidden_in_messages(source: str) -> Iterator[str]:
    """Each forbidden word of the sentences that a module prints, logs, raises or gives as help, with its line.

    Sentences are strings of SENTENCE words and more that are no docstrings.
    """
    for text, line in _sentences(ast.parse(source)):
        for word, instead in words("en").items():
            for found in re.finditer(word, _OPTION.sub("", text)):
                yield f"{line}: {found[0]!r}; write: {instead}"


def _sentences(tree: ast.Module) -> Iterator[tuple[str, int]]:
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in alone:
            continue
        if " " in node.value and len(_WORD.findall(node.value)) >= SENTENCE:
            yield node.value, node.lineno


def _prose(token: Token) -> str:
    """The text of a paragraph, a cell or a heading without code, addresses and markup."""
    return "".join(
        child.content if child.type == "text" else _INSTEAD[child.type]
        for child in token.children or ()
        if child.type == "text" or child.type in _INSTEAD
    )


@cache
def words(language: str) -> Mapping[str, str]:
    """What each forbidden word, as a regular expression, is replaced by."""
    found: dict[str, str] = yaml.safe_load(WORDS.read_text("utf-8"))[language]
    return {rf"(?i)\b(?:{word})\b" if language == "en" else word: instead for word, instead in found.items()}
