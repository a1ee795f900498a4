"""Whether the images that the pods pull are there, or can be built."""

import shutil
from collections.abc import Iterator

from infra.images import image_builds
from utils.deploy import images
from utils.deploy.account import CLIENT
from utils.deploy.finding import Finding, Subject, error, warning

CONCURRENT_BUILDS = "Concurrently running builds for Linux/"
"""How CodeBuild's quotas begin that some new accounts have at zero; the environment's size follows."""


def check(subject: Subject) -> Iterator[Finding]:
    """What the stack does not build must be in ECR. Images in other registries are not looked at."""
    account = subject.account
    for image in images.missing(account, images.brought_images(subject.config, account)):
        private = images.PrivateImage.of(image)
        assert private is not None
        name = images.buildable(private)
        if name is None:
            yield error(
                f"{image} is not in ECR",
                f"Copy it there: deploy/build-and-push.sh --copy IMAGE {private.repository}:{private.version}",
                "Or name where it is: -i REPOSITORY:TAG, or runtime.inferenceApi.image in config.yaml.",
            )
        elif not subject.docker:
            yield error(
                f"{image} is not in ECR, and the stack does not build it (images.build in config.yaml)",
                f"On a machine with Docker: deploy/build-and-push.sh -R {account.region} --image {name}",
                "Or leave images.build out of config.yaml, and it is built in the account.",
            )
        elif not shutil.which("docker"):
            yield error(
                f"{image} is not in ECR, and Docker is not on PATH to build it",
                "Leave out --docker, and it is built in the account.",
                f"On a machine with Docker: deploy/build-and-push.sh -R {account.region} --image {name}",
            )
    yield from _builds(subject)


def _builds(subject: Subject) -> Iterator[Finding]:
    """Whether CodeBuild runs builds for this account at all."""
    if not image_builds(subject.config):
        return
    client = subject.account.session.client("service-quotas", config=CLIENT)
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="codebuild")
    for quota in (one for page in pages for one in page["Quotas"]):
        size = quota["QuotaName"].removeprefix(CONCURRENT_BUILDS)
        if size in {"Small environment", "Medium environment"} and quota["Value"] < 1:
            yield warning(
                f"the account's CodeBuild quota '{quota['QuotaName']}' is 0, so that images cannot be built in it",
                "Ask for 1 in Service Quotas, or build with Docker: --docker",
            )
