"""The synchronous routes in the template: a method each."""

from typing import Any

import pytest

from contract.image_kit import ROUTES
from test.infra.configs import ONE
from test.infra.reading import of_type
from test.infra.synthesis import Synthesis, template_in

KIT = {"name": "kit", "namespace": "kit", "type": "imagekit"}
CONFIG = {**ONE, "modelsRuntime": [KIT], "sync": {"imageKit": {"runtime": "kit"}}}


@pytest.fixture(scope="session")
def template(synthesise: Synthesis) -> dict[str, Any]:
    return template_in(synthesise("sync", CONFIG))


def test_each_route_takes_post_with_a_key(template: dict[str, Any]) -> None:
    # Given
    paths = {name: one["PathPart"] for name, one in of_type(template, "AWS::ApiGateway::Resource").items()}
    methods = of_type(template, "AWS::ApiGateway::Method").values()

    # When
    routes = {paths.get(str(one["ResourceId"]).strip("<>")): one for one in methods}

    # Then
    assert set(ROUTES) <= set(routes)
    for route in ROUTES:
        assert (routes[route]["HttpMethod"], routes[route]["ApiKeyRequired"]) == ("POST", True)


def test_the_function_knows_the_runtime(template: dict[str, Any]) -> None:
    environments = [
        one["Environment"]["Variables"]
        for one in of_type(template, "AWS::Lambda::Function").values()
        if "RUNTIMES" in one.get("Environment", {}).get("Variables", {})
    ]

    assert [one["SYNC_IMAGE_KIT"] for one in environments] == ["kit"]
