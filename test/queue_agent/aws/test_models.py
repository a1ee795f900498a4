"""The lean loader tells botocore the same as botocore's own, for the services that the agent calls."""

import pytest
from botocore.loaders import create_loader
from botocore.session import Session

from queue_agent.aws.models import OUR_SERVICES, lean_loader

REGIONS = ("us-east-1", "eu-west-1", "cn-north-1")


def _session(*, lean: bool) -> Session:
    session = Session()
    if lean:
        session.register_component("data_loader", lean_loader())
    return session


@pytest.mark.parametrize("service", sorted(OUR_SERVICES))
@pytest.mark.parametrize("part", ["service-2", "endpoint-rule-set-1", "paginators-1"])
def test_a_service_is_described_as_botocore_does(service: str, part: str) -> None:
    assert lean_loader().load_service_model(service, part) == create_loader().load_service_model(service, part)


@pytest.mark.parametrize("service", sorted(OUR_SERVICES))
@pytest.mark.parametrize("region", REGIONS)
def test_a_client_calls_the_same_address_as_a_usual_one(service: str, region: str) -> None:
    def address(session: Session) -> str:
        client = session.create_client(service, region, aws_access_key_id="a", aws_secret_access_key="b")
        return str(client.meta.endpoint_url)

    assert address(_session(lean=True)) == address(_session(lean=False))


def test_the_regions_of_a_service_are_all_there() -> None:
    lean, usual = (_session(lean=lean).get_available_regions("sqs") for lean in (True, False))
    assert lean == usual
    assert len(lean) > len(REGIONS)
