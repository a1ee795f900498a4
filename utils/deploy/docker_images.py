"""Images built with Docker on this machine, for those who prefer it to builds in the account."""

import base64
import shutil
import subprocess

from infra.config.model import Config
from infra.images import AGENT
from utils.deploy import images
from utils.deploy.account import CLIENT, Account
from utils.deploy.config_file import ROOT
from utils.deploy.console import DeployError, ask, say, step
from utils.deploy.images import AGENT_REPOSITORY, RUNTIME_FOLDER, PrivateImage, agent_tag

AMD64, ARM64 = "linux/amd64", "linux/arm64"
"""What the GPU instances of the default config are, and what its controllers' nodes are."""

AGAIN = "Run the same command again; what is built already is not built again."


def build_missing(account: Account, config: Config, *, yes: bool) -> None:
    """Build what the pods pull and ECR lacks. Raises DeployError where a build is not agreed to, or fails."""
    for image in images.missing(account, images.brought_images(config, account)):
        private = PrivateImage.of(image)
        name = images.buildable(private) if private else None
        if private is None or name is None:
            continue  # the checks have reported it
        if not ask(f"{image} is not in ECR. Build it with Docker now?", yes=yes):
            raise DeployError(f"{image} is not in ECR", "Agree to build it, or leave out --docker.")
        step(f"Building {image}", "2 minutes for the agent, up to 30 for a runtime")
        build(account, name, tag=private.version)


def build(
    account: Account, name: str, *, tag: str | None = None, base: str | None = None, platform: str = AMD64
) -> str:
    """Build the image of the folder images/``name`` and push it. Returns its full name. Raises DeployError.

    ``base``: the Python image of the agent's; ``platform``: one or several of Docker's, with commas in between.
    """
    tag = tag or (agent_tag() if name == AGENT else "latest")
    repository = AGENT_REPOSITORY if name == AGENT else f"{RUNTIME_FOLDER}/{name}"
    target = f"{account.registry}/{repository}:{tag}"
    make_repository(account, repository)
    log_in(account)
    arguments = ["--platform", platform, "--build-arg", f"VERSION={tag}"]
    arguments += ["--build-arg", f"PYTHON={base}"] if base else []
    arguments += ["--file", str(ROOT / "images" / name / "Dockerfile"), "--tag", target, "--push", str(ROOT)]
    docker("buildx", "build", *arguments)
    return target


def docker(*arguments: str, stdin: str | None = None) -> None:
    """Run it, with its output on the terminal. Raises DeployError when it is missing or fails."""
    if not shutil.which("docker"):
        raise DeployError("Docker is needed, and is not on PATH", "https://docs.docker.com/engine/install/")
    ended = subprocess.run(["docker", *arguments], input=stdin, text=True, check=False)  # noqa: S603, S607 (the user's own)
    if ended.returncode:
        raise DeployError(f"docker {arguments[0]} failed with exit code {ended.returncode}, see above", AGAIN)


def make_repository(account: Account, name: str) -> None:
    """In the account's ECR, unless it exists."""
    ecr = account.session.client("ecr", config=CLIENT)
    try:
        ecr.create_repository(repositoryName=name, imageScanningConfiguration={"scanOnPush": True})
    except ecr.exceptions.RepositoryAlreadyExistsException:
        return
    say(f"    made the repository {name}")


def log_in(account: Account) -> None:
    """Give Docker a password for the account's ECR, which is valid for 12 hours."""
    token = account.session.client("ecr", config=CLIENT).get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(token["authorizationToken"]).decode().partition(":")
    docker("login", "--username", user, "--password-stdin", account.registry, stdin=password)
