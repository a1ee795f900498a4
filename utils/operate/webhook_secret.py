"""The secret that a client's webhooks are signed with: show it, or replace it.

  python -m utils.operate.webhook_secret [--client NAME]
  python -m utils.operate.webhook_secret --rotate [--client NAME]

Prints the secret as libraries for Standard Webhooks take it. For a day after a rotation webhooks carry two signatures,
one by the new secret and one by the secret before it, so that receivers can change theirs at any time in between. Works
on the stack of the account and region that the AWS variables name, or on a running local platform (--local).
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contract.webhook_secret import CURRENT, OVERLAP_SECONDS, PREVIOUS, new_secret, shown_secret
from infra.config.errors import ConfigError
from infra.config.model import load_config
from infra.topology import topology_of
from utils.local.running import NotRunning
from utils.local.services import ROOT
from utils.operate.clients import client

HOUR = 3600


class CannotAct(Exception):
    """The text says what to change."""


def main(argv: Sequence[str] | None = None, *, clock: Callable[[], float] = time.time) -> int:
    """Do what the command line says. Returns 0, or 2 when it could not be done."""
    arguments = _parser().parse_args(argv)
    try:
        name = _name(arguments.config, arguments.client)
        secrets = client("secretsmanager", arguments.local)
        if arguments.rotate:
            _rotate(secrets, name, force=arguments.force, now=clock())
        print(shown_secret(_read(secrets, name, CURRENT)["SecretString"]))
    except (ConfigError, CannotAct, NotRunning) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (BotoCoreError, ClientError) as error:
        print(f"error: AWS refused the call: {error}", file=sys.stderr)
        return 2
    return 0


def _rotate(secrets: Any, name: str, *, force: bool, now: float) -> None:
    """The secret before the present one is lost, so a receiver that still has that is cut off."""
    age = now - _read(secrets, name, CURRENT)["CreatedDate"].timestamp()
    if age < OVERLAP_SECONDS and not force and _has_previous(secrets, name):
        wait = max(1, round((OVERLAP_SECONDS - age) / HOUR))
        raise CannotAct(
            f"the secret is less than a day old, and receivers may still use the one before it, which another rotation "
            f"would end; wait {wait} h, or give --force"
        )
    secrets.put_secret_value(SecretId=name, SecretString=new_secret())
    print(f"rotated; the secret before it signs, too, for {OVERLAP_SECONDS // HOUR} h", file=sys.stderr)


def _has_previous(secrets: Any, name: str) -> bool:
    try:
        secrets.get_secret_value(SecretId=name, VersionStage=PREVIOUS)
    except secrets.exceptions.ResourceNotFoundException:
        return False
    return True


def _read(secrets: Any, name: str, stage: str) -> Any:
    try:
        return secrets.get_secret_value(SecretId=name, VersionStage=stage)
    except secrets.exceptions.ResourceNotFoundException as error:
        raise CannotAct(f"there is no secret {name} in {secrets.meta.region_name}; is the stack there?") from error


def _name(config: Path, asked: str | None) -> str:
    names = topology_of(load_config(config)).webhooks.secret_names
    if asked is None:
        if len(names) > 1:
            raise CannotAct(f"--client must name one of {', '.join(names)}")
        (asked,) = names
    if asked not in names:
        raise CannotAct(f"{config} has no client {asked!r}; it has {', '.join(names)}; name another file with --config")
    return names[asked]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m utils.operate.webhook_secret",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--client", metavar="NAME", help="of clients in config.yaml; not needed when there is one")
    parser.add_argument("--rotate", action="store_true", help="replace the secret, then print the new one")
    parser.add_argument("--force", action="store_true", help="rotate also within a day of the last rotation")
    parser.add_argument("--config", type=Path, default=ROOT / "config.yaml", metavar="PATH")
    parser.add_argument("--local", action="store_const", const=ROOT / "output", help="the local platform")
    parser.add_argument("--output", dest="local", type=Path, metavar="DIR", help="the local platform of this folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
