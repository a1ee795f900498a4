"""Which resource of the REST API a path is one of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource, and of a request's path the variable parts, decoded, as API Gateway hands them to a function."""

    template: str
    methods: tuple[str, ...]
    params: Mapping[str, str]

    @property
    def path(self) -> str:
        """The path itself, decoded."""
        return "/" + "/".join(self.params.get(name.strip("{}"), name) for name in _names(self.template))


class Resources:
    """The resources of an API. ``routes`` are pairs of a method and a resource, such as ``/v1alpha2/tasks/{id}``."""

    def __init__(self, routes: Sequence[tuple[str, str]]) -> None:
        templates = dict.fromkeys(template for _, template in routes)
        self._resources = [
            Resource(template, tuple(method for method, path in routes if path == template), {})
            for template in templates
        ]
        self.templates = tuple(templates)

    def find(self, path: str) -> Resource | None:
        """The resource of a path as it came. Empty parts are left out: API Gateway hands those to the resource of all
        other paths, where the function does the same."""
        names = _names(path)
        for resource in self._resources:
            expected = _names(resource.template)
            if len(expected) == len(names) and all(_fits(one, name) for one, name in zip(expected, names, strict=True)):
                pairs = zip(expected, names, strict=True)
                return replace(
                    resource, params={one.strip("{}"): unquote(name) for one, name in pairs if one[0] == "{"}
                )
        return None


def _fits(expected: str, name: str) -> bool:
    return expected.startswith("{") or expected == name


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]
