"""JSON that a page shows: what clients send and get, and callbacks."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from contract.callback import Callback
from contract.catalog import Catalog, RuntimeEntry
from contract.clients import EVERYBODY
from contract.errors import ContractError
from contract.runtimes import RuntimeType
from frontend_lambda import v1alpha1, v1alpha2
from frontend_lambda.caller import Caller

CATALOG = Catalog(
    (
        RuntimeEntry("sdruntime", RuntimeType.SDWEBUI, dynamic=True),
        RuntimeEntry("comfyruntime", RuntimeType.COMFYUI),
        RuntimeEntry("invokeruntime", RuntimeType.INVOKEAI),
        RuntimeEntry("kitruntime", RuntimeType.IMAGEKIT),
    )
)
"""The runtimes that the pages speak of."""

CALLER = Caller(EVERYBODY, CATALOG, "results")

ANSWERS = ({"id_task", "runtime", "output_location"}, {"id_task", "sd_model_checkpoint", "output_location"})


def request_problems(text: str) -> Iterator[str]:
    """A body for ``/v1alpha2``, or with ``alwayson_scripts`` at its top for ``/v1alpha1``."""
    value = yield from _parsed(text)
    if not isinstance(value, dict):
        return
    if "task" not in value and "alwayson_scripts" not in value:
        yield 'is no request ({"task": …}); say what it is by <!-- block: callback, response, error or json -->'
        return
    try:
        (v1alpha2 if "task" in value else v1alpha1).accept(value, CALLER)
    except ContractError as error:
        yield f"the front door refuses it: {error}"


def callback_problems(text: str) -> Iterator[str]:
    value = yield from _parsed(text)
    if not isinstance(value, dict):
        return
    try:
        Callback.model_validate(value)
    except ValidationError as error:
        yield f"is no callback: {error}"
    if set(value) != set(Callback.model_fields):
        yield f"a callback has {', '.join(Callback.model_fields)}, this one {', '.join(value)}"


def response_problems(text: str) -> Iterator[str]:
    value = yield from _parsed(text)
    if not isinstance(value, dict):
        return
    if set(value) not in ANSWERS:
        yield f"the front door answers {' or '.join(', '.join(sorted(keys)) for keys in ANSWERS)}"
    elif not (
        str(value["output_location"]).startswith("s3://") and value["output_location"].endswith(value["id_task"])
    ):
        yield "output_location is s3://BUCKET/PREFIX/ID"


def error_problems(text: str) -> Iterator[str]:
    value = yield from _parsed(text)
    if not isinstance(value, dict):
        return
    if set(value) != {"message", "errors"} or not isinstance(value["message"], str):
        yield 'an error is {"message": …, "errors": […]}'
    elif not isinstance(value["errors"], list) or any(set(error) != {"field", "problem"} for error in value["errors"]):
        yield 'each of errors is {"field": …, "problem": …}'


def json_problems(text: str) -> Iterator[str]:
    yield from _parsed(text)


def _parsed(text: str) -> Any:
    """The value; yields what is wrong with the text."""
    try:
        return json.loads(text)
    except ValueError as error:
        yield f"is not JSON: {error}"
        return None
