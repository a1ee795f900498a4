"""The secrets that webhooks are signed with."""

import base64

import pytest
from standardwebhooks import Webhook

from contract.webhook_secret import KEY_BYTES, SECRET_CHARACTERS, key_of, new_secret, shown_secret


def test_a_new_secret_is_one_that_libraries_take() -> None:
    secret = new_secret()
    assert len(key_of(secret)) == KEY_BYTES
    assert Webhook(secret)._whsecret == key_of(secret)
    assert new_secret() != secret


def test_what_cloudformation_generates_is_shown_with_the_prefix_and_is_the_same_key() -> None:
    stored = "aB3" * 13 + "x"
    assert len(stored) == SECRET_CHARACTERS
    assert shown_secret(stored) == shown_secret(shown_secret(stored)) == f"whsec_{stored}"
    assert key_of(stored) == key_of(f"whsec_{stored}\n") == Webhook(f"whsec_{stored}")._whsecret


@pytest.mark.parametrize("stored", ["", "whsec_", "short", "!" * 40, base64.b64encode(b"x" * 23).decode(), "a" * 41])
def test_what_is_no_secret_is_refused_and_not_shown(stored: str) -> None:
    with pytest.raises(ValueError, match="the secret") as caught:
        key_of(stored)
    assert not stored.removeprefix("whsec_") or stored not in str(caught.value)
