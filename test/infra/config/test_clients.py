"""``clients`` of config.yaml: what is taken, what is refused, and what is warned of."""

from typing import Any

import pytest

from infra.config.errors import ConfigError
from infra.config.model import Config, parse_config
from infra.config.warnings import warnings_of
from infra.topology import topology_of

RUNTIMES = [
    {"name": "sd", "namespace": "sd", "type": "sdwebui", "modelFilename": "sd.safetensors"},
    {"name": "comfy", "namespace": "sd", "type": "comfyui"},
]


def raw(*clients: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "modelBucketArn": "arn:aws:s3:::models",
        "modelsRuntime": RUNTIMES,
        "APIGW": {"throttle": {"rateLimit": 7, "burstLimit": 9}},
        "clients": list(clients),
        **changes,
    }


def config(*clients: dict[str, Any], **changes: Any) -> Config:
    return parse_config(raw(*clients, **changes))


def problems(*clients: dict[str, Any], **changes: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        topology_of(config(*clients, **changes))
    return [str(problem) for problem in caught.value.problems]


def test_a_client_that_sets_nothing_may_do_everything_at_the_usual_rate() -> None:
    # When
    made = topology_of(config({"name": "web"}))

    # Then
    (plan,) = made.api.plans
    assert (plan.client, plan.rate_limit, plan.burst_limit, plan.daily_quota) == ("web", 7, 9, None)
    (client,) = made.clients.named
    assert client.may_use("comfy")
    assert client.may_store("anything")


def test_a_clients_own_limits_win_key_by_key() -> None:
    # When
    made = topology_of(config({"name": "web", "throttle": {"burstLimit": 3}, "dailyQuota": 100}))

    # Then
    (plan,) = made.api.plans
    assert (plan.rate_limit, plan.burst_limit, plan.daily_quota) == (7, 3, 100)


def test_without_clients_there_is_one_plan_and_nobody_is_named() -> None:
    made = topology_of(config())

    assert [plan.client for plan in made.api.plans] == ["default"]
    assert (made.api.named, made.clients.named) == (False, ())


def test_prefixes_are_folders_as_tasks_write_them() -> None:
    (client,) = topology_of(config({"name": "web", "prefixes": ["web/", "shared/web"]})).clients.named

    assert client.prefixes == ("web", "shared/web")


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ({}, "clients[0].name: is required"),
        ({"name": "Web"}, "clients[0].name: must be lower-case letters, digits and '-'"),
        ({"name": ""}, "clients[0].name: "),
        ({"name": "w" * 41}, "clients[0].name: "),
        ({"name": "web", "runtime": ["sd"]}, "clients[0].runtime: is not a known key; did you mean runtimes?"),
        ({"name": "web", "runtimes": []}, "clients[0].runtimes: must hold at least one; leave the key out for all"),
        ({"name": "web", "prefixes": []}, "clients[0].prefixes: must hold at least one; leave the key out for all"),
        (
            {"name": "web", "runtimes": ["sd", "flux"]},
            "clients[0].runtimes[1]: must be the name of one of modelsRuntime, 'sd', 'comfy', got 'flux'",
        ),
        ({"name": "web", "prefixes": ["/web"]}, "clients[0].prefixes[0]: must be a folder such as 'web' or 'team/web'"),
        (
            {"name": "web", "prefixes": ["web/.."]},
            "clients[0].prefixes[0]: must be a folder such as 'web' or 'team/web'",
        ),
        (
            {"name": "web", "prefixes": [".platform/x"]},
            "clients[0].prefixes[0]: must be a folder such as 'web' or 'team/web'",
        ),
        ({"name": "web", "dailyQuota": 0}, "clients[0].dailyQuota: "),
        ({"name": "web", "dailyQuota": 2**31}, "clients[0].dailyQuota: "),
        ({"name": "web", "throttle": {"rateLimit": 0}}, "clients[0].throttle.rateLimit: "),
        ({"name": "web", "throttle": {"burstLimit": 5001}}, "clients[0].throttle.burstLimit: "),
    ],
)
def test_a_wrong_client_is_named_with_what_is_allowed(client: dict[str, Any], expected: str) -> None:
    found = problems(client)

    assert len(found) == 1
    assert found[0].startswith(expected)


def test_two_clients_of_one_name_are_refused() -> None:
    assert problems({"name": "web"}, {"name": "a"}, {"name": "web"}) == [
        "clients[2].name: this and clients[0].name: both clients have the name 'web'; each needs its own"
    ]


def test_more_clients_than_a_stack_holds_are_refused() -> None:
    (found,) = problems(*({"name": f"c{number}"} for number in range(100)))

    assert found.startswith("clients: a stack with 2 runtimes has room for 60 clients, got 100; put the others into")


def test_more_than_the_functions_environment_holds_is_refused() -> None:
    clients = ({"name": f"client-{number}", "prefixes": ["p" * 500 + str(number)]} for number in range(10))

    (found,) = problems(*clients)

    assert found.startswith("clients: 10 clients take 5")
    assert "next to the runtimes a Lambda's environment has room for 3" in found


def test_as_many_clients_as_are_taken_fit_the_functions_environment() -> None:
    # Given one more folder after the other, until the config is refused
    prefixes, made = ["p" * 500], topology_of(config({"name": "web"}))
    while True:
        try:
            made = topology_of(config({"name": "web", "prefixes": prefixes}))
        except ConfigError:
            break
        prefixes.append(f"{len(prefixes):04}")

    # When
    environment = made.frontend_environment(
        input_topic_arn="a" * 100, output_bucket="b" * 63, queue_url_prefix="c" * 100, key_ids={"web": "k" * 10}
    )

    # Then
    assert len(prefixes) > 100
    assert sum(len(name) + len(value) for name, value in environment.items()) <= 4096


@pytest.mark.parametrize(
    ("prefixes", "shared"),
    [
        ((["web"], ["batch"]), []),
        ((["web"], ["webs"]), []),
        ((["web"], ["web"]), ["web"]),
        ((["team"], ["team/a", "b"]), ["team/a"]),
        ((["a", "team/a"], ["team", "b"]), ["team/a"]),
    ],
)
def test_folders_that_two_clients_share_are_warned_of(prefixes: tuple[list[str], list[str]], shared: list[str]) -> None:
    one, other = prefixes

    found = warnings_of(config({"name": "one", "prefixes": one}, {"name": "other", "prefixes": other}))

    assert list(found) == [
        f"clients: one and other can read what the other stores below {folder!r}" for folder in shared
    ]


def test_a_client_that_may_store_anywhere_is_warned_of_where_there_are_others() -> None:
    assert warnings_of(config({"name": "one"})) == ()
    assert warnings_of(config({"name": "one"}, {"name": "other", "prefixes": ["other"]})) == (
        "clients[0].prefixes: is not set, so one can read what every client stores",
    )
