"""The OpenAPI documents say what the front door does: schemathesis sends what they allow and what they do not."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import TypeAdapter
from schemathesis.config import SchemathesisConfig

from contract.catalog import Catalog, RuntimeEntry
from contract.policy import TaskPolicy, violations
from contract.runtimes import TASK_TYPES, RuntimeType
from frontend_lambda.body import MAX_INTEGER_CHARACTERS
from frontend_lambda.handler import make_handler
from frontend_lambda.tasks.timings import TaskTimings
from infra.config.model import Runtime
from utils.guide.openapi import document
from utils.local.gateway import Gateway
from utils.local.usage import ApiKey

from .conftest import RUNTIMES, FrontDoor

KEY = "a-local-key"

PATIENCE = 60
"""Seconds for one answer on a machine that does other things, too."""

CONFIG = {
    "seed": 1,
    "generation": {"codec": "ascii", "max-examples": 60, "database": "none", "allow-x00": False},
    "auth": {"openapi": {"key": {"api_key": KEY}}},
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["200", "201", "202", "302", "304", "404", "422"]},
        "negative_data_rejection": {"expected-statuses": ["400", "401", "404", "405"]},
    },
}


@pytest.fixture(scope="module")
def endpoint(standing_door: FrontDoor) -> Iterator[str]:
    """The gateway with the real handler behind it, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    routes = [(route.method, route.path) for route in standing_door.topology.api.routes]
    keys = [ApiKey(value=KEY, rate=100_000, burst=100_000)]
    hasty = TaskTimings(wait=0.1, poll=0.05)
    handler = make_handler(standing_door.settings, standing_door.session, task_timings=hasty)
    gateway = Gateway(handler, stage="dev", routes=routes, keys=keys)
    asyncio.run_coroutine_threadsafe(gateway.start(), loop).result()
    yield gateway.endpoint.removesuffix("/")
    asyncio.run_coroutine_threadsafe(gateway.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


CATALOG = Catalog(
    tuple(
        RuntimeEntry(runtime.name, runtime.type, runtime.model_filename, runtime.dynamic_model)
        for runtime in TypeAdapter(tuple[Runtime, ...]).validate_python(RUNTIMES)
    )
)
"""What the front door of these tests serves."""


def loaded(version: str) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_dict(document(version, CATALOG), config=SchemathesisConfig.from_dict(CONFIG))


@pytest.mark.slow
@schemathesis.pytest.parametrize(v1alpha1=loaded("v1alpha1"), v1alpha2=loaded("v1alpha2"))
@settings(max_examples=100, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_the_front_door_does_what_its_document_says(case: schemathesis.Case[Any], endpoint: str) -> None:
    if not (holds_long_integer(case.body) or breaks_the_policy(case.body) or beyond_schemas(case)):
        case.call_and_validate(base_url=endpoint, timeout=PATIENCE)


def beyond_schemas(case: schemathesis.Case[Any]) -> bool:
    """No schema says which cursors are those of earlier pages, which addresses of webhooks are public, and that a
    header is for a single task whose metadata have no id."""
    body = case.body if isinstance(case.body, dict) else {}
    options = body.get("options")
    return (
        "cursor" in (case.query or {})
        or (isinstance(options, dict) and options.get("webhook") is not None)
        or (("tasks" in body or _has_id(body)) and "Idempotency-Key" in (case.headers or {}))
    )


def _has_id(body: dict[str, Any]) -> bool:
    task = body.get("task")
    metadata = task.get("metadata") if isinstance(task, dict) else None
    return isinstance(metadata, dict) and "id" in metadata


def breaks_the_policy(body: Any) -> bool:
    """Such a body is refused by a configuration, which the document only mentions."""
    task = body.get("task", body) if isinstance(body, dict) else None
    if not isinstance(task, dict):
        return False
    content = task.get("content", task)
    return isinstance(content, dict) and any(
        violations(TaskPolicy(), type_, tasktype, content) for type_ in RuntimeType for tasktype in TASK_TYPES[type_]
    )


def holds_long_integer(value: Any) -> bool:
    """Such a body is refused, and no schema can say so: to it, 1e30 and the same in digits are one number."""
    match value:
        case dict():
            return any(holds_long_integer(item) for item in value.values())
        case list():
            return any(holds_long_integer(item) for item in value)
        case int():
            return len(str(value)) > MAX_INTEGER_CHARACTERS
    return False
