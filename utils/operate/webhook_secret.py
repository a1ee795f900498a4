"""``sdoneks ops webhook-secret``: the secret that a client's webhooks are signed with."""

import time
from pathlib import Path
from typing import Any

import click

from contract.webhook_secret import CURRENT, OVERLAP_SECONDS, PREVIOUS, new_secret, shown_secret
from infra.config.model import load_config
from infra.topology import topology_of
from sd_on_eks.cli.options import State, json_option, pass_state
from utils.operate.clients import client
from utils.operate.errors import CannotAct, reported
from utils.operate.options import output_of, stack_options

HOUR = 3600


@click.command("webhook-secret")
@click.option("--client", "owner", metavar="NAME", help="Of clients in config.yaml; not needed when there is one.")
@click.option("--rotate", "replace", is_flag=True, help="Replace the secret, then print the new one.")
@click.option("--force", is_flag=True, help="Rotate also within a day of the last rotation.")
@stack_options
@json_option
@pass_state
def command(
    state: State,
    *,
    owner: str | None,
    replace: bool,
    force: bool,
    config: Path,
    local: bool,
    output: Path | None,
) -> None:
    """Show or rotate the secret that signs a client's webhooks.

    It is printed as libraries for Standard Webhooks take it. For a day after a rotation webhooks carry two signatures,
    one by the new secret and one by the secret before it: receivers can change theirs at any time in between.
    """
    with reported():
        name = _name(config, owner)
        secrets = client("secretsmanager", output_of(local=local, output=output))
        if replace:
            rotate(secrets, name, force=force, now=time.time())
            state.screen.hint(f"rotated; the secret before it signs, too, for {OVERLAP_SECONDS // HOUR} h")
        secret = shown_secret(_read(secrets, name, CURRENT)["SecretString"])
    state.screen.value({"name": name, "secret": secret}, secret)


def rotate(secrets: Any, name: str, *, force: bool, now: float) -> None:
    """Replace the secret ``name``. ``now`` in epoch seconds. Raises CannotAct within a day of the last rotation, since
    the secret before the present one is lost, and a receiver that still has it is cut off; with ``force`` it does so.
    """
    age = now - _read(secrets, name, CURRENT)["CreatedDate"].timestamp()
    if age < OVERLAP_SECONDS and not force and _has_previous(secrets, name):
        wait = max(1, round((OVERLAP_SECONDS - age) / HOUR))
        raise CannotAct(
            f"the secret is less than a day old, and receivers may still use the one before it, which another rotation "
            f"would end; wait {wait} h, or give --force"
        )
    secrets.put_secret_value(SecretId=name, SecretString=new_secret())


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
