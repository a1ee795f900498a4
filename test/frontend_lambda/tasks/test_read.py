"""``GET /v1alpha2/tasks/{id}``: the Task, revisions, and waiting for one."""

import json
import time
from collections.abc import Callable
from threading import Timer
from typing import Any

import pytest

from contract.clients import Client
from contract.task_table.item import Output, State
from contract.task_table.writes import Ending
from frontend_lambda.tasks.timings import TaskTimings
from test.frontend_lambda.tasks.conftest import BATCH, WEB, Api, new_id, request

DONE = Ending(
    status=State.COMPLETED,
    attempt=1,
    outputs=[Output(key="output/x/x-1.png", type="image/png", size=3)],
    gpu_seconds=1.5,
    usd=0.0002,
    record="output/x/x.out",
)


def later(seconds: float, do: Callable[[], Any]) -> Timer:
    timer = Timer(seconds, do)
    timer.start()
    return timer


def test_a_task_is_shown_from_the_queue_to_its_result(api: Api) -> None:
    # Given
    task_id = new_id()
    api.submit(task_id)

    # When / Then it waits
    queued = api.get(task_id)
    assert (queued.status, queued.body["status"]) == (200, "queued")
    assert queued.body["queue"] == {"waiting_for": "pod", "ahead": queued.body["queue"]["ahead"], "start_in": None}
    # When / Then it runs
    api.runs(task_id, now=1_900_000_000)
    api.beats(task_id, 0.42, now=1_900_000_002)
    running = api.get(task_id)
    assert (running.body["status"], running.body["attempt"], running.body["queue"]) == ("running", 1, None)
    assert running.body["started"] == "2030-03-17T17:46:40.000Z"
    assert running.body["progress"] == {"value": 0.42, "updated": "2030-03-17T17:46:42.000Z"}
    # When / Then it ends
    api.ends(task_id, DONE, now=1_900_000_003)
    ended = api.get(task_id)
    assert (ended.body["status"], ended.body["ended"]) == ("completed", "2030-03-17T17:46:43.000Z")
    assert ended.body["usage"] == {"gpu_seconds": 1.5, "usd": 0.0002}
    assert ended.body["outputs"][0]["s3"] == f"s3://{api.door.settings.output_bucket}/output/x/x-1.png"
    assert ended.body["urls"]["record"] == f"s3://{api.door.settings.output_bucket}/output/x/x.out"
    assert "/output/x/x.out?" in ended.body["urls"]["record_url"]
    assert queued.body["urls"]["record_url"] is None
    assert ended.body["expires"]
    assert "Retry-After" not in ended.headers
    revisions = [reply.body["revision"] for reply in (queued, running, ended)]
    assert revisions == sorted(set(revisions))


@pytest.mark.parametrize("task_id", ["never-sent", "a%20b", "..", "x" * 2000, "%23", "%E2%82%AC", "%2F", "a%2Fcancel"])
def test_a_task_that_is_not_there_is_404(task_id: str, api: Api) -> None:
    reply = api.get(task_id)

    assert (reply.status, reply.body["type"]) == (404, "urn:problem-type:not-found")
    assert reply.body["errors"] == []


@pytest.mark.parametrize("path", ["{}%2F", "%2F{}", "{}%2Foutputs%2F1", "{}%2F/cancel"])
def test_an_encoded_slash_is_part_of_the_id(path: str, api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)
    api.ends(task_id, DONE)

    method = "POST" if path.endswith("/cancel") else "GET"
    reply = api.call(method, f"/v1alpha2/tasks/{path.format(task_id)}")

    assert (reply.status, reply.body["type"]) == (404, "urn:problem-type:not-found")


def test_another_clients_task_is_not_there(clients: Callable[[Client], Api]) -> None:
    # Given the same id of two clients
    web, batch = clients(WEB), clients(BATCH)
    task_id, own = new_id(), new_id()
    web.submit(task_id, options={"labels": {"of": "web"}})
    web.submit(own)
    batch.submit(task_id, options={"labels": {"of": "batch"}})

    # When / Then each sees its own
    assert web.get(task_id).body["labels"] == {"of": "web"}
    assert batch.get(task_id).body["labels"] == {"of": "batch"}
    # And nothing of the other
    for path, method in (("", "GET"), ("/cancel", "POST"), ("/outputs/1", "GET")):
        assert batch.call(method, f"/v1alpha2/tasks/{own}{path}").status == 404
    assert web.get(own).body["status"] == "queued"
    assert own not in [task["id"] for task in batch.call("GET", "/v1alpha2/tasks", limit=100).body["tasks"]]


def test_a_key_of_no_client_is_refused(clients: Callable[[Client], Api]) -> None:
    reply = clients(Client("nobody", key_id="key-of-nobody")).get(new_id())

    assert (reply.status, reply.headers["Content-Type"]) == (403, "application/problem+json")


def test_a_task_of_the_older_routes_is_shown_too(api: Api) -> None:
    task_id = new_id()
    api.door.post("v1alpha2", request(task_id))

    assert api.get(task_id).body["status"] == "queued"


@pytest.mark.parametrize("path", ["tasks/{}/", "/tasks//{}", "tasks/{}//"])
def test_additional_slashes_mean_nothing(path: str, api: Api) -> None:
    # Given a path that API Gateway hands to the resource of all other paths
    task_id = new_id()
    api.submit(task_id)
    event = api.door.event("v1alpha2", None)
    whole = f"v1alpha2/{path.format(task_id)}"
    context = {**event["requestContext"], "path": f"/dev/{whole}", "domainName": "api.example.com"}

    # When
    response = api.door.handler(
        {
            **event,
            "httpMethod": "GET",
            "resource": "/{proxy+}",
            "path": f"/{whole}",
            "pathParameters": {"proxy": whole},
            "requestContext": context,
        },
        None,
    )

    # Then
    assert response["statusCode"] == 200
    assert response["headers"]["Location"] == f"https://api.example.com/dev/v1alpha2/tasks/{task_id}"


def test_another_method_is_405_with_those_there_are(api: Api) -> None:
    reply = api.call("DELETE", "/v1alpha2/tasks")

    assert (reply.status, reply.headers["Allow"]) == (405, "POST, GET")
    assert reply.body["type"] == "urn:problem-type:method-not-allowed"


def test_links_are_below_a_domain_of_ones_own(api: Api) -> None:
    event = api.door.event("v1alpha2", None)
    context = {**event["requestContext"], "path": "/images/v1alpha2/runtimes", "domainName": "api.example.org"}
    task_id = new_id()
    api.submit(task_id)

    response = api.door.handler(
        {
            **event,
            "httpMethod": "GET",
            "resource": "/v1alpha2/tasks/{id}",
            "path": f"/images/v1alpha2/tasks/{task_id}",
            "pathParameters": {"id": task_id},
            "requestContext": {**context, "path": f"/images/v1alpha2/tasks/{task_id}"},
        },
        None,
    )

    assert response["headers"]["Location"] == f"https://api.example.org/images/v1alpha2/tasks/{task_id}"


def test_a_revision_that_the_caller_has_is_304(api: Api) -> None:
    task_id = new_id()
    tag = api.submit(task_id).headers["ETag"]

    same = api.get(task_id, **{"If-None-Match": f'"other", {tag}'})
    api.runs(task_id)
    changed = api.get(task_id, **{"If-None-Match": tag})

    assert (same.status, same.body, same.headers["ETag"]) == (304, None, tag)
    assert changed.status == 200
    assert changed.headers["ETag"] != tag


def test_any_revision_is_known_to_a_caller_that_says_so(api: Api) -> None:
    """``*`` is every entity tag (RFC 9110, 13.1.2)."""
    task_id = new_id()
    api.submit(task_id)

    assert api.get(task_id, **{"If-None-Match": "*"}).status == 304


def test_an_id_that_is_used_again_is_another_revision(api: Api) -> None:
    task_id = new_id()
    first = api.door.handler(_post(api, task_id, "0b8f7f5e-3c0e-4a55-9d7e-0c2f1a6b9d10"), None)
    tag = api.get(task_id).headers["ETag"]
    second = api.door.handler(_post(api, task_id, "1b8f7f5e-3c0e-4a55-9d7e-0c2f1a6b9d10"), None)

    assert [first["statusCode"], second["statusCode"]] == [200, 200]
    assert api.get(task_id, **{"If-None-Match": tag}).status == 200


def _post(api: Api, task_id: str, request_id: str) -> dict[str, Any]:
    event = api.door.event("v1alpha2", json.dumps(request(task_id)))
    return {**event, "requestContext": {**event["requestContext"], "requestId": request_id}}


def test_waiting_ends_when_the_task_does(api: Api) -> None:
    # Given a task that begins to run, which is not its end
    task_id = new_id()
    api.submit(task_id)
    api.runs(task_id)
    timer = later(0.5, lambda: api.ends(task_id, DONE))

    # When
    reply = api.get(task_id, Prefer="respond-async, wait=20")
    returned = time.monotonic()
    timer.join()

    # Then
    assert (reply.status, reply.body["status"]) == (200, "completed")
    assert reply.headers["Preference-Applied"] == "wait"
    assert returned - time.monotonic() < 1


def test_waiting_for_a_revision_ends_at_the_next_one(api: Api) -> None:
    task_id = new_id()
    tag = api.submit(task_id).headers["ETag"]
    timer = later(0.3, lambda: api.runs(task_id))

    reply = api.get(task_id, Prefer="wait=20", **{"If-None-Match": tag})
    timer.join()

    assert (reply.status, reply.body["status"]) == (200, "running")


def test_when_the_time_is_up_the_answer_is_what_there_is(api: Api) -> None:
    short = api.having(timings=TaskTimings(poll=0.05, wait=0.2))
    task_id = new_id()
    tag = api.submit(task_id).headers["ETag"]

    started = time.monotonic()
    task = short.get(task_id, Prefer="wait=3600")
    unchanged = short.get(task_id, Prefer="wait=3600", **{"If-None-Match": tag})

    assert time.monotonic() - started < 15
    assert (task.status, task.body["status"]) == (200, "queued")
    assert unchanged.status == 304


@pytest.mark.parametrize("prefer", ["", "wait", "wait=", "wait=-1", "wait=x", "await=20", "wait=0", "handling=lenient"])
def test_a_preference_that_is_none_is_ignored(prefer: str, api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)

    started = time.monotonic()
    reply = api.get(task_id, Prefer=prefer)

    assert reply.status == 200
    assert "Preference-Applied" not in reply.headers
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("seconds", ["0001", "9" * 10, "9" * 5000], ids=["zeros", "ten", "thousands"])
def test_any_number_of_seconds_is_a_wait(seconds: str, api: Api) -> None:
    short = api.having(timings=TaskTimings(poll=0.05, wait=0.2))
    task_id = new_id()
    short.submit(task_id)

    assert short.get(task_id, Prefer=f"wait={seconds}").headers["Preference-Applied"] == "wait"


def test_a_submission_can_wait_for_its_result(api: Api) -> None:
    task_id = new_id()

    def run() -> None:
        while api.item(task_id) is None:
            time.sleep(0.01)
        api.runs(task_id)
        api.ends(task_id, DONE)

    timer = later(0.0, run)
    reply = api.submit(task_id, headers={"Prefer": "wait=20"})
    timer.join()

    assert (reply.status, reply.body["status"]) == (200, "completed")


def test_a_task_beyond_its_deadline_expires_before_it_is_seen(api: Api) -> None:
    task_id = new_id()
    api.submit(task_id, options={"deadline": 1})

    reply = api.get(task_id, Prefer="wait=20")

    assert (reply.body["status"], reply.body["queue"]) == ("expired", None)
    item = api.item(task_id)
    assert item is not None
    assert item.status is State.EXPIRED
    assert item.ttl == pytest.approx(time.time() + api.door.settings.task_retention, abs=3600)


def test_without_the_table_a_read_is_503(api: Api) -> None:
    reply = api.having(tasks_table="nosuch").get(new_id())

    assert (reply.status, reply.body["type"]) == (503, "urn:problem-type:unavailable")
