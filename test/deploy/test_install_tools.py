"""install-tools.sh with a Node.js that keeps a list of its calls."""

import shutil
from pathlib import Path

import pytest

from test.support.clone import ROOT, fake, run

SCRIPT = "deploy/install-tools.sh"


@pytest.fixture
def node(clone: Path) -> Path:
    """A clone that has its Python packages; the list of the calls of their Node.js."""
    shutil.copy(ROOT / "package-lock.json", clone)
    folder = clone / ".venv" / "bin"
    folder.mkdir(parents=True)
    fake(folder, "python", f"echo {clone}/.venv")
    shutil.copy(clone / "requirements" / "deploy.txt", clone / ".venv" / "installed-deploy.txt")
    return fake(folder, "node", f"{shutil.which('mkdir')} -p node_modules")


def test_the_cdk_is_installed_from_its_lock_once(node: Path, clone: Path, bin_: Path) -> None:
    # When
    ended = [run(clone, bin_, script=SCRIPT) for _ in range(2)]
    # Then
    assert [one.returncode for one in ended] == [0, 0], ended[0].stdout
    (call,) = node.read_text().splitlines()
    assert call == f"{clone}/.venv/lib/node_modules/npm/bin/npm-cli.js ci --no-audit --no-fund --ignore-scripts"


def test_a_failure_shows_why_and_is_tried_again(node: Path, clone: Path, bin_: Path) -> None:
    # Given
    fake(node.parent, "node", "echo no route to the registry; exit 1")
    # When
    ended = [run(clone, bin_, script=SCRIPT) for _ in range(2)]
    # Then
    for one in ended:
        assert one.returncode == 1
        assert "no route to the registry" in one.stdout
        assert "error: the CDK's command line could not be installed" in one.stdout
    assert len(node.read_text().splitlines()) == 2
