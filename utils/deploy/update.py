"""Bring a stack to what config.yaml and the project's files say now: show the changes, ask, deploy."""

import argparse
import sys
from collections.abc import Sequence

from infra.topology import topology_of
from utils.deploy import images, stack
from utils.deploy.__main__ import AGAIN, CONFIG, check_images, checked_config
from utils.deploy.account import open_account
from utils.deploy.console import DeployError, ask, run, step
from utils.deploy.farewell import farewell


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(words)
    return run(lambda: _update(arguments), again=AGAIN)


def _update(arguments: argparse.Namespace) -> None:
    account = open_account(arguments.region)
    config = checked_config(account, CONFIG)
    name = topology_of(config).stack_name
    stack.outputs(account, name)
    check_images(account, images.images_of(config, account), yes=arguments.yes)
    cdk = stack.Cdk.find(account, CONFIG, own_tools=arguments.own_tools)
    step(f"What would change in {name}", "about a minute")
    cdk("diff", name)
    if not ask("Deploy these changes?", yes=arguments.yes):
        raise DeployError(f"{name} was left as it is")
    step(f"Updating {name}", "minutes, or up to 30 for the cluster")
    cdk(*stack.DEPLOY, name)
    farewell(account, name, config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="update.sh", description=__doc__)
    add = parser.add_argument
    add("-R", "--region", help="default: the environment's, the profile's, or that of this machine")
    add("-T", "--skip-tools", dest="own_tools", action="store_true", help="install nothing; use the cdk on PATH")
    add("-y", "--yes", action="store_true", help="answer every question with yes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
