"""Python that a page shows."""

import ast
from collections.abc import Iterator


def problems(text: str) -> Iterator[str]:
    """What is wrong with a program."""
    try:
        ast.parse(text)
    except SyntaxError as error:
        yield f"Python cannot read it: line {error.lineno}: {error.msg}"


def part_problems(text: str) -> Iterator[str]:
    """What is wrong with some lines of a program; they may also be those of a dictionary."""
    found = list(problems(text))
    if found and list(problems(f"{{\n{text}}}")):
        yield from found
