"""Builds an image of this project with Docker, or copies another one, into the account's ECR."""

import argparse
import re
import shutil
import sys
from collections.abc import Sequence

from infra.images import AGENT
from utils.deploy.account import open_account
from utils.deploy.console import DeployError, run, say, step
from utils.deploy.docker_images import AGAIN, AMD64, ARM64, build, docker, log_in, make_repository
from utils.deploy.images import image_folders

PLATFORMS = (AMD64, ARM64)

CONTROLLERS = ("karpenter/", "kedacore/", "aws-observability/")
"""Where addOns.imageRegistry is looked up for the controllers' images; all others run on GPU nodes."""

_TARGET = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*:\w[\w.-]{0,127}", re.ASCII)
"""A repository and a tag."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    arguments = _read(argv)
    return run(lambda: _publish(arguments), again=AGAIN)


def _publish(arguments: argparse.Namespace) -> None:
    if not shutil.which("docker"):
        raise DeployError(
            "Docker is needed, and is not on PATH",
            "https://docs.docker.com/engine/install/",
            "Or let the account build the images: leave images.build out of config.yaml, and run deploy/deploy.sh",
        )
    account = open_account(arguments.region)
    if arguments.copy:
        source, target = arguments.copy
        platform = arguments.platform or (ARM64 if target.startswith(CONTROLLERS) else AMD64)
        step(f"Copying {source} for {platform} to {account.registry}/{target}", "as long as the network takes")
        make_repository(account, target.partition(":")[0])
        docker("pull", "--platform", platform, source)
        docker("tag", source, f"{account.registry}/{target}")
        log_in(account)
        docker("push", f"{account.registry}/{target}")
        pushed = f"{account.registry}/{target}"
    else:
        platform = arguments.platform or AMD64
        step(f"Building {arguments.image} for {platform}", "2 minutes for the agent, up to 30 for a runtime")
        pushed = build(account, arguments.image, tag=arguments.tag, base=arguments.base, platform=platform)
    say(f"{pushed} is in ECR.")


def _platforms(text: str) -> str:
    if not set(text.split(",")) <= set(PLATFORMS):
        raise argparse.ArgumentTypeError(f"must be of {', '.join(PLATFORMS)}, got {text!r}")
    return text


def _read(argv: Sequence[str] | None) -> argparse.Namespace:
    """Exits with a message when they are wrong, before anything is made or pulled."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.copy:
        if not _TARGET.fullmatch(arguments.copy[1]):
            parser.error(
                f"{arguments.copy[1]!r} is not a repository and a tag; write it as in sd-on-eks/sdwebui:latest"
            )
        if "," in (arguments.platform or ""):
            parser.error("--copy takes one platform, because a tag that is copied holds the image of one")
        if arguments.base or arguments.tag:
            parser.error("--base and --tag are for building, and have no meaning with --copy")
    elif arguments.base and arguments.image != AGENT:
        parser.error(f"--base is for the image {AGENT} only")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build-and-push.sh", description=__doc__)
    add = parser.add_argument
    add("-R", "--region", help="default: the environment's, the profile's, or that of this machine")
    add("--image", choices=image_folders(), default=AGENT, help="what to build (default: %(default)s)")
    add("--tag", help="of the built image (default: the agent's version that the chart runs; latest for a runtime's)")
    add("--base", metavar="IMAGE", help="Python image that the agent's is built on (default: as in the Dockerfile)")
    add("--copy", nargs=2, metavar=("IMAGE", "NAME:TAG"), help="pull IMAGE, and push it to the account's NAME:TAG")
    add(
        "--platform",
        type=_platforms,
        metavar="LIST",
        help=f"linux/amd64 or linux/arm64; only the agent's image is also built for both, with a comma in between, for "
        f"which Docker needs a builder of its own (default: {AMD64}, as the GPU nodes are; for copies below "
        f"{', '.join(CONTROLLERS)} {ARM64}, as the controllers' nodes are)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
