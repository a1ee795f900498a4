"""``cdk synth`` where nothing is installed yet."""

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_fresh_clone_says_what_to_install_first(tmp_path: Path) -> None:
    # Given the files that the command needs, without .venv
    for name in ("deploy", "infra"):
        shutil.copytree(ROOT / name, tmp_path / name)
    app = json.loads((ROOT / "cdk.json").read_text())["app"]

    # When
    ended = subprocess.run(
        ["bash", "-c", app], cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )

    # Then
    assert ended.returncode == 1
    assert "error: the packages that describe the stack are not installed" in ended.stderr
    assert "deploy/install-tools.sh" in ended.stderr
    assert "infra/cdk.sh synth" in ended.stderr
