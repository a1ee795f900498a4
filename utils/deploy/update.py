"""Update a stack to the present config.yaml and project files: check, show the changes, ask, deploy."""

import argparse
import sys
from collections.abc import Sequence

from infra.topology import topology_of
from utils.deploy import image_builds, preflight, stack
from utils.deploy.account import open_account
from utils.deploy.console import DeployError, ask, run, step
from utils.deploy.finding import Subject
from utils.deploy.next_steps import show_next_steps
from utils.deploy.plan import CONFIG, checked_config

AGAIN = "Run the same command again; it continues from here."


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    arguments = _parser().parse_args(argv)
    return run(lambda: _update(arguments), again=AGAIN)


def _update(arguments: argparse.Namespace) -> None:
    account = open_account(arguments.region)
    config = checked_config(account, CONFIG)
    name = topology_of(config).stack_name
    stack.outputs(account, name)
    findings = preflight.inspect(Subject(account=account, config=config))
    preflight.show(findings)
    preflight.stop_on_errors(findings)
    cdk = stack.Cdk.find(account, CONFIG, own_tools=arguments.own_tools)
    step(f"What would change in {name}", "about a minute")
    cdk("diff", name)
    if not ask("Deploy these changes?", yes=arguments.yes):
        raise DeployError(f"{name} was left as it is")
    step(f"Updating {name}", "minutes, or up to 30 for the cluster")
    cdk(*stack.DEPLOY, name)
    image_builds.wait_for_images(account, config)
    show_next_steps(account, name, config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="update.sh", description=__doc__)
    add = parser.add_argument
    add("-R", "--region", help="default: the environment's, the profile's, or that of this machine")
    add("-T", "--skip-tools", dest="own_tools", action="store_true", help="install nothing; use the cdk on PATH")
    add("-y", "--yes", action="store_true", help="answer every question with yes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
