"""Which container images a config runs, and whether they are in ECR."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import yaml

from infra.config.model import Config, Runtime
from infra.images import AGENT, image_builds
from infra.versions import RUNTIME_CHART
from utils.deploy.account import CLIENT, Account
from utils.deploy.config_file import ROOT, values_at

AGENT_REPOSITORY = "sd-on-eks/queue-agent"
RUNTIME_FOLDER = "sd-on-eks"

_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")
"""The host of a private registry."""


@dataclass(frozen=True, slots=True)
class PrivateImage:
    """An image in somebody's ECR. ``version`` is a tag, or a digest that begins with ``sha256:``."""

    account: str
    region: str
    repository: str
    version: str

    @classmethod
    def of(cls, reference: str) -> Self | None:
        """None when ``reference`` is not in a private ECR."""
        host, _, rest = reference.partition("/")
        found = _ECR.fullmatch(host)
        if not found:
            return None
        repository, at, digest = rest.partition("@")
        name, _, tag = repository.partition(":")
        return cls(found["account"], found["region"], name, digest if at else tag or "latest")


def agent_tag() -> str:
    """The version of the queue agent that the chart runs."""
    version = yaml.safe_load((ROOT / "charts" / RUNTIME_CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"]
    return str(version)


def images_of(config: Config, account: Account) -> tuple[str, ...]:
    """Every image that the pods pull, each once: those that the stack builds, and those that the config names."""
    registry = config.add_ons.image_registry or account.registry
    built = {build.name: f"{account.registry}/{build.reference}" for build in image_builds(config)}
    found = [image for runtime in config.models_runtime for image in _images(runtime, registry, built)]
    return tuple(dict.fromkeys(found))


def brought_images(config: Config, account: Account) -> tuple[str, ...]:
    """Those of ``images_of`` that the stack does not build."""
    built = {f"{account.registry}/{build.reference}" for build in image_builds(config)}
    return tuple(image for image in images_of(config, account) if image not in built)


def digest_of(account: Account, reference: str) -> str | None:
    """The image's digest; None when it is missing. Only for images in private ECRs of the account's partition.

    Raises ClientError when ECR may not be asked.
    """
    image = PrivateImage.of(reference)
    if image is None:
        return None
    ecr = account.session.client("ecr", region_name=image.region, config=CLIENT)
    digest = image.version.startswith("sha256:")
    try:
        response = ecr.describe_images(
            registryId=image.account,
            repositoryName=image.repository,
            imageIds=[{"imageDigest": image.version} if digest else {"imageTag": image.version}],
        )
    except (ecr.exceptions.RepositoryNotFoundException, ecr.exceptions.ImageNotFoundException):
        return None
    return response["imageDetails"][0]["imageDigest"]


def image_folders() -> tuple[str, ...]:
    """Names of the folders below images/, each of which is the source of an image."""
    return tuple(sorted(path.parent.name for path in (ROOT / "images").glob("*/Dockerfile")))


def buildable(image: PrivateImage) -> str | None:
    """The name of the folder below images/ from which ``image`` is built; None for one of the user's own."""
    if (image.repository, image.version) == (AGENT_REPOSITORY, agent_tag()):
        return AGENT
    folder, _, name = image.repository.partition("/")
    ours = folder == RUNTIME_FOLDER and image.version == "latest" and name in image_folders()
    return name if ours else None


def missing(account: Account, references: tuple[str, ...]) -> list[str]:
    """Those that should be in the account's own ECR, and are not."""
    own = [one for one in references if one.startswith(f"{account.id}.dkr.ecr.") and PrivateImage.of(one)]
    return [one for one in own if digest_of(account, one) is None]


def _images(runtime: Runtime, registry: str, built: Mapping[str, str]) -> list[str]:
    """A chart of the user's own may have other defaults: of it only what is named counts."""
    values = values_at(runtime.extra_values, "runtime")
    ours = runtime.chart_repository is None
    kind = runtime.type.value
    named = [
        (values_at(values, "inferenceApi", "image"), built.get(kind), f"{RUNTIME_FOLDER}/{kind}", "latest"),
        (values_at(values, "queueAgent", "image"), built.get(AGENT), AGENT_REPOSITORY, agent_tag()),
    ]
    return [
        made if made and not image.get("repository") else _reference(image, name, tag, registry)
        for image, made, name, tag in named
        if ours or image.get("repository")
    ]


def _reference(image: Mapping[str, Any], name: str, tag: str, registry: str) -> str:
    repository = str(image.get("repository") or name)
    host, slash, _ = repository.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        repository = f"{registry.rstrip('/')}/{repository}"
    if image.get("digest"):
        return f"{repository}@{image['digest']}"
    return f"{repository}:{image.get('tag') or tag}"
