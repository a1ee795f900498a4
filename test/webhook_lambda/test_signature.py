"""Signatures, verified with the library of Standard Webhooks."""

import time
from dataclasses import replace

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from contract.task_event import TaskEvent
from contract.webhook_secret import key_of, new_secret
from webhook_lambda.signature import signed, webhook_id

EVENT = TaskEvent(client="default", id="a1", request="r1", event="ended", runtime="sdruntime")
BODY = '{"type":"task.ended","data":{"id":"ünïcode"}}'.encode()


def test_the_official_library_verifies_what_was_signed() -> None:
    secret = new_secret()
    headers = signed("msg_1", int(time.time()), BODY, [key_of(secret)])
    assert Webhook(secret).verify(BODY, dict(headers))["type"] == "task.ended"


@pytest.mark.parametrize("change", ["body", "id", "timestamp", "secret"])
def test_whatever_is_changed_is_noticed(change: str) -> None:
    secret = new_secret()
    headers = dict(signed("msg_1", int(time.time()), BODY, [key_of(secret)]))
    if change == "id":
        headers["webhook-id"] = "msg_2"
    if change == "timestamp":
        headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) - 1)
    body = BODY.replace(b"ended", b"begun") if change == "body" else BODY
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret() if change == "secret" else secret).verify(body, headers)


def test_during_a_rotation_both_secrets_verify() -> None:
    old, new = new_secret(), new_secret()
    headers = signed("msg_1", int(time.time()), BODY, [key_of(new), key_of(old)])
    for secret in (old, new):
        Webhook(secret).verify(BODY, dict(headers))


def test_an_event_has_one_id_and_every_other_has_another() -> None:
    others = [replace(EVENT, **{name: "x"}) for name in ("client", "id", "request", "event")]
    assert webhook_id(EVENT) == webhook_id(replace(EVENT, runtime="other"))
    assert len({webhook_id(event) for event in (EVENT, *others)}) == 5
