"""The route of images from text in the environment."""

import pytest

from contract.policy import TaskPolicy
from contract.sync_routes import TextToImageRoute


@pytest.mark.parametrize(
    "route",
    [
        TextToImageRoute(runtime="sd"),
        TextToImageRoute(path="route", endpoint="Endpoint-1", policy=TaskPolicy(max_pixels=1000)),
    ],
)
def test_a_route_travels_through_the_environment(route: TextToImageRoute) -> None:
    assert TextToImageRoute.from_env(route.to_env()) == route


@pytest.mark.parametrize("text", ["", "[]", "{", '{"runtim": "sd"}', '{"policy": {"maxPixels": 0}}'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the route of images from text cannot be read"):
        TextToImageRoute.from_env(text)
