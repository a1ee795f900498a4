"""How many resources a stack takes, of the 500 that CloudFormation lets it have. A test counts them in templates."""

from collections.abc import Mapping
from typing import Any

from contract.image_kit import ROUTES

MAX_RESOURCES = 500
"""Of a stack."""

PLATFORM_RESOURCES, RUNTIME_RESOURCES, CLIENT_RESOURCES = 245, 7, 4
"""The first is at most, without what ``sync`` and ``APIGW`` add."""

MAX_RUNTIMES = 35
"""The rest is left for clients."""

ROUTE_RESOURCES = 3
"""A resource of the API, its method, and the permission to call the function."""

FUNCTION_RESOURCES = 20
"""The image kit's function and the hook that waits for its image, each with role, policy and log group, and the image's
repository, project and policy."""

MOST_API_RESOURCES = 8
"""A VPC endpoint with its security group, or a domain with its mapping; and what they do not share with API keys."""


def platform_resources(raw: Mapping[str, Any]) -> int:
    """The most that are not a runtime's or a client's."""
    sync, api = _mapping(raw, "sync"), _mapping(raw, "APIGW")
    kit = _mapping(sync, "imageKit")
    count = PLATFORM_RESOURCES
    count += len(ROUTES) * ROUTE_RESOURCES if kit else 0
    count += FUNCTION_RESOURCES if kit.get("backend") == "function" else 0
    count += ROUTE_RESOURCES if "textToImage" in sync else 0
    count += MOST_API_RESOURCES if api.get("endpoint") == "PRIVATE" or "domain" in api else 0
    return count


def _mapping(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, Mapping) else {}
