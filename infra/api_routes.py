"""The methods and resources of the REST API."""

from dataclasses import dataclass

from contract.image_kit import ROUTES

API_PATHS = ("/v1alpha1", "/v1alpha2")
"""What takes a task and answers with its place, by POST only."""


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """A method of a resource of the REST API. ``body``: it takes a JSON object; ``key``: it needs an API key."""

    method: str
    path: str
    body: bool = False
    key: bool = True


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


def api_routes(*, image_kit: bool) -> tuple[ApiRoute, ...]:
    """All routes; ``image_kit``: its synchronous ones, too."""
    return (*API_ROUTES, *(ApiRoute("POST", f"/{route}", body=True) for route in ROUTES if image_kit))
