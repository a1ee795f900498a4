"""One embedded AWS for all tests of this folder; each starts with it empty."""

from collections.abc import Iterator

import pytest

from test.support.aws import ACCOUNT, REGION, Aws, embedded
from utils.deploy.account import Account, KeptClients


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
