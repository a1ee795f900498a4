"""Every block of every page holds: commands run or exist, JSON is accepted, YAML parses, files are there."""

import pytest

from test.docs.kinds import RUN, page_problems
from test.docs.pages import OTHERS, ROOT, all_pages, guide_pages, read_page
from test.docs.running import Terminal, run_page

RUNNING = [
    path
    for path in (*OTHERS, *(f"docs/en/{page}" for page in guide_pages("en")))
    if any((block.language, block.marker) in RUN for block in read_page(path).blocks)
]
"""The Chinese pages hold the same blocks, see test_languages.py."""


@pytest.mark.parametrize("path", all_pages())
def test_every_block_and_file_of_a_page_holds(path: str) -> None:
    problems = page_problems(read_page(path), path)

    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", RUNNING)
def test_the_commands_of_a_page_run(path: str, reader: Terminal) -> None:
    failures = [f"{path}:{failure}" for failure in run_page(read_page(path), reader)]

    assert not failures, failures[0]


@pytest.mark.parametrize("path", OTHERS)
def test_the_links_of_a_page_outside_the_guide_lead_to_files(path: str) -> None:
    folder = (ROOT / path).parent
    links = [(line, link.partition("#")[0]) for line, link in read_page(path).links if "://" not in link]

    lost = [f"{path}:{line}: {link} is not there" for line, link in links if not (folder / link).exists()]

    assert not lost, "\n".join(lost)
