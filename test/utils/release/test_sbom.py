"""The bills of materials: valid CycloneDX, and nothing that is installed is missing."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from utils.release.sbom import ARTIFACTS, ROOT, Artifact, bill_of, main

ARTIFACT = pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda artifact: artifact.name)


def a_project(folder: Path, requirements: str, dockerfile: str = "") -> Artifact:
    """A project of one artifact."""
    (folder / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (folder / "requirements.txt").write_text(requirements)
    (folder / "Dockerfile").write_text(dockerfile)
    return Artifact("thing", "container", "requirements.txt", "Dockerfile" if dockerfile else None)


@ARTIFACT
def test_a_bill_is_valid_cyclonedx(artifact: Artifact) -> None:
    bill = bill_of(artifact, ROOT)
    validator = JsonStrictValidator(SchemaVersion.V1_6)

    assert validator.validate_str(json.dumps(bill)) is None
    assert validator.validate_str(json.dumps(bill | {"unknown": 1})) is not None


@ARTIFACT
def test_every_pinned_package_is_in_it_with_its_hashes(artifact: Artifact) -> None:
    # Given
    text = (ROOT / artifact.requirements).read_text()
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    # When
    components = bill_of(artifact, ROOT)["components"]
    # Then
    assert pins
    libraries = [component for component in components if component["purl"].startswith("pkg:pypi/")]
    assert {(one["name"], one["version"]) for one in libraries} == set(pins)
    assert sum(len(_hashes(one)) for one in libraries) == text.count("--hash=sha256:")


@ARTIFACT
def test_every_package_url_can_be_read(artifact: Artifact) -> None:
    for component in bill_of(artifact, ROOT)["components"]:
        url = PackageURL.from_string(component["purl"])
        assert url.version == component["version"]


def test_what_the_console_is_made_of_is_in_the_bill_of_what_serves_it() -> None:
    # Given
    (front_door,) = [artifact for artifact in ARTIFACTS if artifact.name == "front-door"]
    versions = json.loads((ROOT / "src" / "console" / "package.json").read_text())["dependencies"]
    # When
    packages = [one for one in bill_of(front_door, ROOT)["components"] if one["purl"].startswith("pkg:npm/")]
    # Then
    assert [(one["name"], one["version"]) for one in packages] == [("preact", versions["preact"])]
    assert len(packages[0]["externalReferences"][0]["hashes"][0]["content"]) == 128


def test_base_images_and_fetched_sources_are_in_it() -> None:
    (sdwebui,) = [artifact for artifact in ARTIFACTS if artifact.name == "sdwebui"]
    dockerfile = (ROOT / str(sdwebui.dockerfile)).read_text()

    found = {component["purl"] for component in bill_of(sdwebui, ROOT)["components"]}

    commits = re.findall(r"\b[0-9a-f]{40}\b", dockerfile)
    assert len(commits) == 7
    assert {purl.split("@")[1] for purl in found if purl.startswith("pkg:github/")} == set(commits)
    (base,) = [purl for purl in found if purl.startswith("pkg:docker/python@3.10")]
    assert base.endswith("?repository_url=public.ecr.aws/docker/library")


def test_every_image_has_a_bill() -> None:
    images = {path.parent.name for path in (ROOT / "images").glob("*/Dockerfile")}

    assert images == {artifact.name for artifact in ARTIFACTS if artifact.kind == "container"}


def test_the_same_sources_give_the_same_bill_and_others_another(tmp_path: Path) -> None:
    digest = "a" * 64
    one = bill_of(a_project(tmp_path, f"a==1 --hash=sha256:{digest}\n"), tmp_path)
    same = bill_of(a_project(tmp_path, f"a==1 --hash=sha256:{digest}\n"), tmp_path)
    other = bill_of(a_project(tmp_path, f"a==2 --hash=sha256:{digest}\n"), tmp_path)

    assert one == same
    assert one["serialNumber"] != other["serialNumber"]


def test_a_package_for_some_platforms_says_for_which(tmp_path: Path) -> None:
    artifact = a_project(tmp_path, f"A_b==1+cpu ; sys_platform == 'win32' \\\n    --hash=sha256:{'a' * 64}\n")

    (component,) = bill_of(artifact, tmp_path)["components"]

    assert component["purl"] == "pkg:pypi/a-b@1%2Bcpu"
    assert component["scope"] == "optional"
    assert component["properties"] == [{"name": "sd-on-eks:marker", "value": 'sys_platform == "win32"'}]


@pytest.mark.parametrize("requirement", ["a>=1 --hash=sha256:" + "a" * 64, "a==1", "a"])
def test_what_is_not_pinned_is_refused(requirement: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be pinned to one version, with a sha256 hash"):
        bill_of(a_project(tmp_path, requirement), tmp_path)


def test_a_dockerfile_without_a_known_base_image_is_refused(tmp_path: Path) -> None:
    artifact = a_project(tmp_path, f"a==1 --hash=sha256:{'a' * 64}", "FROM scratch\n")

    with pytest.raises(ValueError, match="must name its base image"):
        bill_of(artifact, tmp_path)


def test_the_command_writes_a_file_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path / "sbom")]) == 0

    paths = [tmp_path / "sbom" / f"{artifact.name}.cdx.json" for artifact in ARTIFACTS]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in paths]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {json.loads(path.read_text())["metadata"]["component"]["version"] for path in paths} == {version}


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("")

    assert main(["--output", str(tmp_path / "taken")]) == 1
    assert "error: " in capsys.readouterr().err


def _hashes(component: dict[str, Any]) -> list[dict[str, str]]:
    (distribution,) = component["externalReferences"]
    hashes: list[dict[str, str]] = distribution["hashes"]
    return hashes
