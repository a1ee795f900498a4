"""The examples of the guide, held to the types that the client publishes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from test.docs.pages import read_page
from utils.local.services import ROOT

SECONDS = 110


@pytest.mark.slow
def test_the_guides_examples_are_typed(tmp_path: Path) -> None:
    """As a user checks a program: mypy in strict mode, no plugin, the client found as an installed package is."""
    blocks = [block for block in read_page("docs/en/how-to/client.md").blocks if block.language == "python"]
    for number, block in enumerate(blocks):
        (tmp_path / f"example_{number}.py").write_text(block.text)
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = True\n")

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", "cache", "."],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert len(blocks) >= 5
    assert checked.returncode == 0, checked.stdout
