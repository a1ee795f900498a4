"""What the functions' packages are made of."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from infra import packaging
from infra.packaging import FRONT_DOOR, PACKAGES, WEBHOOKS, Package


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)
def test_the_lock_leaves_to_lambda_what_its_runtime_brings(package: Package) -> None:
    # When
    names = {line.split("==")[0] for line in package.lock.read_text().splitlines() if "==" in line and line[0] != " "}

    # Then
    assert names >= {"pydantic", "pydantic-core", "python-json-logger"}
    assert not names & {"boto3", "botocore", "s3transfer", "urllib3"}


def test_the_fingerprint_follows_the_contents_and_the_architecture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given
    before = FRONT_DOOR.fingerprint("arm64")
    other = tmp_path / "lambda.txt"
    other.write_text("pydantic==2.0.0 --hash=sha256:aa")

    # Then
    assert before == FRONT_DOOR.fingerprint("arm64") != FRONT_DOOR.fingerprint("x86_64")
    assert before != WEBHOOKS.fingerprint("arm64")
    monkeypatch.setattr(packaging, "ROOT", Path("/"))
    assert replace(FRONT_DOOR, lock=other).fingerprint("arm64") != before


def test_the_package_holds_our_sources_and_equal_contents_make_equal_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given packages need no network here
    def install(lock: Path, architecture: str, folder: Path) -> None:
        (folder / "pydantic").mkdir()
        (folder / "pydantic" / "__init__.py").write_text(f"# for {architecture}")

    monkeypatch.setattr(packaging, "_install", install)

    # When
    first, second = (
        FRONT_DOOR.build("arm64", tmp_path / "first.zip"),
        FRONT_DOOR.build("arm64", tmp_path / "second.zip"),
    )

    # Then
    names = zipfile.ZipFile(first).namelist()
    assert {"pydantic/__init__.py", "contract/task.py", "frontend_lambda/handler.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("webhook_lambda")]
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.zip", "second.zip"]
