"""Which resource a path is one of."""

import pytest

from utils.local.gateway_routes import Resources

RESOURCES = Resources([("POST", "/tasks"), ("GET", "/tasks"), ("GET", "/tasks/{id}"), ("POST", "/tasks/{id}/cancel")])


@pytest.mark.parametrize(
    ("path", "template", "methods", "params"),
    [
        ("/tasks", "/tasks", ("POST", "GET"), {}),
        ("tasks//", "/tasks", ("POST", "GET"), {}),
        ("/tasks/a%2Fb", "/tasks/{id}", ("GET",), {"id": "a/b"}),
        ("//tasks/x/cancel", "/tasks/{id}/cancel", ("POST",), {"id": "x"}),
    ],
)
def test_a_path_has_a_resource(path: str, template: str, methods: tuple[str, ...], params: dict[str, str]) -> None:
    found = RESOURCES.find(path)

    assert found is not None
    assert (found.template, found.methods, found.params) == (template, methods, params)


@pytest.mark.parametrize("path", ["", "/", "/tasks/x/stop", "/tasks/x/cancel/more", "/%74asks"])
def test_other_paths_have_none(path: str) -> None:
    assert RESOURCES.find(path) is None


def test_the_path_of_a_resource_is_decoded() -> None:
    found = RESOURCES.find("/tasks/a%20b/cancel")

    assert found is not None
    assert found.path == "/tasks/a b/cancel"
