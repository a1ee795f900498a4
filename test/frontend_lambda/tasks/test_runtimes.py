"""``GET /v1alpha2/runtimes``, and what a queued Task says of its waiting."""

import time

from contract.clients import Client, Clients
from contract.task_table.pods import PodItem, report
from test.frontend_lambda.tasks.conftest import Api, new_id


def fresh(api: Api) -> Api:
    """A process that has read nothing yet."""
    return api.having()


def reports(api: Api, runtime: str, **facts: object) -> None:
    pod = PodItem.model_validate({"runtime": runtime, "pod": "pod-1", "at": time.time(), "ready": True, **facts})
    api.dynamodb.put_item(**report(api.table, pod))


def runtime(api: Api, name: str) -> dict[str, object]:
    [found] = [one for one in api.call("GET", "/v1alpha2/runtimes").body["runtimes"] if one["name"] == name]
    return found  # type: ignore[no-any-return]


def test_a_runtime_says_what_it_serves_and_who_waits(api: Api) -> None:
    # Given two tasks and no pod
    for _ in range(2):
        api.submit(new_id(), runtime="switching")

    # When / Then
    assert runtime(fresh(api), "switching") == {
        "name": "switching",
        "type": "sdwebui",
        "tasktypes": ["text-to-image", "image-to-image", "extra-single-image", "extra-batch-images"],
        "model": None,
        "dynamic_model": True,
        "tasks": {"waiting": 2, "taken": 0},
        "pods": {"ready": 0, "starting": 0},
        "mean_seconds": None,
        "usd_per_task": None,
        "start_in": None,
    }


def test_pods_make_an_estimate_possible(api: Api) -> None:
    # Given a pod that runs tasks of 4 s, one that starts, and one that is gone
    reports(api, "comfy", mean_seconds=4.0, busy_since=time.time(), newest=time.time() - 60)
    reports(api, "comfy", pod="pod-2", ready=False)
    reports(api, "comfy", pod="pod-3", at=time.time() - 100)
    asked = fresh(api)

    # When a task is sent
    workflow = {"1": {"class_type": "A", "inputs": {}}}
    reply = asked.submit(new_id(), runtime="comfy", tasktype="pipeline", content=workflow)
    view = runtime(fresh(api), "comfy")

    # Then
    assert reply.status == 202, reply.body
    assert reply.body["queue"]["waiting_for"] == "turn"
    assert reply.body["queue"]["ahead"] == 0
    assert view["pods"] == {"ready": 1, "starting": 1}
    assert (view["tasks"], view["mean_seconds"]) == ({"waiting": 1, "taken": 0}, 4.0)
    assert view["start_in"] == 6.0
    assert view["usd_per_task"] == round(4 / 3600 * 0.4968, 6)


def test_a_client_sees_its_own_runtimes(api: Api) -> None:
    client = Client("flow", ("comfy",), key_id="key")
    shared = api.having(clients=Clients((client, Client("other", key_id="key-2")))).as_client(client)

    names = [one["name"] for one in shared.call("GET", "/v1alpha2/runtimes").body["runtimes"]]

    assert names == ["comfy"]


def test_without_estimates_tasks_are_accepted(api: Api) -> None:
    # Given queues that cannot be read
    blind = api.having(queue_url_prefix="http://127.0.0.1:9/nothing-")

    # When
    reply = blind.submit(new_id(), runtime="invoke", tasktype="graph", content={"graph": {"nodes": {}, "edges": []}})

    # Then
    assert reply.status == 202
    assert reply.body["queue"] == {"waiting_for": "pod", "ahead": None, "start_in": None}
    assert runtime(blind, "invoke")["tasks"] is None
