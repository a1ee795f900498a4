"""``GET /v1alpha2/tasks``: pages, filters and cursors."""

import base64
import itertools
import time
from typing import Any

import pytest

from contract.clients import Client, Clients
from contract.task_table.item import Output, State, TaskItem
from contract.task_table.writes import Ending
from contract.trace import TraceContext
from frontend_lambda.caller import Caller
from frontend_lambda.tasks import listing
from frontend_lambda.tasks.cursor import write_cursor
from frontend_lambda.tasks.listing import Listing
from frontend_lambda.tasks.reader import Reader
from frontend_lambda.tasks.request import TaskRequest
from frontend_lambda.tasks.table import Refused, TaskTable
from test.frontend_lambda.tasks.conftest import Api, new_id, request

_numbers = itertools.count()


@pytest.fixture
def own(api: Api) -> Api:
    """A client that no other test has."""
    client = Client(f"client-{next(_numbers)}-{new_id()[:10]}", key_id="its-key")
    return api.having(clients=Clients((client, Client("other", key_id="other-key")))).as_client(client)


def submitted(api: Api, count: int, **changes: Any) -> list[str]:
    """Ids of new tasks, the newest first."""
    ids = [new_id() for _ in range(count)]
    for task_id in ids:
        assert api.submit(task_id, **changes).status == 202
    return ids[::-1]


def pages(api: Api, **query: Any) -> list[list[str]]:
    """The ids of every page, found by the links of the answers."""
    reply = api.call("GET", "/v1alpha2/tasks", **query)
    found = []
    while True:
        assert reply.status == 200, reply.body
        found.append([task["id"] for task in reply.body["tasks"]])
        if reply.body["next"] is None:
            assert "Link" not in reply.headers
            return found
        url, _, rel = reply.headers["Link"].partition(">; ")
        assert rel == 'rel="next"'
        assert len(found) < 100
        reply = api.follow(url.removeprefix("<"))


def test_a_client_without_tasks_has_an_empty_list(own: Api) -> None:
    reply = own.call("GET", "/v1alpha2/tasks")

    assert (reply.status, reply.body) == (200, {"tasks": [], "next": None})


@pytest.mark.parametrize("limit", [1, 3, 7, 8, 100])
def test_pages_hold_every_task_once_the_newest_first(limit: int, own: Api) -> None:
    ids = submitted(own, 7)

    found = pages(own, limit=limit)

    assert [task_id for page in found for task_id in page] == ids
    assert all(len(page) <= limit for page in found)


def test_a_page_has_twenty_tasks_unless_another_number_is_asked_for(own: Api) -> None:
    own.call("POST", "/v1alpha2/tasks", {"tasks": [request() for _ in range(25)]})

    assert [len(page) for page in pages(own)] == [20, 5]


def test_filters_hold_together(own: Api) -> None:
    # Given
    plain = submitted(own, 2)
    labelled = submitted(own, 2, options={"labels": {"order": "1", "of": "a:b"}})
    done, _ = labelled
    own.runs(done)
    own.ends(done, Ending(status=State.COMPLETED))
    elsewhere = submitted(own, 1, runtime="switching", options={"labels": {"order": "1"}})

    # When / Then
    assert pages(own, runtime="switching") == [elsewhere]
    assert pages(own, status="queued", runtime="sdruntime") == [[labelled[1], *plain]]
    assert pages(own, label="order:1") == [[*elsewhere, *labelled]]
    assert pages(own, label=["order:1", "of:a:b"], status="completed") == [[done]]
    assert pages(own, status="failed") == [[]]


def test_a_search_for_few_of_many_ends_and_can_go_on(own: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given that a request looks at few tasks
    monkeypatch.setattr(listing, "MAX_KEYS", 2)
    monkeypatch.setattr(listing, "MAX_READ", 4)
    [old] = submitted(own, 1, options={"labels": {"order": "1"}})
    submitted(own, 7)

    found = pages(own, label="order:1")

    assert found[0] == []
    assert [task_id for page in found for task_id in page] == [old]


def test_outputs_in_a_list_have_no_links(own: Api) -> None:
    [task_id] = submitted(own, 1)
    own.runs(task_id)
    own.ends(task_id, Ending(status=State.COMPLETED, outputs=[Output(key="output/a.png", type="image/png", size=1)]))

    reply = own.call("GET", "/v1alpha2/tasks")

    [output] = reply.body["tasks"][0]["outputs"]
    assert output["s3"].endswith("/output/a.png")
    assert (output["url"], output["url_expires"]) == (None, None)


def test_as_many_outputs_of_each_task_have_links_as_asked_for(own: Api) -> None:
    # Given
    [task_id] = submitted(own, 1)
    own.runs(task_id)
    images = [Output(key=f"output/{name}.png", type="image/png", size=1) for name in "abc"]
    own.ends(task_id, Ending(status=State.COMPLETED, outputs=images, record="output/x.out"))

    # When
    listed = {links: own.call("GET", "/v1alpha2/tasks", links=links).body["tasks"][0] for links in (0, 2, 4)}

    # Then
    linked = {links: [output["url"] is not None for output in task["outputs"]] for links, task in listed.items()}
    assert linked == {0: [False] * 3, 2: [True, True, False], 4: [True] * 3}
    assert listed[2]["outputs"][0]["url_expires"]
    assert listed[0]["urls"]["record_url"] is None
    assert "/output/x.out?" in listed[2]["urls"]["record_url"]


def test_a_page_of_the_most_links_is_far_from_what_lambda_may_answer(own: Api) -> None:
    """6 MB. On AWS a link carries the session's token, about 1.5 KB."""
    links = listing.MAX_LIMIT * (listing.MAX_LINKS + 1)

    assert links * 2500 < 2_000_000


def test_a_task_beyond_its_deadline_is_listed_as_expired(own: Api) -> None:
    [task_id] = submitted(own, 1, options={"deadline": 1})
    item = own.item(task_id)
    assert item is not None
    while time.time() < (item.deadline or 0) + 1:
        time.sleep(0.1)

    assert pages(own, status="queued") == [[]]
    assert pages(own, status="expired") == [[task_id]]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"status": "done"}, ["status"]),
        ({"status": ["queued", "running"]}, ["status"]),
        ({"limit": 0}, ["limit"]),
        ({"limit": 101}, ["limit"]),
        ({"limit": "ten"}, ["limit"]),
        ({"limit": "9" * 5000}, ["limit"]),
        ({"limit": "\u0663"}, ["limit"]),
        ({"label": "order"}, ["label"]),
        ({"runtime": ""}, ["runtime"]),
        ({"label": ":1"}, ["label"]),
        ({"page": 1}, ["page"]),
        ({"links": 5}, ["links"]),
        ({"links": "-1"}, ["links"]),
        ({"links": ["1", "1"]}, ["links"]),
        ({"cursor": ""}, ["cursor"]),
        ({"cursor": "x"}, ["cursor"]),
        ({"cursor": "\u20ac"}, ["cursor"]),
        ({"cursor": "bnVsbA"}, ["cursor"]),
        ({"cursor": "W1tdLCAxXQ"}, ["cursor"]),
    ],
)
def test_a_wrong_query_is_refused_by_name(query: dict[str, Any], fields: list[str], own: Api) -> None:
    reply = own.call("GET", "/v1alpha2/tasks", **query)

    assert (reply.status, reply.fields) == (400, fields)


def test_a_cursor_is_of_one_client_and_one_search(own: Api) -> None:
    # Given
    submitted(own, 3)
    cursor = own.call("GET", "/v1alpha2/tasks", limit=1).body["next"]
    other = own.as_client(Client("other", key_id="other-key"))
    place = base64.urlsafe_b64decode(cursor + "==").replace(b"2026", b"2027").replace(b"2025", b"2027")
    damaged = base64.urlsafe_b64encode(place).decode()

    # When / Then
    assert own.call("GET", "/v1alpha2/tasks", cursor=cursor).status == 200
    assert other.call("GET", "/v1alpha2/tasks", cursor=cursor).fields == ["cursor"]
    assert own.call("GET", "/v1alpha2/tasks", cursor=cursor, status="queued").fields == ["cursor"]
    assert own.call("GET", "/v1alpha2/tasks", cursor=cursor[:-4]).fields == ["cursor"]
    assert own.call("GET", "/v1alpha2/tasks", cursor=damaged).fields == ["cursor"]


@pytest.mark.parametrize("place", ["", "x", "x" * 2000, "\ud800", "2026-01-31T12:00:00.000Z#" + "x" * 65])
def test_a_cursor_that_a_caller_made_up_is_refused(place: str, own: Api) -> None:
    """DynamoDB takes no empty or long key, which is no reason to send the request again."""
    cursor = write_cursor(own.client.name, [], place)

    reply = own.call("GET", "/v1alpha2/tasks", cursor=cursor)

    assert (reply.status, reply.fields) == (400, ["cursor"])


def test_a_task_that_is_withdrawn_while_a_page_is_read_is_left_out(own: Api) -> None:
    # Given one of two tasks beyond its deadline, whose item goes away before its end is noted
    class Withdrawing(TaskTable):
        def expire(self, item: TaskItem, now: float) -> Refused | None:
            self.withdraw(item)
            return super().expire(item, now)

    [kept] = submitted(own, 1)
    submitted(own, 1, options={"deadline": 1})
    table = Withdrawing(own.door.settings, own.door.session)
    reader = Reader(table, own.timings, clock=lambda: time.time() + 3)

    caller = Caller(own.client, own.door.settings.catalog, own.door.settings.output_bucket)
    request = TaskRequest(
        event={},
        params={},
        caller=caller,
        request_id="",
        trace=TraceContext.fresh(),
        facts={},
        started=time.monotonic(),
    )

    # When
    page = Listing(table, reader).page(request)

    # Then
    assert [item.id for item in page.items] == [kept]


def test_without_the_table_there_is_no_list(own: Api) -> None:
    assert own.having(tasks_table="nosuch").call("GET", "/v1alpha2/tasks").status == 503
