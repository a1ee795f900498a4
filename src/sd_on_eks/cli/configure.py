"""``sdoneks config``: where the API is, and its key."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sd_on_eks.cli.options import State, json_option, pass_state
from sd_on_eks.config import Config, checked_endpoint, checked_key, file_path, write_file
from sd_on_eks.errors import ConfigError

RUNNING = Path(".platform") / "running.json"
"""Of a local platform, in its output folder."""

AWS_SECONDS = 60

_KEY_ID = re.compile(r"(?:id==`|--api-key )([A-Za-z0-9]+)")
"""In the stack's output GetAPIKeyCommand, which is a command for people."""


@click.group()
def config() -> None:
    """Show or save the endpoint and the API key."""


@config.command()
@json_option
@pass_state
def show(state: State) -> None:
    """Show what the command would use, the key except."""
    found = Config.of(state.endpoint)
    shown = {"endpoint": found.endpoint, "api_key": f"{len(found.api_key)} characters", "file": str(file_path())}
    state.screen.value(shown, "\n".join(f"{name} {value}" for name, value in shown.items()))


@config.command("set")
@click.argument("endpoint")
@click.option(
    "--key", prompt="API key", hide_input=True, envvar="SDONEKS_API_KEY", help="Better typed than given here."
)
@json_option
@pass_state
def set_values(state: State, endpoint: str, key: str) -> None:
    """Save ENDPOINT, the URL of the API's stage, and the key, which is asked for."""
    _save(state, Config(checked_endpoint(endpoint), checked_key(key)))


@config.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
@pass_state
def local(state: State, folder: Path) -> None:
    """Save those of the local platform that runs with the output FOLDER."""
    path = folder / RUNNING
    try:
        found = json.loads(path.read_text("utf-8"))
        saved = Config(checked_endpoint(found["endpoint"]), checked_key(found["api_key"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"no platform runs with the output folder {folder}: {path} cannot be read") from error
    _save(state, saved)


@config.command()
@click.argument("name", default="sdoneksStack")
@click.option("--region", help="The stack's region, where it is not the AWS CLI's own.")
@click.option("--client", help="Whose key, where the stack has several clients.")
@json_option
@pass_state
def stack(state: State, name: str, region: str | None, client: str | None) -> None:
    """Save those of the deployed stack NAME, read with the AWS CLI."""
    extra = ["--region", region] if region else []
    described = _aws("cloudformation", "describe-stacks", "--stack-name", name, *extra)
    outputs = {item["OutputKey"]: item["OutputValue"] for item in described["Stacks"][0].get("Outputs", ())}
    key = _aws("apigateway", "get-api-key", "--api-key", _key_id(outputs, client), "--include-value", *extra)
    if "FrontApiEndpoint" not in outputs:
        raise ConfigError(f"the stack {name} has no output FrontApiEndpoint")
    _save(state, Config(checked_endpoint(outputs["FrontApiEndpoint"]), checked_key(key["value"])))


def _key_id(outputs: Mapping[str, str], client: str | None) -> str:
    if client:
        keys = dict(pair.split("=", 1) for pair in outputs.get("ApiKeyIds", "").split(",") if "=" in pair)
        if client not in keys:
            raise ConfigError(f"the stack has no client {client!r}; it has {', '.join(keys) or 'none with a name'}")
        return keys[client]
    if "GetAPIKeyCommand" not in outputs:
        raise ConfigError("the stack's API has no keys (APIGW.auth of its config), which this command needs")
    found = _KEY_ID.search(outputs["GetAPIKeyCommand"])
    if found is None:
        raise ConfigError("the stack's output GetAPIKeyCommand names no API key")
    return found[1]


def _aws(*arguments: str) -> Any:
    program = shutil.which("aws")
    if program is None:
        raise ConfigError("the AWS CLI is not on PATH; install it, or use 'sdoneks config set'")
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are ours, and no shell reads them
            [program, *arguments, "--output", "json"], capture_output=True, text=True, timeout=AWS_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        raise ConfigError(f"aws {arguments[0]} {arguments[1]} failed: {error.stderr.strip()}") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"aws {arguments[0]} {arguments[1]} did not end within {AWS_SECONDS} s") from error
    return json.loads(done.stdout)


def _save(state: State, saved: Config) -> None:
    path = file_path()
    write_file(path, saved)
    state.screen.value({"endpoint": saved.endpoint, "file": str(path)}, f"saved {saved.endpoint} and its key in {path}")
