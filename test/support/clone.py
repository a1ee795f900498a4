"""Runs a clone's scripts on a machine that has what the test gives it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "dirname", "cmp", "cp", "grep", "tee", "awk", "tail", "cat", "env")
"""What the scripts call in addition to Python; every system that has bash has these."""

LIMIT = 300
"""Seconds: more than any script takes on a machine that is busy with other tests."""


def run(
    clone: Path,
    bin_: Path,
    *words: str,
    script: str = "deploy/deploy.sh",
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """What it printed is all in stdout."""
    home = clone.parent / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [str(clone / script), *words],
        env={**(environment or {}), "PATH": str(bin_), "HOME": str(home)},
        cwd=cwd or clone,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def fake(bin_: Path, name: str, script: str = "") -> Path:
    """A command that keeps a list of its calls, then does ``script``. Returns the list's file."""
    calls = bin_ / f"{name}.calls"
    path = bin_ / name
    path.write_text(f"#!/bin/bash\nprintf '%s\\n' \"$*\" >>{calls}\n{script}\n")
    path.chmod(0o755)
    return calls
