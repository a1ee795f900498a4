"""The methods and resources of the REST API."""

from dataclasses import dataclass
from enum import StrEnum

from contract.image_kit import ROUTES

API_PATHS = ("/v1alpha1", "/v1alpha2")
"""What takes a task and answers with its place, by POST only."""


class Function(StrEnum):
    """What answers a route."""

    FRONT_DOOR = "front-door"
    IMAGE_KIT = "image-kit"


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """A method of a resource of the REST API. ``body``: it takes a JSON object; ``key``: it needs an API key."""

    method: str
    path: str
    body: bool = False
    key: bool = True
    function: Function = Function.FRONT_DOOR


API_ROUTES = (
    *(ApiRoute("POST", path, body=True) for path in API_PATHS),
    ApiRoute("POST", "/v1alpha2/tasks", body=True),
    ApiRoute("GET", "/v1alpha2/tasks"),
    ApiRoute("GET", "/v1alpha2/tasks/{id}"),
    ApiRoute("POST", "/v1alpha2/tasks/{id}/cancel"),
    ApiRoute("GET", "/v1alpha2/tasks/{id}/outputs/{n}"),
    ApiRoute("POST", "/v1alpha2/files", body=True),
    ApiRoute("GET", "/v1alpha2/runtimes"),
    ApiRoute("GET", "/console", key=False),
)
"""All that the front door answers to."""


def api_routes(*, image_kit: Function | None = None, text_to_image: str | None = None) -> tuple[ApiRoute, ...]:
    """All routes. ``image_kit``: what answers its synchronous ones; ``text_to_image``: the path of images from text,
    without a slash. None: there are no such routes."""
    kit = (ApiRoute("POST", f"/{route}", body=True, function=image_kit) for route in ROUTES) if image_kit else ()
    text = (ApiRoute("GET", f"/{text_to_image}"),) if text_to_image else ()
    return (*API_ROUTES, *kit, *text)
