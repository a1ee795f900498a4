"""The image kit as a Lambda function: a container image, which the stack builds or the config names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IDependable

from infra.constructs.function import FROM_IMAGE, Function, FunctionProps, FunctionSettings
from infra.images import ImageBuild

ARCHITECTURE = "x86_64"
"""As the image is."""

ENTRYPOINT = ("python", "-m", "awslambdaric")
COMMAND = ("image_kit.handler.handle",)
"""The image's own command is its HTTP server."""

TIMEOUT = cdk.Duration.seconds(29)
"""As long as API Gateway waits."""


@dataclass(frozen=True, slots=True)
class EcrImage:
    """An image in ECR; ``version`` is a tag or a digest."""

    account: str
    region: str
    repository: str
    version: str

    @classmethod
    def named(cls, uri: str) -> Self:
        """The image of a URI such as ``123456789012.dkr.ecr.us-west-2.amazonaws.com/kit:1``."""
        registry, _, name = uri.partition("/")
        account, _, _, region, *_ = registry.split(".")
        repository, _, version = name.partition("@" if "@" in name else ":")
        return cls(account, region, repository, version)

    @classmethod
    def built(cls, stack: cdk.Stack, build: ImageBuild) -> Self:
        """The image that a build of the stack pushes."""
        return cls(stack.account, stack.region, build.repository, build.tag)


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that the stack builds, and what is there once it can be read."""

    image: EcrImage
    ready: IDependable


class ImageKitFunction(Construct):
    """Answers the image kit's routes. ``role`` is granted nothing here."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: EcrImage,
        memory_mb: int,
        environment: Mapping[str, str],
        settings: FunctionSettings,
        tracing: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        made = Function(
            self,
            "Handler",
            FunctionProps(
                code=_code(self, image),
                handler=FROM_IMAGE,
                description="Enlarges images, cuts people out, and reads text",
                settings=replace(settings, architecture=ARCHITECTURE),
                timeout=TIMEOUT,
                memory_mb=memory_mb,
                environment=environment,
                tracing=tracing,
            ),
        )
        self.function = made.function
        self.role = made.role

    def after(self, *needed: IDependable) -> None:
        """Make the function once these are there: Lambda looks at an image when the function is made."""
        self.function.node.add_dependency(*needed)


def _code(scope: Construct, image: EcrImage) -> lambda_.Code:
    """The repository's own policy lets Lambda read the image."""
    arn = f"arn:{cdk.Aws.PARTITION}:ecr:{image.region}:{image.account}:repository/{image.repository}"
    place = ecr.Repository.from_repository_attributes(
        scope, "Repository", repository_arn=arn, repository_name=image.repository
    )
    return lambda_.EcrImageCode(place, tag_or_digest=image.version, cmd=list(COMMAND), entrypoint=list(ENTRYPOINT))
