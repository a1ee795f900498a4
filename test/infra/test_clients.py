"""Clients of the config on AWS: a key and a usage plan each, which the front door's function knows."""

import json
from typing import Any

from contract.clients import Clients
from test.infra.reading import of_type, plain, the_one

PLAN, PLAN_KEY, KEY = "AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey", "AWS::ApiGateway::ApiKey"


def test_each_client_has_a_key_and_a_plan_of_its_own(shared: dict[str, Any]) -> None:
    # When
    keys, plans = of_type(shared, KEY), of_type(shared, PLAN)
    (default_plan, batch_plan) = sorted(plans, key=len)
    (default_key, batch_key) = sorted(keys, key=len)
    limits = {name: {key: plan.get(key) for key in ("Throttle", "Quota")} for name, plan in plans.items()}

    # Then what a client does not set is that of all
    assert limits == {
        default_plan: {"Throttle": {"RateLimit": 30, "BurstLimit": 50}, "Quota": {"Limit": 5000, "Period": "DAY"}},
        batch_plan: {"Throttle": {"RateLimit": 2, "BurstLimit": 50}, "Quota": None},
    }
    assert {(one["UsagePlanId"], one["KeyId"]) for one in of_type(shared, PLAN_KEY).values()} == {
        (f"<{default_plan}>", f"<{default_key}>"),
        (f"<{batch_plan}>", f"<{batch_key}>"),
    }
    assert all(len(plan["ApiStages"]) == 1 for plan in plans.values())


def test_a_key_names_no_stage_since_the_stage_needs_the_function_that_knows_the_key(shared: dict[str, Any]) -> None:
    assert not [name for name, key in of_type(shared, KEY).items() if "StageKeys" in key]


def test_the_function_knows_each_clients_key(shared: dict[str, Any]) -> None:
    # When
    variables = the_one(shared, "AWS::Lambda::Function", "FrontDoor")["Environment"]["Variables"]

    # Then
    clients = Clients.from_env(variables["CLIENTS"])
    assert [(client.name, client.runtimes, client.prefixes) for client in clients.named] == [
        ("default", (), ("output",)),
        ("night-batch", ("comfy",), ("night", "shared/night")),
    ]
    assert {client.key_id for client in clients.named} == {f"<{name}>" for name in of_type(shared, KEY)}


def test_every_agent_knows_the_clients_and_no_key(shared: dict[str, Any]) -> None:
    # When
    values = [json.loads(plain(one)["Values"]) for one in of_type(shared, "Custom::AWSCDK-EKS-HelmChart").values()]
    agents = [value["runtime"]["queueAgent"]["env"] for value in values if "runtime" in value]

    # Then
    assert len(agents) == 3
    assert {agent["CLIENTS"] for agent in agents} == {
        '[["default","",[],["output"]],["night-batch","",["comfy"],["night","shared/night"]]]'
    }


def test_users_find_each_clients_key(shared: dict[str, Any]) -> None:
    outputs = {name: plain(output["Value"]) for name, output in shared["Outputs"].items()}
    default_key, batch_key = sorted(of_type(shared, KEY), key=len)

    assert outputs["ApiKeyIds"] == f"default=<{default_key}>,night-batch=<{batch_key}>"
    assert f"`<{default_key}>`" in outputs["GetAPIKeyCommand"]


def test_the_client_default_keeps_the_key_of_a_stack_without_clients(
    default: dict[str, Any], shared: dict[str, Any]
) -> None:
    for kind in (KEY, PLAN, PLAN_KEY):
        assert set(of_type(default, kind)) < set(of_type(shared, kind))


def test_a_stack_without_clients_has_nothing_of_them(default: dict[str, Any]) -> None:
    assert "CLIENTS" not in the_one(default, "AWS::Lambda::Function", "FrontDoor")["Environment"]["Variables"]
    assert "CLIENTS" not in json.dumps(of_type(default, "Custom::AWSCDK-EKS-HelmChart"))
    assert "ApiKeyIds" not in default["Outputs"]


def test_a_client_over_its_quota_gets_json_as_well(shared: dict[str, Any]) -> None:
    (refusal,) = [
        one
        for one in of_type(shared, "AWS::ApiGateway::GatewayResponse").values()
        if one["ResponseType"] == "QUOTA_EXCEEDED"
    ]

    assert refusal["StatusCode"] == "429"
    body = json.loads(refusal["ResponseTemplates"]["application/json"])
    assert body["message"].startswith("Limit Exceeded")
    assert body["errors"] == []
