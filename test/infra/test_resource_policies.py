"""What queues, topics, buckets, keys, repositories and roles let others do, and what the stack would tell to whom."""

from collections.abc import Iterator
from typing import Any

import pytest

from test.infra.reading import plain

DOCUMENTS = (
    "AssumeRolePolicyDocument",
    "KeyPolicy",
    "Policy",
    "PolicyDocument",
    "PolicyText",
    "RepositoryPolicyText",
    "ResourcePolicy",
)
"""Where resources keep a policy, by the name of the property."""

SECRETIVE = ("api_key", "password", "secret", "token")
"""Parts of names of variables that would hold a secret."""


@pytest.fixture(params=["default", "three", "shared", "everything", "china", "signed", "opened"])
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    made: dict[str, Any] = request.getfixturevalue(request.param)
    return made


def statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy, with its resource's logical id."""
    for name, resource in template["Resources"].items():
        properties = plain(resource.get("Properties", {}))
        for document in DOCUMENTS:
            policy = properties.get(document)
            if isinstance(policy, dict):
                yield from ((name, statement) for statement in policy["Statement"])


def test_whoever_is_let_in_without_a_name_meets_a_condition(template: dict[str, Any]) -> None:
    found = list(statements(template))
    everybody = [
        (name, one)
        for name, one in found
        if one["Effect"] == "Allow" and one.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    ]

    assert len(found) > 20
    assert [name for name, one in everybody if not one.get("Condition")] == []


def test_no_statement_is_by_exception(template: dict[str, Any]) -> None:
    exceptions = ("NotAction", "NotPrincipal", "NotResource")

    assert [name for name, one in statements(template) if any(key in one for key in exceptions)] == []


def test_a_policy_of_a_resource_gives_every_action_to_nobody_but_the_account(template: dict[str, Any]) -> None:
    every = [
        (name, one)
        for name, one in statements(template)
        if one["Effect"] == "Allow" and "Principal" in one and _wild(one["Action"])
    ]

    # A key without its account could never be changed again.
    assert {str(one["Principal"].get("AWS")).endswith(":root") for _, one in every} <= {True}
    assert {template["Resources"][name]["Type"] for name, _ in every} <= {"AWS::KMS::Key"}


def test_no_function_has_a_secret_in_its_environment(template: dict[str, Any]) -> None:
    functions = [one for one in template["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
    names = {name for one in functions for name in one["Properties"].get("Environment", {}).get("Variables", {})}

    assert functions
    assert [name for name in names if any(part in name.lower() for part in SECRETIVE)] == []


def test_no_output_tells_an_api_key(template: dict[str, Any]) -> None:
    keys = {name for name, one in template["Resources"].items() if one["Type"] == "AWS::ApiGateway::ApiKey"}
    values = [template["Resources"][name]["Properties"].get("Value") for name in keys]

    assert bool(keys) == ("GetAPIKeyCommand" in template["Outputs"])
    # The key itself is made by API Gateway; the template and the outputs have its id at most.
    assert values == [None] * len(keys)


def _wild(action: str | list[str]) -> bool:
    return any(one == "*" or one.endswith(":*") for one in ([action] if isinstance(action, str) else action))
