"""``cdk synth`` where nothing is installed yet."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_cdk_refuses_to_run_against_the_embedded_aws(name: str, tmp_path: Path) -> None:
    # Given a terminal in which the local platform was used
    for folder in ("deploy", "infra"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    environment = {"PATH": os.environ["PATH"], name: "http://127.0.0.1:41879"}

    # When
    ended = subprocess.run(
        ["bash", "infra/cdk.sh", "synth"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    # Then nothing is installed or written
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {name} is set to http://127.0.0.1:41879")
    assert f"unset {name}" in ended.stderr
    assert "ALLOW_AWS_ENDPOINT_URL=1" in ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deploy", "infra"]
