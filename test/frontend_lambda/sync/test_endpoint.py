"""``GET /text-to-image?prompt=`` by a SageMaker endpoint, which a server on loopback stands in for at the wire."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiohttp import ClientSession
from botocore.exceptions import NoCredentialsError

from contract.clients import Client, Clients
from contract.policy import TaskPolicy
from contract.sync_routes import TextToImageRoute
from frontend_lambda.handler import make_handler
from frontend_lambda.sync.results import Results, SyncLimits
from test.frontend_lambda.conftest import FrontDoor
from test.frontend_lambda.sync.agent import PATIENCE, key_id
from test.frontend_lambda.sync.test_text_to_image import get

NAME = "jumpstart-sd"
JPEG = b"\xff\xd8\xff a jpeg"
ANSWER = {"generated_images": [base64.b64encode(JPEG).decode()], "prompt": "said by the model"}
MODEL_ERROR = {"Code": "ModelError", "Message": "Received client error", "OriginalMessage": "width must be 512"}


@dataclass
class Endpoint:
    """The stand-in: what it answers, and the requests that it got."""

    url: str = ""
    status: int = 200
    body: Any = field(default_factory=lambda: ANSWER)
    error: str = ""
    seconds: float = 0.0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.requests.append((self.path, dict(self.headers.items()), body))
            time.sleep(state.seconds)
            answer = state.body if isinstance(state.body, bytes) else json.dumps(state.body).encode()
            self.send_response(state.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            if state.error:
                self.send_header("x-amzn-ErrorType", state.error)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def _door(
    door: FrontDoor, endpoint: Endpoint, *clients: Client, total: float = PATIENCE, max_pixels: int = 2**24
) -> FrontDoor:
    """The same place with the route."""
    route = TextToImageRoute(endpoint=NAME, policy=TaskPolicy(max_pixels=max_pixels))
    settings = replace(door.settings, sync_text_to_image=route, sagemaker_url=endpoint.url, clients=Clients(clients))
    handler = make_handler(settings, door.session, sync_limits=SyncLimits(total=total))
    return replace(door, settings=settings, handler=handler)


async def test_the_endpoint_gets_the_services_call_and_its_image_becomes_a_link(
    door: FrontDoor, endpoint: Endpoint
) -> None:
    # When
    answer = get(_door(door, endpoint), "text-to-image", {"prompt": "cyborg_tiger"})

    # Then
    ((path, headers, body),) = endpoint.requests
    assert path == f"/endpoints/{NAME}/invocations"
    assert (headers["Content-Type"], headers["Accept"]) == ("application/json", "application/json;jpeg")
    assert json.loads(body) == {"prompt": "cyborg_tiger", "width": 512, "height": 512}
    assert (answer.status, sorted(answer.body)) == (200, ["prompt", "url"])
    assert answer.body["prompt"] == "cyborg_tiger"
    async with ClientSession() as session, session.get(answer.body["url"]) as opened:
        assert (opened.status, await opened.read()) == (200, JPEG)
        assert opened.headers["Content-Type"] == "image/jpeg"
    assert door.received_anywhere() == {}


def test_each_image_has_a_name_of_its_own_in_the_clients_folder(door: FrontDoor, endpoint: Endpoint) -> None:
    # Given requests that API Gateway gives no id
    client = Client("shop", prefixes=("shop/orders",), key_id=key_id(door))
    routes = _door(door, endpoint, client)
    context = {**door.event("x", None)["requestContext"], "requestId": None}

    # When
    links = {
        get(routes, "text-to-image", {"prompt": "a"}, requestContext=context).body["url"].partition("?")[0]
        for _ in range(3)
    }

    # Then
    assert len(links) == 3
    assert all("/shop/orders/sync/" in link and link.endswith(".jpg") for link in links)


def test_an_image_that_cannot_be_linked_is_stored_and_its_url_null(
    door: FrontDoor, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given credentials that are gone once the image is stored
    def no_credentials(results: Results, key: str) -> str:
        raise NoCredentialsError

    monkeypatch.setattr(Results, "link", no_credentials)

    # When
    answer = get(_door(door, endpoint), "text-to-image", {"prompt": "a"})

    # Then
    assert (answer.status, answer.body) == (200, {"url": None, "prompt": "a"})


@pytest.mark.parametrize(
    ("query", "field"),
    [({}, "prompt"), ({"prompt": "a", "width": "65"}, "width"), ({"prompt": "a", "width": "2048"}, "width")],
)
def test_a_wrong_request_is_refused_before_the_endpoint_is_called(
    door: FrontDoor, endpoint: Endpoint, query: dict[str, str], field: str
) -> None:
    answer = get(_door(door, endpoint, max_pixels=1024 * 1024 - 1), "text-to-image", query)

    assert (answer.status, answer.body["message"]) == (400, "invalid param")
    assert answer.fields[0] in {field, ""}
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("answers", "expected", "text"),
    [
        ((200, "", {"generated_images": []}), 502, "generated_images"),
        ((200, "", {"generated_images": [[[0, 0, 0]]]}), 502, "generated_images"),
        ((200, "", b"no json"), 502, "generated_images"),
        ((424, "ModelError", {**MODEL_ERROR, "OriginalStatusCode": 400}), 400, "width must be 512"),
        ((424, "ModelError", {**MODEL_ERROR, "OriginalStatusCode": 500}), 502, "width must be 512"),
        ((400, "ValidationError", {"Message": "Endpoint sd of account 1 not found."}), 502, "cannot be called"),
        ((400, "ThrottlingException", {"Message": "Rate exceeded"}), 503, "again later"),
        ((429, "ModelNotReadyException", {"Message": "not ready"}), 503, "again later"),
        ((503, "ServiceUnavailable", {"Message": "capacity"}), 503, "again later"),
    ],
)
def test_an_endpoint_that_fails_is_answered_with_the_cause_and_called_once(
    door: FrontDoor, endpoint: Endpoint, answers: tuple[int, str, Any], expected: int, text: str
) -> None:
    # Given
    endpoint.status, endpoint.error, endpoint.body = answers

    # When
    answer = get(_door(door, endpoint), "text-to-image", {"prompt": "a"})

    # Then
    assert answer.status == expected
    assert text in json.dumps(answer.body)
    assert "account" not in json.dumps(answer.body)
    assert len(endpoint.requests) == 1


def test_an_endpoint_that_is_too_slow_is_504(door: FrontDoor, endpoint: Endpoint) -> None:
    # Given
    endpoint.seconds = 1.0

    # When
    answer = get(_door(door, endpoint, total=0.3), "text-to-image", {"prompt": "a"})

    # Then
    assert (answer.status, len(endpoint.requests)) == (504, 1)
    assert "longer than 0.3 s" in answer.body["message"]


def test_an_endpoint_that_cannot_be_reached_is_503(door: FrontDoor) -> None:
    answer = get(_door(door, Endpoint(url="http://127.0.0.1:9")), "text-to-image", {"prompt": "a"})

    assert answer.status == 503


def test_a_client_with_runtimes_of_its_own_has_no_endpoint(door: FrontDoor, endpoint: Endpoint) -> None:
    # Given
    client = Client("shop", runtimes=("sdruntime",), key_id=key_id(door))

    # When
    answer = get(_door(door, endpoint, client), "text-to-image", {"prompt": "a"})

    # Then
    assert answer.status == 403
    assert endpoint.requests == []
