"""How the console is built: from locked packages, into one small file."""

import gzip
import json
import re
from pathlib import Path

import pytest

from infra import console

MAX_COMPRESSED = 200 * 1024
"""Bytes, as a browser gets the page."""


@pytest.fixture(scope="module")
def page() -> str:
    """The page; check.sh has built it, so that this needs no network."""
    return console.build().read_text(encoding="utf-8")


def test_the_lock_names_versions_and_hashes_and_no_registry() -> None:
    # When
    text = (console.SOURCES / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]

    # Then
    assert "://" not in text.replace('"url": "https://', "")  # the addresses of those who may be thanked with money
    assert not re.search(r'"resolved"|registry', text)
    installed = {name: package for name, package in packages.items() if name}
    assert installed.keys() >= {"node_modules/preact", "node_modules/esbuild", "node_modules/@esbuild/linux-x64"}
    assert all(re.fullmatch(r"\d[\w.-]*", package["version"]) for package in installed.values())
    assert all(package["integrity"].startswith("sha512-") for package in installed.values())


def test_every_version_is_exact() -> None:
    package = json.loads((console.SOURCES / "package.json").read_text(encoding="utf-8"))

    versions = {**package["dependencies"], **package["devDependencies"]}

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())


def test_the_page_is_one_small_file_that_loads_nothing(page: str) -> None:
    assert len(gzip.compress(page.encode())) < MAX_COMPRESSED
    assert page.count("<script>") == page.count("</script>") == 1
    assert page.count("<style>") == page.count("</style>") == 1
    assert not re.search(r"<(?:script|img|iframe)[^>]*\ssrc=|@import|url\((?!data:)", page)
    assert "/* script */" not in page
    assert "/* style */" not in page


def test_the_page_shows_pages_words_in_both_languages(page: str) -> None:
    assert "Waits for a pod" in page
    assert "等待 Pod" in page


def test_other_sources_are_another_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Given
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.tsx").write_text("1")
    (tmp_path / "node_modules").mkdir()
    monkeypatch.setattr(console, "SOURCES", tmp_path)
    monkeypatch.setattr(console, "MODULES", tmp_path / "node_modules")
    before = console.page()

    # When / Then what is installed does not count, what is written does
    (tmp_path / "node_modules" / "left-pad.js").write_text("")
    assert console.page() == before
    (tmp_path / "src" / "main.tsx").write_text("2")
    assert console.page() != before


def test_a_build_that_fails_says_why_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Given
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "package.json").write_text("no JSON")
    monkeypatch.setattr(console, "SOURCES", tmp_path)
    monkeypatch.setattr(console, "MODULES", tmp_path / "node_modules")
    monkeypatch.setattr(console, "BUILT", tmp_path / "built")

    # When
    with pytest.raises(console.CannotBuild, match=r"(?s)npm.* ci .* failed:.*package.json"):
        console.build()

    # Then
    assert [path.name for path in (tmp_path / "built").iterdir()] == ["lock"]
