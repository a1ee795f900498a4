"""The command ``sdoneks``, called in this process, or on a terminal of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sd_on_eks.cli.app import run
from test.sd_on_eks.conftest import KEY, PATIENCE, Site


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


class OnTerminal:
    """The command in a process whose input and standard error are a terminal."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int) -> None:
        self._process = process
        self._terminal = terminal
        self.shown = ""

    def shows(self, text: str) -> None:
        """Wait until it has shown ``text``."""
        while text not in self.shown:
            self.shown += os.read(self._terminal, 4096).decode(errors="replace")

    def is_interrupted_and_answered(self, answer: str) -> int:
        """Press Ctrl-C, and give the answer to what it asks; the exit code."""
        self._process.send_signal(signal.SIGINT)
        self.shows("as well?")
        os.write(self._terminal, f"{answer}\n".encode())
        return self._process.wait(PATIENCE)


@contextmanager
def on_terminal(site: Site, folder: Path, *arguments: str) -> Iterator[OnTerminal]:
    terminal, end = pty.openpty()
    environment = {
        **os.environ,
        "SDONEKS_ENDPOINT": site.endpoint,
        "SDONEKS_API_KEY": KEY,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TERM": "xterm",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "sd_on_eks", *arguments],
        env=environment,
        cwd=folder,
        stdin=end,
        stdout=subprocess.DEVNULL,
        stderr=end,
        start_new_session=True,
    )
    try:
        yield OnTerminal(process, terminal)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(end)
