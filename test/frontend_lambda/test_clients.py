"""Which client a request is of, and what each client may send."""

import io
import json
from contextlib import redirect_stdout
from typing import Any

import pytest

from contract.clients import Client
from frontend_lambda.logs import LOGGER, write_to_stdout
from utils.smoke import samples

from .conftest import MODEL, FrontDoor

WEB = Client("web", ("sdruntime",), ("web", "shared/web"), "key-of-web")
BATCH = Client("batch", key_id="key-of-batch")


def of(client: Client) -> dict[str, Any]:
    """The part of a proxy event that says whose request it is."""
    return {"requestContext": {"identity": {"apiKeyId": client.key_id}}}


def task(prefix: str = "web", runtime: str = "sdruntime", **content: Any) -> dict[str, Any]:
    request = samples.request("v1alpha2-text-to-image", task_id="my-1", runtime=runtime)
    request["task"]["metadata"]["prefix"] = prefix
    request["task"]["content"] |= content
    return request


def old_task(**routing: Any) -> dict[str, Any]:
    scripts = {"task": "text-to-image", "sd_model_checkpoint": MODEL, "id_task": "my-1", **routing}
    return {"alwayson_scripts": scripts, "prompt": "a dog"}


@pytest.fixture
def shared(door: FrontDoor) -> FrontDoor:
    return door.with_clients(WEB, BATCH)


def test_every_task_carries_its_client(shared: FrontDoor) -> None:
    for client in (WEB, BATCH):
        # When
        answer = shared.post("v1alpha2", task(), **of(client))

        # Then
        assert answer.status == 200
        [message] = shared.received("sdruntime")
        assert (message.client, message.group) == (client.name, client.name)


def test_without_named_clients_all_tasks_are_the_default_clients_and_of_no_group(door: FrontDoor) -> None:
    assert door.post("v1alpha2", task("anything"), **of(WEB)).status == 200

    [message] = door.received("sdruntime")
    assert (message.client, message.group) == ("default", None)


def test_a_single_client_has_nobody_to_be_fair_to(door: FrontDoor) -> None:
    assert door.with_clients(BATCH).post("v1alpha2", task(), **of(BATCH)).status == 200

    [message] = door.received("sdruntime")
    assert (message.client, message.group) == ("batch", None)


@pytest.mark.parametrize("identity", [{}, {"apiKeyId": None}, {"apiKeyId": ""}, {"apiKeyId": "key-of-nobody"}])
def test_a_key_of_no_client_is_refused(identity: dict[str, Any], shared: FrontDoor) -> None:
    answer = shared.post("v1alpha2", task(), requestContext={"identity": identity})

    assert answer.status == 403
    assert "the API key belongs to no client" in answer.body["message"]
    assert answer.body["errors"] == []
    assert shared.received_anywhere() == {}


def test_another_runtime_is_refused_as_one_that_does_not_exist(shared: FrontDoor) -> None:
    # When one is not the client's, and the other does not exist
    foreign = shared.post("v1alpha2", task(runtime="switching"), **of(WEB))
    unknown = shared.post("v1alpha2", task(runtime="nothing"), **of(WEB))

    # Then only the client's own runtimes are named
    assert (foreign.status, foreign.fields) == (400, ["task.metadata.runtime"])
    assert foreign.body["errors"][0]["problem"] == "must be one of 'sdruntime', got 'switching'"
    assert unknown.body["errors"][0]["problem"] == "must be one of 'sdruntime', got 'nothing'"
    assert shared.received_anywhere() == {}


def test_a_model_does_not_lead_to_another_clients_runtime(door: FrontDoor) -> None:
    # Given a client of the runtime that takes any model
    shared = door.with_clients(Client("flow", ("comfy",), key_id="key-of-flow"), BATCH)

    # When
    answer = shared.post("v1alpha1", old_task(), **of(Client("flow", key_id="key-of-flow")))

    # Then
    assert (answer.status, answer.fields) == (400, ["alwayson_scripts.sd_model_checkpoint"])
    assert MODEL not in answer.body["errors"][0]["problem"].partition(", got")[0]
    assert "switching" not in answer.body["message"]
    assert shared.received_anywhere() == {}


@pytest.mark.parametrize(("prefix", "status"), [("web", 200), ("web/a/", 200), ("shared/web", 200), ("web/a", 200)])
def test_a_clients_folders_and_those_below_are_allowed(prefix: str, status: int, shared: FrontDoor) -> None:
    assert shared.post("v1alpha2", task(prefix), **of(WEB)).status == status


@pytest.mark.parametrize("prefix", ["batch", "webs", "shared", "web/../batch"])
def test_another_folder_is_refused(prefix: str, shared: FrontDoor) -> None:
    answers = {
        "task.metadata.prefix": shared.post("v1alpha2", task(prefix), **of(WEB)),
        "alwayson_scripts.save_dir": shared.post("v1alpha1", old_task(save_dir=prefix), **of(WEB)),
    }

    for field, answer in answers.items():
        assert answer.status == 400
        assert set(answer.fields) == {field}
        assert f"must be one of 'web', 'shared/web', or below, got {prefix!r}" in [
            error["problem"] for error in answer.body["errors"]
        ]
    assert shared.received_anywhere() == {}


def test_a_request_that_names_no_folder_gets_one_that_its_client_may_use(shared: FrontDoor) -> None:
    for client, folder in ((WEB, "web"), (BATCH, "output")):
        answer = shared.post("v1alpha1", old_task(), **of(client))

        assert answer.status == 200
        assert answer.body["output_location"].endswith(f"/{folder}/my-1")


@pytest.mark.parametrize("key", ["batch/1.png", "output/x.png", "webs/1.png", ""])
def test_a_link_to_another_clients_result_is_refused(key: str, shared: FrontDoor) -> None:
    # Given
    link = f"s3://{shared.settings.output_bucket}/{key}"

    # When
    answer = shared.post("v1alpha2", task(init_images=[link]), **of(WEB))
    old = shared.post("v1alpha1", old_task(task="image-to-image", image_link=link), **of(WEB))

    # Then
    assert (answer.status, answer.fields) == (400, ["task.content.init_images.0"])
    assert answer.body["errors"][0]["problem"] == (
        f"must be below one of 'web', 'shared/web' in the output bucket, got {link!r}"
    )
    assert (old.status, old.fields) == (400, ["alwayson_scripts.image_link"])
    assert shared.received_anywhere() == {}


def test_links_to_ones_own_results_and_elsewhere_are_allowed(shared: FrontDoor) -> None:
    bucket = shared.settings.output_bucket
    links = [
        f"s3://{bucket}/web/a/1.png",
        f"s3://{bucket}/shared/web/1.png",
        "s3://photos/x.png",
        "https://a.example/b",
    ]

    assert shared.post("v1alpha2", task(init_images=links), **of(WEB)).status == 200


def test_the_log_names_the_client_and_no_key(shared: FrontDoor) -> None:
    # Given
    handlers, propagate, level = LOGGER.handlers, LOGGER.propagate, LOGGER.level
    output = io.StringIO()
    with redirect_stdout(output):
        write_to_stdout("INFO")

    # When
    try:
        shared.post("v1alpha2", task(), **of(WEB))
        shared.post("v1alpha2", task("batch"), **of(WEB))
        shared.post("v1alpha2", task(), requestContext={"identity": {"apiKeyId": "key-of-nobody"}})
    finally:
        LOGGER.handlers, LOGGER.propagate = handlers, propagate
        LOGGER.setLevel(level)

    # Then
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [(line["status"], line.get("client")) for line in lines] == [(200, "web"), (400, "web"), (403, None)]
    assert "key-of" not in output.getvalue()
