"""Signing in: what stands in the way is named, with what to do."""

import socket

import pytest
from botocore.config import Config

from utils.deploy import account
from utils.deploy.account import open_account
from utils.deploy.console import DeployError


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_a_terminal_of_the_local_platform_is_not_deployed_to(name: str) -> None:
    # Given
    environment = {"AWS_REGION": "us-west-2", name: "http://127.0.0.1:4566"}
    # When
    with pytest.raises(DeployError, match=f"{name} is set to http://127.0.0.1:4566") as caught:
        open_account(None, environment)
    # Then
    assert caught.value.fixes[0] == f"unset {name}"
    assert "ALLOW_AWS_ENDPOINT_URL=1" in caught.value.fixes[1]


def test_a_network_that_does_not_reach_aws_is_not_taken_for_missing_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(account, "CLIENT", Config(connect_timeout=5, retries={"total_max_attempts": 1}))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ALLOW_AWS_ENDPOINT_URL", "1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody_listens.getsockname()[1]}")

        with pytest.raises(DeployError) as caught:
            open_account("us-west-2")

    assert "AWS cannot be reached" in caught.value.problem
    assert any("network" in fix for fix in caught.value.fixes)
    assert "aws configure" not in str(caught.value)
