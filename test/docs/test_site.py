"""The site: built whole, in two languages that switch and search each in itself, and nothing fetched from outside."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from test.docs.pages import ROOT, guide_pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    options = ("-P", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder))
    done = subprocess.run([sys.executable, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def pages_of(site: Path) -> list[Path]:
    return [path for path in site.rglob("index.html") if "assets" not in path.parts]


def locations(index: Path) -> set[str]:
    return {doc["location"].partition("#")[0] for doc in json.loads(index.read_text("utf-8"))["docs"]}


def switch_of(html: str) -> list[tuple[str, str]]:
    """Where the switch leads, and the language there."""
    tags = [tag for tag in re.findall(r"<a [^>]*>", html) if "hreflang=" in tag]
    return [(re.findall(r'href="([^"]*)"', tag)[0], re.findall(r'hreflang="(\w+)"', tag)[0]) for tag in tags]


def test_every_page_is_there_in_both_languages(site: Path) -> None:
    assert len(pages_of(site)) == 2 * len(guide_pages("en"))


def test_each_language_searches_in_its_own_pages(site: Path) -> None:
    english, chinese = (locations(site / folder / "search" / "search_index.json") for folder in ("", "zh"))

    assert english == chinese
    assert "how-to/callbacks/" in english


def test_the_switch_of_the_language_stays_on_the_page(site: Path) -> None:
    for path in pages_of(site):
        there = switch_of(path.read_text("utf-8"))
        here = path.parent.relative_to(site).as_posix()
        english = here.removeprefix("zh").removeprefix("/") or "."
        for link, language in there:
            target = (path.parent / link).resolve()
            assert target == (site / ("zh" if language == "zh" else "") / english).resolve()
        assert [language for _, language in there] == ["en", "zh"], here


def test_nothing_is_fetched_from_outside(site: Path) -> None:
    fetched = re.compile(
        r'<(?:script|img|iframe|source)[^>]*\ssrc="https?:|<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*"https?:'
    )

    assert not [path for path in site.rglob("*.html") if fetched.search(path.read_text("utf-8"))]


def test_no_line_of_a_chinese_source_ends_in_a_gap(site: Path) -> None:
    chinese = r"[\u3000-\u303f\u4e00-\u9fff\uff01-\uff60]"
    gap = re.compile(rf"{chinese}\n\s*{chinese}")
    pages = [path for path in pages_of(site) if path.is_relative_to(site / "zh")]

    assert [found[0] for path in pages for found in gap.finditer(path.read_text("utf-8"))] == []
