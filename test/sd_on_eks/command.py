"""The command ``sdoneks``, called in this process."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sd_on_eks.cli.app import run
from test.sd_on_eks.conftest import KEY, Site


@dataclass(frozen=True)
class Ran:
    """``out`` and ``err`` are lines."""

    code: int
    out: list[str]
    err: list[str]

    @property
    def json(self) -> Any:
        (line,) = self.out
        return json.loads(line)


Command = Callable[..., Ran]


@pytest.fixture
def sdoneks(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command in this process, with the site's endpoint and key in its environment."""
    monkeypatch.setenv("SDONEKS_ENDPOINT", site.endpoint)
    monkeypatch.setenv("SDONEKS_API_KEY", KEY)
    monkeypatch.setenv("SDONEKS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Ran:
        code = run(arguments)
        printed = capsys.readouterr()
        return Ran(code, printed.out.splitlines(), printed.err.splitlines())

    return call
