"""The command for a client's webhook secret, on a moto server."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from contract.webhook_secret import key_of
from sd_on_eks.cli.app import run
from test.support.moto_server import running_moto
from test.support.platform import CONFIG, addresses_of
from utils.local import running
from utils.operate.command import ops
from utils.operate.webhook_secret import rotate
from webhook_lambda.signing_keys import SigningKeys

DAY = 86_400


@dataclass
class Secrets:
    """A stack's folder of secrets, and the command on it."""

    client: Any
    stack: str
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code and what was printed."""
        where = ("--config", str(self.folder / "config.yaml"), "--output", str(self.folder))
        code = run(["webhook-secret", *where, *arguments], ops)
        return code, *self.capsys.readouterr()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_moto() as url:
        yield url


@pytest.fixture
def secrets(endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Secrets:
    stack = f"s{uuid.uuid4().hex[:10]}"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "stackName": stack}))
    (tmp_path / ".platform").mkdir()
    running.write(tmp_path, addresses_of(endpoint))
    client = boto3.Session("x", "x").client("secretsmanager", region_name="us-east-1", endpoint_url=endpoint)
    client.create_secret(Name=f"{stack}/webhooks/default", SecretString="A" * 40)
    return Secrets(client, stack, tmp_path, capsys)


def test_the_secret_is_shown_as_libraries_take_it(secrets: Secrets) -> None:
    assert secrets.run() == (0, f"whsec_{'A' * 40}\n", "")
    assert secrets.run("--client", "default") == (0, f"whsec_{'A' * 40}\n", "")
    assert json.loads(secrets.run("--json")[1])["secret"] == f"whsec_{'A' * 40}"


def test_a_rotation_makes_a_new_secret_and_both_sign(secrets: Secrets) -> None:
    code, printed, note = secrets.run("--rotate")
    assert code == 0
    assert "24 h" in note
    assert printed != f"whsec_{'A' * 40}\n"
    assert secrets.run()[1] == printed
    keys = SigningKeys(secrets.client, f"{secrets.stack}/webhooks").of("default")
    assert keys == (key_of(printed), key_of("A" * 40))


def test_a_second_rotation_within_a_day_is_refused_unless_forced(secrets: Secrets) -> None:
    _, first, _ = secrets.run("--rotate")
    code, printed, error = secrets.run("--rotate")
    assert (code, printed) == (2, "")
    assert "--force" in error
    assert secrets.run()[1] == first
    assert secrets.run("--rotate", "--force")[1] != first
    second = secrets.run()[1]
    rotate(secrets.client, f"{secrets.stack}/webhooks/default", force=False, now=time.time() + DAY)
    assert secrets.run()[1] != second


def test_an_unknown_client_and_a_missing_stack_are_errors(secrets: Secrets) -> None:
    code, _, error = secrets.run("--client", "nobody")
    assert code == 2
    assert "'nobody'" in error
    assert "default" in error
    secrets.client.delete_secret(SecretId=f"{secrets.stack}/webhooks/default", ForceDeleteWithoutRecovery=True)
    code, _, error = secrets.run()
    assert code == 2
    assert f"{secrets.stack}/webhooks/default" in error


def test_each_of_several_clients_has_its_own(secrets: Secrets) -> None:
    clients = [{"name": "web"}, {"name": "batch"}]
    (secrets.folder / "config.yaml").write_text(
        yaml.safe_dump({**CONFIG, "stackName": secrets.stack, "clients": clients})
    )
    for letter, client in zip("BC", clients, strict=True):
        secrets.client.create_secret(Name=f"{secrets.stack}/webhooks/{client['name']}", SecretString=letter * 40)
    code, _, error = secrets.run()
    assert (code, error) == (2, "error: --client must name one of web, batch\n")
    assert secrets.run("--client", "web", "--rotate")[0] == 0
    assert secrets.run("--client", "batch")[1] == f"whsec_{'C' * 40}\n"
    assert secrets.run("--client", "web")[1] != f"whsec_{'B' * 40}\n"
