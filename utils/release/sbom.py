"""Writes a CycloneDX bill of materials for each image and for the front door: what the pinned requirements, the
Dockerfiles' base images and their fetched sources say is in them.

The files depend on these alone: the same sources give the same bytes.
"""

import argparse
import base64
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

SPEC_VERSION = "1.6"

NAMESPACE = uuid.UUID("6a0f5c0e-2f0b-5d55-9d0c-3f4f7f0c8a11")
"""Of the serial numbers, which follow from the content."""

BUILD_TOOLS = frozenset({"esbuild"})
"""npm packages that make the page and are not in it."""

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_BASE = re.compile(r"^ARG PYTHON=\$\{MIRROR\}/([\w.-]+):([\w.-]+)$", re.MULTILINE)
_MIRROR = re.compile(r"^ARG MIRROR=(\S+)$", re.MULTILINE)
_SOURCE = re.compile(r"(?:fetch\.sh|\"\$1\") ([\w.-]+)/([\w.-]+) (?:refs/tags/)?([\w.-]+)")

Component: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that is deployed. ``kind`` is CycloneDX's type of it; paths are below the project's folder."""

    name: str
    kind: str
    requirements: str
    dockerfile: str | None = None
    package_lock: str | None = None
    """npm's, of the page that it serves."""


ARTIFACTS = (
    Artifact("front-door", "application", "requirements/lambda.txt", package_lock="src/console/package-lock.json"),
    Artifact("webhooks", "application", "requirements/webhooks.txt"),
    Artifact("queue-agent", "container", "requirements/agent.txt", "images/queue-agent/Dockerfile"),
    Artifact("imagekit", "container", "requirements/image-kit.txt", "images/imagekit/Dockerfile"),
    *(
        Artifact(name, "container", f"images/{name}/requirements.txt", f"images/{name}/Dockerfile")
        for name in ("sdwebui", "comfyui", "invokeai")
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 once every file is written, 1 when one cannot be."""
    parser = argparse.ArgumentParser(prog="python -m utils.release.sbom", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "sbom", metavar="DIR", help="default: dist/sbom")
    folder: Path = parser.parse_args(argv).output
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for artifact in ARTIFACTS:
            path = folder / f"{artifact.name}.cdx.json"
            path.write_text(json.dumps(bill_of(artifact, ROOT), indent=2) + "\n", encoding="utf-8")
            print(path)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def bill_of(artifact: Artifact, root: Path) -> dict[str, Any]:
    """The bill of materials. Raises OSError for a missing file, ValueError for a requirement that is not pinned."""
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    subject = {"type": artifact.kind, "bom-ref": artifact.name, "name": artifact.name, "version": version}
    components = [*_packages((root / artifact.requirements).read_text(encoding="utf-8"))]
    if artifact.dockerfile is not None:
        components += _of_dockerfile((root / artifact.dockerfile).read_text(encoding="utf-8"))
    if artifact.package_lock is not None:
        components += _of_package_lock((root / artifact.package_lock).read_text(encoding="utf-8"))
    bill: dict[str, Any] = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {"component": subject},
        "components": components,
        "dependencies": [
            {"ref": artifact.name, "dependsOn": [component["bom-ref"] for component in components]},
        ],
    }
    return {**bill, "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, json.dumps(bill, sort_keys=True))}"}


def _packages(text: str) -> Iterator[Component]:
    """The packages of a requirements file with hashes, one for each line that is not continued."""
    for line in text.replace("\\\n", " ").splitlines():
        pinned, _, hashes = line.partition("--hash=")
        if not pinned.strip() or pinned.lstrip().startswith("#"):
            continue
        requirement = Requirement(pinned.strip())
        versions = [one.version for one in requirement.specifier if one.operator == "=="]
        digests = _HASH.findall(f"--hash={hashes}")
        if len(versions) != 1 or not digests:
            raise ValueError(f"{requirement} must be pinned to one version, with a sha256 hash")
        yield _package(canonicalize_name(requirement.name), versions[0], digests, str(requirement.marker or ""))


def _package(name: str, version: str, digests: Sequence[str], marker: str) -> Component:
    """A package, with the hashes of the files that may be installed; ``marker`` says where it is, if not everywhere.

    The reference that carries the hashes names the package and no index: which one is asked is the installer's choice.
    """
    purl = f"pkg:pypi/{name}@{_quoted(version)}"
    distribution = {
        "type": "distribution",
        "url": purl,
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in digests],
    }
    component = _component("library", name, version, purl)
    component["externalReferences"] = [distribution]
    if marker:
        component |= {"scope": "optional", "properties": [{"name": "sd-on-eks:marker", "value": marker}]}
    return component


def _of_dockerfile(text: str) -> Iterator[Component]:
    """The base image, and the sources that the build fetches by tag or commit."""
    mirror, base = _MIRROR.search(text), _BASE.search(text)
    if mirror is None or base is None:
        raise ValueError("a Dockerfile must name its base image in ARG MIRROR and ARG PYTHON")
    registry, (name, tag) = mirror[1], base.groups()
    yield _component("container", name, tag, f"pkg:docker/{name}@{_quoted(tag)}?repository_url={registry}")
    for owner, repository, commit in _SOURCE.findall(text):
        purl = f"pkg:github/{owner.lower()}/{repository.lower()}@{_quoted(commit)}"
        yield _component("application", f"{owner}/{repository}", commit, purl)


def _of_package_lock(text: str) -> Iterator[Component]:
    """The npm packages whose code is in the page."""
    for place, package in json.loads(text)["packages"].items():
        name = place.removeprefix("node_modules/")
        if not name or package.get("dev") or package.get("optional") or name in BUILD_TOOLS:
            continue
        purl = f"pkg:npm/{name}@{package['version']}"
        digest = base64.b64decode(package["integrity"].removeprefix("sha512-")).hex()
        hashes = [{"alg": "SHA-512", "content": digest}]
        distribution = {"type": "distribution", "url": purl, "hashes": hashes}
        yield {**_component("library", name, package["version"], purl), "externalReferences": [distribution]}


def _component(kind: str, name: str, version: str, purl: str) -> Component:
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _quoted(version: str) -> str:
    """The version as a package URL has it."""
    return version.replace("+", "%2B")


if __name__ == "__main__":
    sys.exit(main())
