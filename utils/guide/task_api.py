"""The task API's paths in the OpenAPI document."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from contract.task import MAX_RUNTIME_LENGTH
from contract.task_table.item import State
from frontend_lambda.tasks import files, listing
from frontend_lambda.tasks.options import MAX_LABEL_NAME, MAX_LABEL_VALUE
from frontend_lambda.tasks.timings import TaskTimings
from utils.guide import bodies
from utils.guide.bodies import Schema
from utils.guide.task_schemas import COUNT, NO_TEXT, NUMBER, TEXT, TIME, ref

Operation: TypeAlias = dict[str, Any]

WAIT = f"{TaskTimings().wait:g}"


ID = {"name": "id", "in": "path", "required": True, "description": "The task's id.", "schema": bodies.TASK_ID}
NUMBER_OF_OUTPUT = {
    "name": "n",
    "in": "path",
    "required": True,
    "description": "The output's number, from 1.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999},
}
PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": f"`wait=N`: answer when the task has ended, after N seconds at the latest, {WAIT} at most. With "
    "`If-None-Match`: when the task has another revision.",
    "schema": {"type": "string", "examples": [f"wait={WAIT}"]},
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of the revision that the caller has; while it is the latest, the answer is 304.",
    "schema": TEXT,
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The id of a task whose metadata have none. For a single task only.",
    "schema": bodies.TASK_ID,
}

MEANINGS: Mapping[int, str] = {
    400: "Nothing was done. `errors` names every field, parameter or header that is wrong.",
    401: "The header x-api-key is missing, or holds no valid key.",
    403: "The API key belongs to no client of config.yaml.",
    404: "The client has no such task, or the task no such output.",
    413: "The request is too large: 10 MiB for API Gateway, 6 MiB with its quotes escaped for Lambda. Send links.",
    422: "The id belongs to a task that another body made.",
    429: "Too many requests.",
    500: "The API failed.",
    502: "The API failed.",
    503: "AWS did not answer. The same request can be sent again.",
    504: "The API did not answer within 29 s.",
}


def paths() -> dict[str, Any]:
    """By path, without the stage."""
    return {
        "/v1alpha2/tasks": {"post": _submit(), "get": _list()},
        "/v1alpha2/tasks/{id}": {"get": _read()},
        "/v1alpha2/tasks/{id}/cancel": {"post": _cancel()},
        "/v1alpha2/tasks/{id}/outputs/{n}": {"get": _output()},
        "/v1alpha2/files": {"post": _upload()},
        "/v1alpha2/runtimes": {"get": _runtimes()},
    }


def _submit() -> Operation:
    several = {
        "type": "object",
        "required": ["results"],
        "properties": {
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["status", "task", "error"],
                    "properties": {
                        "status": {"type": "integer", "description": "What a single task would have got."},
                        "task": {"oneOf": [ref("Task"), {"type": "null"}]},
                        "error": {"oneOf": [ref("Problem"), {"type": "null"}]},
                    },
                },
            }
        },
    }
    return {
        "operationId": "submitTask",
        "summary": "Queue a task, or several. The same body with the same id again is the same task.",
        "parameters": [PREFER, IDEMPOTENCY_KEY],
        "requestBody": _body({"anyOf": [ref("Submission"), ref("Submissions")]}),
        "responses": {
            "200": _answer(
                {"anyOf": [ref("Task"), several]},
                "The task was there already, or has ended; or the results of several.",
            ),
            "202": _answer(ref("Task"), "The task is queued.", location=True),
            **_problems(400, 413, 422, 503),
        },
    }


def _list() -> Operation:
    def parameter(name: str, schema: Schema, description: str) -> dict[str, Any]:
        return {"name": name, "in": "query", "description": description, "schema": schema}

    label = {"type": "array", "items": {"type": "string", "pattern": _label_pattern()}}
    page = {
        "type": "object",
        "required": ["tasks", "next"],
        "properties": {
            "tasks": {
                "type": "array",
                "items": ref("Task"),
                "description": "Their outputs have the links that `links` asks for.",
            },
            "next": {**NO_TEXT, "description": "The cursor of the next page; null where there is none."},
        },
    }
    return {
        "operationId": "listTasks",
        "summary": "The client's tasks, the newest first.",
        "parameters": [
            parameter("status", {"type": "string", "enum": list(State)}, "Only tasks of this status."),
            parameter(
                "runtime",
                {"type": "string", "minLength": 1, "maxLength": MAX_RUNTIME_LENGTH},
                "Only tasks of this runtime.",
            ),
            parameter("label", label, "`name:value`; only tasks that have it. May be repeated: all must fit."),
            parameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": listing.MAX_LIMIT, "default": listing.DEFAULT_LIMIT},
                "Tasks of a page at most. There may be fewer where filters leave many out.",
            ),
            parameter("cursor", TEXT, "`next` of the page before, with the same filters."),
            parameter(
                "links",
                {"type": "integer", "minimum": 0, "maximum": listing.MAX_LINKS, "default": 0},
                "How many outputs of each task have a link, the first ones; from 1 on records have one, too.",
            ),
        ],
        "responses": {
            "200": _answer(page, 'A page. `Link: <…>; rel="next"` leads to the next one.'),
            **_problems(400, 503),
        },
    }


def _read() -> Operation:
    return {
        "operationId": "readTask",
        "summary": "A task as it is now, or when it has changed.",
        "parameters": [ID, PREFER, IF_NONE_MATCH],
        "responses": {
            "200": _answer(ref("Task"), "The task.", location=True),
            "304": {"description": "The caller has the latest revision."},
            **_problems(400, 404, 503),
        },
    }


def _cancel() -> Operation:
    return {
        "operationId": "cancelTask",
        "summary": "Stop a task. To ask again changes nothing.",
        "parameters": [ID],
        "responses": {
            "200": _answer(ref("Task"), "The task has ended: canceled, or as it had ended before.", location=True),
            "202": _answer(ref("Task"), "The task runs, and its agent stops it within seconds.", location=True),
            **_problems(400, 404, 503),
        },
    }


def _output() -> Operation:
    return {
        "operationId": "readOutput",
        "summary": "An output of a task, at an address that does not expire.",
        "parameters": [ID, NUMBER_OF_OUTPUT],
        "responses": {
            "302": {
                "description": "`Location` is a link that opens without a key for an hour at most.",
                "headers": {"Location": {"schema": TEXT}},
            },
            **_problems(400, 404, 503),
        },
    }


def _upload() -> Operation:
    answer = {
        "type": "object",
        "required": ["s3", "method", "url", "headers", "url_expires"],
        "properties": {
            "s3": {**TEXT, "description": "The link for a task's `content`. Only the client's own tasks can read it."},
            "method": {"const": "PUT"},
            "url": {**TEXT, "description": "Where the file goes, without a key."},
            "headers": {"type": "object", "additionalProperties": TEXT, "description": "What the PUT must send."},
            "url_expires": TIME,
        },
    }
    body = {
        "type": "object",
        "required": ["bytes"],
        "additionalProperties": False,
        "properties": {
            "bytes": {"type": "integer", "minimum": 1, "maximum": files.MAX_BYTES, "description": "The file's size."},
            "name": {"type": "string", "pattern": r"^(?=.*[^.])[A-Za-z0-9._-]{1,64}$", "default": files.DEFAULT_NAME},
            "type": {
                "type": ["string", "null"],
                "pattern": "^[A-Za-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64}$",
                "description": "Its media type.",
            },
        },
    }
    return {
        "operationId": "uploadFile",
        "summary": "A link to upload a file to, for tasks to start from.",
        "requestBody": _body(body),
        "responses": {"201": _answer(answer, "Where to PUT the file."), **_problems(400, 413)},
    }


def _runtimes() -> Operation:
    runtime = {
        "type": "object",
        "properties": {
            "name": TEXT,
            "type": TEXT,
            "tasktypes": {"type": "array", "items": TEXT},
            "model": NO_TEXT,
            "dynamic_model": {"type": "boolean"},
            "tasks": {
                "type": ["object", "null"],
                "properties": {"waiting": COUNT, "taken": COUNT},
                "description": "How many wait, and how many pods have taken.",
            },
            "pods": {"type": "object", "properties": {"ready": COUNT, "starting": COUNT}},
            "mean_seconds": {**NUMBER, "description": "Of a run; null before the first."},
            "usd_per_task": {**NUMBER, "description": "Of a run, by the mean and the price of a GPU."},
            "start_in": {**NUMBER, "description": "Seconds that a task would wait that is sent now; an estimate."},
        },
    }
    runtime["required"] = list(runtime["properties"])
    answer = {
        "type": "object",
        "required": ["runtimes"],
        "properties": {"runtimes": {"type": "array", "items": runtime}},
    }
    return {
        "operationId": "listRuntimes",
        "summary": "The runtimes that the client may use, and how long a task would wait.",
        "responses": {"200": _answer(answer, "The runtimes."), **_problems(400)},
    }


def _problems(*own: int) -> dict[str, Any]:
    """By status: the problems of this operation, and those that every one has."""
    gateway = {"application/json": {"schema": ref("Error")}}
    function = {"application/problem+json": {"schema": ref("Problem")}}
    return {
        str(status): {
            "description": MEANINGS[status],
            "content": function if status in {404, 422} else {**function, **gateway},
        }
        for status in sorted({*own, 401, 403, 429, 500, 502, 504})
    }


def _answer(schema: Schema, meaning: str, *, location: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": meaning, "content": {"application/json": {"schema": schema}}}
    if location:
        answer["headers"] = {
            "Location": {"description": "The task's address.", "schema": TEXT},
            "ETag": {"description": "The task's revision.", "schema": TEXT},
            "Retry-After": {
                "description": "Seconds until it is worth asking again; not of a task that has ended.",
                "schema": {"type": "integer"},
            },
        }
    return answer


def _body(schema: Schema) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _label_pattern() -> str:
    return rf"^[A-Za-z0-9._/-]{{1,{MAX_LABEL_NAME}}}:[^\x00-\x1f\x7f-\xa0\xad]{{1,{MAX_LABEL_VALUE}}}$"
