"""Ids that follow from what is asked for."""

import uuid

import pytest

from sd_on_eks import JobError
from sd_on_eks.identity import canonical, derived_id


def test_ids_follow_the_arguments_and_the_endpoint() -> None:
    request = {"a": 1, "b": [1.5]}
    found = derived_id("https://one.example/dev", request)

    assert found == derived_id("https://one.example/dev", {"b": [1.5], "a": 1})
    assert found != derived_id("https://two.example/dev", request)
    assert found != derived_id("https://one.example/dev", {**request, "a": 2})
    assert uuid.UUID(found).version == 5
    assert canonical({"a": [1.0, 0.5, True, None, "1.0"]}) == {"a": [1, 0.5, True, None, "1.0"]}


def test_what_json_cannot_hold_is_an_error() -> None:
    with pytest.raises(JobError, match="cannot be sent as JSON"):
        derived_id("https://one.example/dev", {"a": float("nan")})
