"""One embedded AWS for all tests of this folder; each starts with it empty."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra.config.model import parse_config
from test.support.aws import ACCOUNT, REGION, Aws, embedded
from utils.deploy import preflight
from utils.deploy.account import Account, KeptClients
from utils.deploy.finding import Subject
from utils.deploy.model_folders import FOLDERS


@pytest.fixture(scope="session")
def one_aws() -> Iterator[Aws]:
    with embedded() as aws:
        yield aws


@pytest.fixture
def aws(one_aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    one_aws.reset()
    for name, value in one_aws.environment.items():
        monkeypatch.setenv(name, value)
    return one_aws


@pytest.fixture
def account(aws: Aws) -> Account:
    return Account(KeptClients(region_name=REGION), ACCOUNT, "aws", REGION)


BUCKET = "my-models"

MODEL = "sd.safetensors"


def raw_config(**changes: Any) -> dict[str, Any]:
    runtime = {"name": "sd", "namespace": "sd", "type": "sdwebui", "modelFilename": MODEL}
    return {"modelBucketArn": f"arn:aws:s3:::{BUCKET}", "modelsRuntime": [runtime], **changes}


def with_values(values: Mapping[str, Any]) -> dict[str, Any]:
    raw = raw_config()
    raw["modelsRuntime"][0]["extraValues"] = values
    return raw


def findings(account: Account, raw: Mapping[str, Any] | None = None, *, docker: bool = False) -> list[str]:
    config = parse_config(raw or raw_config())
    return [str(one) for one in preflight.inspect(Subject(account=account, config=config, docker=docker))]


@pytest.fixture
def model_bucket(aws: Aws) -> None:
    """The user's bucket, with model and folders."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in (f"Stable-diffusion/{MODEL}", *(f"{folder}/.keep" for folder in FOLDERS)):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
