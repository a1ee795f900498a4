"""The examples of the guide, held to the types that the client publishes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from test.docs.pages import read_page
from utils.local.services import ROOT

SECONDS = 110


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A folder with a program for each Python block of the page."""
    blocks = [block for block in read_page("docs/en/how-to/client.md").blocks if block.language == "python"]
    assert len(blocks) >= 5
    for number, block in enumerate(blocks):
        (tmp_path / f"example_{number}.py").write_text(block.text)
    return tmp_path


def check(folder: Path, *command: str) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
def test_mypy_accepts_the_guides_examples(examples: Path) -> None:
    """As a user checks a program: in strict mode, no plugin, the client found as an installed package is."""
    (examples / "mypy.ini").write_text("[mypy]\nstrict = True\n")

    check(examples, "mypy", "--config-file", "mypy.ini", "--cache-dir", "cache", ".")


@pytest.mark.slow
def test_pyright_accepts_the_guides_examples(examples: Path) -> None:
    """By basedpyright with pyright's own strict rules: pyright's wheel fetches the program when it runs."""
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT / "src")], "include": ["."]}
    (examples / "pyrightconfig.json").write_text(json.dumps(settings))

    check(examples, "basedpyright", "--project", ".", "--pythonpath", sys.executable)


@pytest.mark.slow
@pytest.mark.parametrize("checker", [("mypy", "--strict"), ("basedpyright",)], ids=lambda checker: str(checker[0]))
def test_both_refuse_a_wrong_argument(checker: tuple[str, ...], examples: Path) -> None:
    (examples / "wrong.py").write_text("from sd_on_eks import text_to_image\n\ntext_to_image(7)\n")
    (examples / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(ROOT / "src")]}))

    with pytest.raises(AssertionError, match="text_to_image"):
        check(examples, *checker, "wrong.py")
