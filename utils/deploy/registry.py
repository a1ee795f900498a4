"""Builds the queue agent's image, or copies a runtime's, into the account's ECR. Needs Docker."""

import argparse
import base64
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence

from utils.deploy.account import CLIENT, Account, open_account
from utils.deploy.config_file import ROOT
from utils.deploy.console import DeployError, run, say, step
from utils.deploy.images import AGENT_REPOSITORY, agent_tag

DOCKERFILE = ROOT / "images" / "queue-agent" / "Dockerfile"

PLATFORMS = ("linux/amd64", "linux/arm64")
AMD64, ARM64 = PLATFORMS
"""What the GPU instances of the default config are, and what its controllers' nodes are."""

CONTROLLERS = ("karpenter/", "kedacore/", "aws-observability/")
"""Where addOns.imageRegistry is looked up for the controllers' images; all others run on GPU nodes."""

AGAIN = "Run the same command again; what is built already is not built again."

_TARGET = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*:\w[\w.-]{0,127}", re.ASCII)
"""A repository and a tag."""


def main(words: Sequence[str] | None = None) -> int:
    arguments = _read(words)
    return run(lambda: _publish(arguments), again=AGAIN)


def _publish(arguments: argparse.Namespace) -> None:
    if not shutil.which("docker"):
        raise DeployError("Docker is needed, and is not on PATH", "https://docs.docker.com/engine/install/")
    account = open_account(arguments.region)
    if arguments.copy:
        source, target = arguments.copy
        platform = arguments.platform or (ARM64 if target.startswith(CONTROLLERS) else AMD64)
        step(f"Copying {source} for {platform} to {account.registry}/{target}", "as long as the network takes")
        _make_repository(account, target.partition(":")[0])
        docker("pull", "--platform", platform, source)
        docker("tag", source, f"{account.registry}/{target}")
        _log_in(account)
        docker("push", f"{account.registry}/{target}")
    else:
        tag = arguments.tag or agent_tag()
        target = f"{AGENT_REPOSITORY}:{tag}"
        platform = arguments.platform or AMD64
        step(f"Building {account.registry}/{target} for {platform}", "about 2 minutes")
        _make_repository(account, AGENT_REPOSITORY)
        _log_in(account)
        words = ["--platform", platform, "--build-arg", f"VERSION={tag}"]
        words += ["--build-arg", f"PYTHON={arguments.base}"] if arguments.base else []
        words += ["--file", str(DOCKERFILE), "--tag", f"{account.registry}/{target}", "--push", str(ROOT)]
        docker("buildx", "build", *words)
    say(f"{account.registry}/{target} is there.")


def docker(*words: str, given: str | None = None) -> None:
    """Run it, with its output on the terminal; ``given`` goes to its input. Raises DeployError when it fails."""
    ended = subprocess.run(["docker", *words], input=given, text=True, check=False)  # noqa: S603, S607 (the user's own)
    if ended.returncode:
        raise DeployError(f"docker {words[0]} failed with exit code {ended.returncode}, see above", AGAIN)


def _make_repository(account: Account, name: str) -> None:
    ecr = account.session.client("ecr", config=CLIENT)
    try:
        ecr.create_repository(repositoryName=name, imageScanningConfiguration={"scanOnPush": True})
    except ecr.exceptions.RepositoryAlreadyExistsException:
        return
    say(f"    made the repository {name}")


def _log_in(account: Account) -> None:
    token = account.session.client("ecr", config=CLIENT).get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(token["authorizationToken"]).decode().partition(":")
    docker("login", "--username", user, "--password-stdin", account.registry, given=password)


def _platforms(text: str) -> str:
    if not set(text.split(",")) <= set(PLATFORMS):
        raise argparse.ArgumentTypeError(f"must be of {', '.join(PLATFORMS)}, got {text!r}")
    return text


def _read(words: Sequence[str] | None) -> argparse.Namespace:
    """Exits with a message when they are wrong, before anything is made or pulled."""
    parser = _parser()
    arguments = parser.parse_args(words)
    if arguments.copy:
        if not _TARGET.fullmatch(arguments.copy[1]):
            parser.error(
                f"{arguments.copy[1]!r} is not a repository and a tag; write it as in sd-on-eks/sdwebui:latest"
            )
        if "," in (arguments.platform or ""):
            parser.error("--copy takes one platform, because a tag that is copied holds the image of one")
        if arguments.base or arguments.tag:
            parser.error("--base and --tag are of the agent's image, and have no meaning with --copy")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build-and-push.sh", description=__doc__)
    add = parser.add_argument
    add("-R", "--region", help="default: the environment's, the profile's, or that of this machine")
    add("--tag", help="of the agent's image (default: the version that the chart runs)")
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
