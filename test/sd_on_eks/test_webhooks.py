"""Webhooks, verified by the client as by the official library."""

import json
import time

import pytest
import requests
from standardwebhooks import Webhook as Official

from contract.task_event import TaskEvent
from contract.webhook_secret import key_of, new_secret
from sd_on_eks import ConfigError, InvalidWebhook, verify_webhook
from test.docs.pages import read_page
from test.docs.test_webhook_receiver import receiver
from test.support.platform import PATIENCE, until
from webhook_lambda.signature import signed, webhook_id

SECRET = new_secret()

EVENT = TaskEvent(client="default", id="lighthouse-1", request="r", event="ended", runtime="sdruntime")

TASK = {
    "id": "lighthouse-1",
    "status": "completed",
    "revision": 3,
    "runtime": "sdruntime",
    "tasktype": "text-to-image",
    "created": "2026-01-31T12:00:00Z",
    "outputs": [{"n": 1, "type": "image/png", "bytes": 3, "s3": "s3://b/output/a.png", "url": "https://b/a.png"}],
    "urls": {"self": "https://api/v1alpha2/tasks/lighthouse-1", "cancel": "https://api/cancel", "record": None},
}

BODY = json.dumps({"type": "task.ended", "timestamp": "2026-01-31T12:00:02.500Z", "data": TASK}).encode()


def headers(*secrets: str, body: bytes = BODY, age: int = 0) -> dict[str, str]:
    """As the platform makes them, ``age`` seconds ago."""
    return dict(signed(webhook_id(EVENT), int(time.time()) - age, body, [key_of(secret) for secret in secrets]))


def test_an_event_has_its_task() -> None:
    event = verify_webhook(BODY, headers(SECRET), SECRET)

    assert (event.id, event.type, event.data.id) == (webhook_id(EVENT), "task.ended", "lighthouse-1")
    assert event.data.completed
    assert event.data.outputs[0].name == "a.png"
    assert event.timestamp.year == 2026


def test_what_the_official_library_signs_is_valid_and_both_agree_on_the_rest() -> None:
    official = Official(SECRET)
    accepted = headers(SECRET)
    official.verify(BODY, accepted)
    assert verify_webhook(BODY, accepted, SECRET)

    for body, sent in ((BODY + b" ", accepted), (BODY, headers(new_secret())), (BODY, headers(SECRET, age=400))):
        with pytest.raises(Exception, match=r".+"):
            official.verify(body, sent)
        with pytest.raises(InvalidWebhook):
            verify_webhook(body, sent, SECRET)


def test_during_a_rotation_either_secret_verifies() -> None:
    newer = new_secret()
    sent = headers(newer, SECRET)

    assert verify_webhook(BODY, sent, SECRET) == verify_webhook(BODY, sent, newer)


def test_names_of_headers_have_any_case_and_secrets_go_without_their_prefix() -> None:
    sent = {name.upper(): value for name, value in headers(SECRET).items()}

    assert verify_webhook(BODY, sent, SECRET.removeprefix("whsec_"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"webhook-id": ""}, "no header webhook-id"),
        ({"webhook-timestamp": "now"}, "must be epoch seconds, is 'now'"),
        ({"webhook-timestamp": "²"}, "must be epoch seconds"),
        ({"webhook-id": "msg_other"}, "no signature is by this secret"),
        ({"webhook-signature": "v1,none v2,é"}, "no signature is by this secret"),
    ],
)
def test_a_request_that_is_none_is_refused(changes: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidWebhook, match=problem):
        verify_webhook(BODY, {**headers(SECRET), **changes}, SECRET)


def test_an_old_request_is_refused_unless_any_time_is_accepted() -> None:
    recorded = headers(SECRET, age=86_400)

    with pytest.raises(InvalidWebhook, match=r"signed 8640\d s ago; 300 s are allowed"):
        verify_webhook(BODY, recorded, SECRET)
    assert verify_webhook(BODY, recorded, SECRET, tolerance=None)


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"type": "task.ended"}', b"\xff"])
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidWebhook, match="no event of a task"):
        verify_webhook(body, headers(SECRET, body=body), SECRET)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_%%", "é"])
def test_a_secret_that_is_none_is_an_error_that_does_not_show_it(secret: str) -> None:
    with pytest.raises(ConfigError) as refused:
        verify_webhook(BODY, headers(SECRET), secret)

    assert "%%" not in str(refused.value)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_receiver_of_the_guide_takes_what_is_signed_with_its_secret(language: str) -> None:
    page = read_page(f"docs/{language}/how-to/client.md")
    (program,) = [block.text for block in page.blocks if (block.language, block.marker) == ("python", "code")]

    with receiver(program, SECRET) as (url, printed):
        until(lambda: reachable(url))
        statuses = [
            requests.post(url, BODY, headers=headers(secret), timeout=PATIENCE).status_code
            for secret in (new_secret(), SECRET)
        ]

        assert statuses == [401, 204]
        assert printed.readline() == f"{webhook_id(EVENT)} task.ended lighthouse-1 completed\n"


def reachable(url: str) -> bool:
    try:
        return requests.get(url, timeout=PATIENCE).status_code == 501
    except requests.ConnectionError:
        return False
