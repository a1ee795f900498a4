"""The function's environment."""

import pytest

from webhook_lambda.settings import REQUIRED, read

COMPLETE = {name: f"the {name}" for name in REQUIRED}


def test_a_complete_environment_is_read() -> None:
    settings = read(COMPLETE)
    assert settings.table == "the TASKS_TABLE"
    assert settings.secrets == "the SIGNING_KEYS"
    assert not settings.allow_loopback
    assert read({**COMPLETE, "LOOPBACK_WEBHOOKS": "true"}).allow_loopback


def test_everything_that_is_missing_or_wrong_is_named_at_once() -> None:
    with pytest.raises(ValueError, match="TASKS_TABLE is not set") as caught:
        read({"LOGLEVEL": "loud", "LOOPBACK_WEBHOOKS": "perhaps"})
    for name in (*REQUIRED, "LOGLEVEL", "LOOPBACK_WEBHOOKS", "'perhaps'"):
        assert name in str(caught.value)
