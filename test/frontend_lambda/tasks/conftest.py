"""The task API behind the handler, on the same embedded AWS as the older routes."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from contract.clients import EVERYBODY, Client, Clients
from contract.task_table import writes
from contract.task_table.item import TaskItem
from contract.task_table.keys import task_key
from contract.task_table.writes import Origin
from frontend_lambda.handler import make_handler
from frontend_lambda.sender import Timings
from frontend_lambda.tasks.timings import TaskTimings
from infra.api_routes import API_ROUTES
from test.frontend_lambda.conftest import FrontDoor
from utils.local.gateway_routes import Resources

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

ROUTES = Resources([(route.method, route.path) for route in API_ROUTES])

SHORT, USUAL = TaskTimings(poll=0.05, republish=3600.0), Timings()
"""However slow the machine is, a repeat takes over from no other unless a test wants that."""


@dataclass(frozen=True)
class Reply:
    """What API Gateway would send."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def fields(self) -> list[str]:
        return [error["field"] for error in self.body["errors"]]


@dataclass(frozen=True)
class Api:
    """The task API as one client sees it, and a look at what lies behind."""

    door: FrontDoor
    dynamodb: "DynamoDBClient"
    client: Client = EVERYBODY
    timings: TaskTimings = SHORT
    sender_timings: Timings = USUAL

    def as_client(self, client: Client) -> Self:
        return replace(self, client=client)

    def having(self, *, timings: TaskTimings | None = None, sender: Timings | None = None, **settings: Any) -> Self:
        """The same with other timings or settings."""
        changed = replace(self.door.settings, **settings)
        times, sending = timings or self.timings, sender or self.sender_timings
        handler = make_handler(changed, self.door.session, sending, times)
        return replace(self, door=replace(self.door, settings=changed, handler=handler), timings=times)

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Reply:
        """Call the handler as API Gateway would. Values of ``query`` may be lists."""
        resource = ROUTES.find(path)
        assert resource is not None, path
        values = {name: value if isinstance(value, list) else [str(value)] for name, value in query.items()}
        event = self.door.event("v1alpha2", None if body is None else json.dumps(body))
        context = {
            **event["requestContext"],
            "requestId": str(uuid.uuid4()),
            "path": f"/dev{resource.path}",
            "domainName": "api.example.com",
            "identity": {**event["requestContext"]["identity"], "apiKeyId": self.client.key_id},
        }
        response = self.door.handler(
            {
                **event,
                "httpMethod": method,
                "resource": resource.template,
                "path": resource.path,
                "pathParameters": dict(resource.params) or None,
                "headers": dict(headers or {}),
                "multiValueQueryStringParameters": values or None,
                "requestContext": context,
            },
            None,
        )
        assert isinstance(response["body"], str)
        text = response["body"]
        return Reply(response["statusCode"], response["headers"], json.loads(text) if text else None)

    def follow(self, url: str, method: str = "GET", **headers: str) -> Reply:
        """Call what an answer links to."""
        parts = urlsplit(url)
        assert parts.netloc == "api.example.com"
        return self.call(method, parts.path.removeprefix("/dev"), headers=headers, **parse_qs(parts.query))

    def submit(self, task_id: str | None = None, headers: Mapping[str, str] | None = None, **changes: Any) -> Reply:
        return self.call("POST", "/v1alpha2/tasks", request(task_id, **changes), headers)

    def get(self, task_id: str, **headers: str) -> Reply:
        return self.call("GET", f"/v1alpha2/tasks/{task_id}", headers=headers)

    def item(self, task_id: str) -> TaskItem | None:
        """The task as the table has it."""
        key = task_key(self.client.name, task_id)
        found = self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return TaskItem.from_values(found) if found else None

    @property
    def table(self) -> str:
        return self.door.settings.tasks_table

    def origin(self, task_id: str) -> Origin:
        """What the task's message says to its agent."""
        item = self.item(task_id)
        assert item is not None
        return Origin(
            client=item.client,
            id=item.id,
            request=item.request,
            runtime=item.runtime,
            tasktype=item.tasktype,
            prefix=item.prefix,
            created=0,
            ttl=item.ttl or 0,
        )

    def runs(self, task_id: str, run: str = "run", now: float = 2e9) -> None:
        """An agent begins to run the task."""
        self.dynamodb.update_item(**writes.claim(self.table, self.origin(task_id), run=run, attempt=1, now=now))

    def beats(self, task_id: str, progress: float, run: str = "run", now: float = 2e9) -> None:
        self.dynamodb.update_item(**writes.beat(self.table, self.origin(task_id), run=run, now=now, progress=progress))

    def ends(self, task_id: str, ending: writes.Ending, now: float = 2e9) -> None:
        self.dynamodb.update_item(**writes.end(self.table, self.origin(task_id), ending, now=now))


def request(task_id: str | None = None, options: Any = None, content: Any = None, **metadata: Any) -> dict[str, Any]:
    """The body of a submission. Without an id it has none."""
    named = {"runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "output", **metadata}
    if task_id is not None:
        named["id"] = task_id
    body: dict[str, Any] = {"task": {"metadata": named, "content": content or {"prompt": "a lighthouse"}}}
    return body if options is None else {**body, "options": options}


def new_id() -> str:
    return f"t-{uuid.uuid4()}"


@pytest.fixture(scope="session")
def dynamodb(aws_endpoint: str, session: boto3.Session) -> "DynamoDBClient":
    return session.client("dynamodb", endpoint_url=aws_endpoint)


@pytest.fixture(scope="session")
def standing_api(standing_door: FrontDoor, dynamodb: "DynamoDBClient") -> Api:
    return Api(standing_door, dynamodb).having()


@pytest.fixture
def api(door: FrontDoor, standing_api: Api) -> Api:
    """A single client's; times are as short as a test needs them."""
    return standing_api


WEB, BATCH = Client("web", key_id="key-of-web"), Client("batch", key_id="key-of-batch")


@pytest.fixture
def clients(api: Api) -> Callable[[Client], Api]:
    """The API as one of the two clients WEB and BATCH sees it."""
    shared = api.having(clients=Clients((WEB, BATCH)))
    return shared.as_client
