"""Commands that other packages add to ``sdoneks``."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from test.sd_on_eks.command import Command, sdoneks
from utils.operate.command import COMMANDS, ops

__all__ = ["sdoneks"]


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that adds the commands ``hello`` and ``broken``."""
    package = tmp_path / "site"
    info = package / "foreign-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[sd_on_eks.commands]\nhello = foreign_command:hello\nbroken = no_such_module:command\n"
    )
    (package / "foreign_command.py").write_text(
        "import click\n\n@click.command()\ndef hello():\n    click.echo('hello')\n"
    )
    monkeypatch.syspath_prepend(str(package))
    return package


def test_an_installed_package_adds_commands(foreign: Path, sdoneks: Command) -> None:
    assert sdoneks("hello").out == ["hello"]


def test_a_command_whose_packages_are_missing_says_so(foreign: Path, sdoneks: Command) -> None:
    ran = sdoneks("broken")

    assert ran.code == 2
    assert "sdoneks broken needs no_such_module, which is not installed here" in ran.err[-1]
    assert "Not available: no_such_module is not installed." in "\n".join(sdoneks("--help").out)


def test_a_checkout_adds_the_operators_commands(sdoneks: Command) -> None:
    ran = sdoneks("ops", "--help")

    assert ran.code == 0
    assert all(f"  {name} " in "\n".join(ran.out) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_each_command_says_of_itself(name: str) -> None:
    command = ops.get_command(click.Context(ops), name)

    assert command is not None
    assert command.get_short_help_str(limit=200) == COMMANDS[name][1]


def test_the_list_imports_no_command() -> None:
    program = "import sys; from sd_on_eks.cli.app import run; run(['ops', '--help']); sys.exit('boto3' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
