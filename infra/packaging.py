"""Packs the Lambda functions that have packages, without Docker and from pinned packages only.

CDK runs ``python -m infra.packaging FUNCTION ARCHITECTURE`` when it publishes assets, not when it synthesises: a
synthesis needs no network. The last line printed is the path of the zip, as CDK wants it.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra import console

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src"

LOCKS = ROOT / "requirements"
"""Without boto3 and what it needs: they are part of the Lambda runtime."""

BUILT = ROOT / "cdk.out" / "packages"
"""Not under version control, like all that CDK makes."""

PYTHON_VERSION = "3.13"

PLATFORMS = {"arm64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}
"""Lambda's names of the architectures, and the wheels for them."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""One time for all files, so that equal contents make equal zips."""


@dataclass(frozen=True, slots=True)
class Package:
    """One function's: our own packages below ``src``, and the lock of all others. ``console`` is where in it the
    console's page goes; None: it has none."""

    name: str
    sources: tuple[str, ...]
    lock: Path
    console: str | None = None

    def fingerprint(self, architecture: str) -> str:
        """Changes when, and only when, what ``build`` makes would change."""
        digest = hashlib.sha256(f"{PYTHON_VERSION} {PLATFORMS[architecture]}\n".encode())
        for path in (Path(__file__), self.lock, *self._files()):
            digest.update(f"{path.relative_to(ROOT)}\n".encode())
            digest.update(path.read_bytes())
        if self.console:
            digest.update(console.fingerprint().encode())
        return digest.hexdigest()

    def build(self, architecture: str, target: Path) -> Path:
        """Write the zip to ``target``. Raises CalledProcessError when pip cannot fetch a package, and CannotBuild."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _install(self.lock, architecture, folder)
            for source in self.sources:
                shutil.copytree(SOURCES / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
            if self.console:
                shutil.copy(console.build(), folder / self.console)
            part = target.with_suffix(".part")
            _zip(folder, part)
            part.replace(target)
        return target

    def _files(self) -> Iterator[Path]:
        for source in self.sources:
            yield from sorted((SOURCES / source).rglob("*.py"))


FRONT_DOOR = Package(
    "front-door", ("contract", "frontend_lambda"), LOCKS / "lambda.txt", "frontend_lambda/console.html"
)
WEBHOOKS = Package("webhooks", ("contract", "webhook_lambda"), LOCKS / "webhooks.txt")

PACKAGES = {package.name: package for package in (FRONT_DOOR, WEBHOOKS)}


def _install(lock: Path, architecture: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--no-compile", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={PYTHON_VERSION}", f"--platform={PLATFORMS[architecture]}"]
    command += [f"--target={folder}", f"--requirement={lock}"]
    subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 (our own interpreter and arguments)


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
                info.external_attr = 0o644 << 16
                archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)


def main() -> None:
    """Build, or take what an earlier run built from the same contents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("function", choices=sorted(PACKAGES))
    parser.add_argument("architecture", choices=sorted(PLATFORMS))
    arguments = parser.parse_args()
    package = PACKAGES[arguments.function]
    target = BUILT / f"{package.name}-{package.fingerprint(arguments.architecture)}.zip"
    if not target.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        package.build(arguments.architecture, target)
    print(target)  # noqa: T201 (the answer that CDK reads)


if __name__ == "__main__":
    main()
