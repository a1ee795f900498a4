"""The kinds of code blocks, and what each is held to."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from test.docs import commands, manifests, messages, scripts
from test.docs.pages import ROOT, Block, Page

Check: TypeAlias = Callable[[str], Iterator[str]]
"""What is wrong with a block's text, a sentence for each fault."""


def _nothing(text: str) -> Iterator[str]:
    yield from ()


KINDS: Mapping[tuple[str, str], Check] = {
    ("bash", ""): commands.runnable_problems,
    ("bash", "cloud"): commands.problems,
    ("bash", "platform"): commands.problems,
    ("python", ""): scripts.problems,
    ("python", "code"): scripts.part_problems,
    ("json", ""): messages.request_problems,
    ("json", "callback"): messages.callback_problems,
    ("json", "response"): messages.response_problems,
    ("json", "error"): messages.error_problems,
    ("json", "json"): messages.json_problems,
    ("yaml", ""): manifests.config_problems,
    ("yaml", "values"): manifests.values_problems,
    ("yaml", "kubernetes"): manifests.kubernetes_problems,
    ("yaml", "yaml"): manifests.yaml_problems,
    ("text", ""): _nothing,
}
"""By language and marker."""

RUN = {("bash", ""), ("python", "")}
"""Kinds that are also run against a local platform."""


def block_problems(block: Block) -> Iterator[str]:
    """Everything that is wrong with a block."""
    check = KINDS.get((block.language, block.marker))
    if check is None:
        yield (
            f"no kind of block is {_name(block.language, block.marker)}; there is {_all_kinds()}. What is in "
            "brackets goes into a comment right above the fence: <!-- block: cloud -->"
        )
    else:
        yield from check(block.text)


def page_problems(page: Page, path: str) -> list[str]:
    """Everything that is wrong with a page, each with its line."""
    return [
        *(f"{path}:{block.line}: {problem}" for block in page.blocks for problem in block_problems(block)),
        *(f"{path}:{line}: {problem}" for line, problem in page.lost),
        *(
            f"{path}:{line}: `{name}` is no file of the project"
            for line, name in page.names
            if commands.is_project_path(name) and not (ROOT / name).exists()
        ),
    ]


def _all_kinds() -> str:
    return ", ".join(_name(*kind) for kind in KINDS)


def _name(language: str, marker: str) -> str:
    return f"{language} ({marker})" if marker else language or "without a language"
