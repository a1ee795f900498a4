"""Runs the blocks of a page one after the other, as a reader does who pastes them into one terminal."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from test.docs.kinds import RUN, block_problems
from test.docs.pages import ROOT, Block, Page
from test.support.platform import Running
from utils.local.cloud import REGION

LIMIT = 60
"""Seconds for one block."""

TOO_LATE = 124
"""Exit code of what ran longer, as of timeout(1)."""

_COPIED = {"config.yaml"}
"""What a block may write to; everything else of the project is only linked."""

_LEFT_OUT = {"output", "cdk.out", "site"}


@dataclass(frozen=True, slots=True)
class Terminal:
    """A folder that looks like the project's, and the variables that the pages name."""

    folder: Path
    variables: Mapping[str, str]


def terminal(platform: Running, folder: Path, more: Mapping[str, str]) -> Terminal:
    """A terminal in a copy of the project made of links, so that what a block writes stays apart.

    ``more`` are variables in addition to those that the pages name.
    """
    folder.mkdir()
    for path in ROOT.iterdir():
        if path.name in _COPIED:
            (folder / path.name).write_bytes(path.read_bytes())
        elif path.name not in _LEFT_OUT and path.name != ".venv":
            (folder / path.name).symlink_to(path)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "output").symlink_to(platform.output)
    addresses = platform.addresses
    variables = {
        "ENDPOINT": addresses.endpoint,
        "API_KEY": addresses.api_key,
        "BUCKET": addresses.bucket,
        "TOPIC_ARN": addresses.topic_arn,
        **platform.access.environment(),
        "AWS_REGION": REGION,
        "PATH": os.pathsep.join((str(Path(sys.prefix) / "bin"), os.environ["PATH"])),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        **more,
    }
    return Terminal(folder, variables)


def run_page(page: Page, terminal: Terminal) -> Iterator[str]:
    """Run the page's blocks; variables and functions stay from one to the next. Yields what failed and ends there."""
    kept = terminal.folder.parent / "variables.sh"
    kept.write_text("")
    for block in page.blocks:
        if not block.file and (block.language, block.marker) not in RUN:
            continue
        problems = [*block_problems(block)]
        if problems:
            yield f"{block.line}: not run: {'; '.join(problems)}"
            return
        if block.file:
            _save(block, terminal.folder)
            continue
        code, printed = _run(_argv(block, kept), terminal)
        if code:
            yield f"{block.line}: exit code {code}\n{block.text}\n{printed}"
            return


def _save(block: Block, folder: Path) -> None:
    """Write the block as the reader does who saves it under its title. Raises ValueError for a place outside."""
    path = (folder / block.file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{block.file} is outside the reader's folder")
    path.parent.mkdir(exist_ok=True)
    path.write_text(block.text, "utf-8")


def _run(argv: list[str], terminal: Terminal) -> tuple[int, str]:
    """The exit code, and what was printed. After LIMIT it is killed with all that it started."""
    with subprocess.Popen(
        argv,
        cwd=terminal.folder,
        env=dict(terminal.variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        late = False
        try:
            printed, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            late = True
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if late:
            printed, _ = process.communicate()
            return TOO_LATE, printed
        return process.returncode, printed


def _argv(block: Block, kept: Path) -> list[str]:
    """The block between what brings the variables of earlier blocks and what keeps its own."""
    begin = f"set -a -euo pipefail\nsource {shlex.quote(str(kept))}\n"
    if block.language == "python":
        return ["bash", "-c", f'{begin}exec python -c "$1"', "bash", block.text]
    return ["bash", "-c", f"{begin}{block.text}\nexport -p >{shlex.quote(str(kept))}\n"]
