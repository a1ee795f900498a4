"""What the task API takes and answers, as schemas of the OpenAPI document."""

from contract.catalog import Catalog
from contract.task_table.item import MAX_OUTPUTS, State
from contract.webhook import DEFAULT_EVENTS, EVENTS, MAX_URL_LENGTH
from frontend_lambda.tasks.api import MAX_TASKS
from frontend_lambda.tasks.options import MAX_DEADLINE, MAX_LABEL_NAME, MAX_LABEL_VALUE, MAX_LABELS
from utils.guide import bodies
from utils.guide.bodies import Schema

NUMBER: Schema = {"type": ["number", "null"]}
TIME: Schema = {"type": "string", "format": "date-time"}
NO_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
TEXT: Schema = {"type": "string"}
NO_TEXT: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}


def schemas(catalog: Catalog | None) -> dict[str, Schema]:
    """By name, as the paths refer to them."""
    tasks = {f"New{name}": task for name, task in bodies.tasks(catalog, with_id=False).items()}
    return {
        "Submission": {
            "type": "object",
            "required": ["task"],
            "additionalProperties": False,
            "properties": {
                "task": {"oneOf": [ref(name) for name in tasks]},
                "options": _options(),
            },
        },
        "Submissions": {
            "type": "object",
            "required": ["tasks"],
            "additionalProperties": False,
            "properties": {
                "tasks": {"type": "array", "minItems": 1, "maxItems": MAX_TASKS, "items": {"type": "object"}},
            },
            "description": "Several tasks, each a `Submission`. Each is answered as if it had been sent by itself.",
        },
        **tasks,
        "Task": _task(),
        "Problem": _problem(),
    }


def _options() -> Schema:
    return {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "deadline": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": MAX_DEADLINE,
                "description": "Seconds from now. A task that has not ended by then expires.",
            },
            "labels": {
                "type": ["object", "null"],
                "maxProperties": MAX_LABELS,
                "propertyNames": {"pattern": rf"^[A-Za-z0-9._/-]{{1,{MAX_LABEL_NAME}}}$"},
                "additionalProperties": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MAX_LABEL_VALUE,
                    "pattern": r"^[^\x00-\x1f\x7f-\xa0\xad]+$",
                },
                "description": "To find tasks by. Printable text.",
            },
            "webhook": {
                "type": ["object", "null"],
                "required": ["url"],
                "additionalProperties": False,
                "properties": {
                    "url": {"type": "string", "maxLength": MAX_URL_LENGTH, "pattern": "^https://", "format": "uri"},
                    "events": {
                        "type": "array",
                        "minItems": 1,
                        "uniqueItems": True,
                        "items": {"enum": list(EVENTS)},
                        "default": list(DEFAULT_EVENTS),
                    },
                },
                "description": "Where the task's events are sent, signed: an HTTPS URL with a public address.",
            },
        },
    }


def _task() -> Schema:
    properties: dict[str, Schema] = {
        "id": TEXT,
        "status": {"type": "string", "enum": list(State)},
        "revision": {**COUNT, "description": "Grows with every change."},
        "runtime": TEXT,
        "tasktype": TEXT,
        "labels": {"type": "object", "additionalProperties": TEXT},
        "attempt": {**COUNT, "description": "Which run it is, or was; 0 before the first."},
        "created": TIME,
        "started": {**NO_TIME, "description": "When the present run began, or the last one."},
        "ended": NO_TIME,
        "deadline": NO_TIME,
        "expires": {**NO_TIME, "description": "When the API forgets the task. Its outputs stay."},
        "cancel_requested": {**NO_TIME, "description": "When a client asked a running task to stop."},
        "queue": {
            "type": ["object", "null"],
            "required": ["waiting_for", "ahead", "start_in"],
            "properties": {
                "waiting_for": {"enum": ["turn", "pod", "retry"]},
                "ahead": {"type": ["integer", "null"], "description": "Tasks before it; an estimate."},
                "start_in": {**NUMBER, "description": "Seconds; an estimate."},
            },
        },
        "progress": {
            "type": ["object", "null"],
            "required": ["value", "updated"],
            "properties": {"value": {"type": "number", "minimum": 0, "maximum": 1}, "updated": NO_TIME},
        },
        "outputs": {
            "type": "array",
            "maxItems": MAX_OUTPUTS,
            "items": {
                "type": "object",
                "required": ["n", "type", "bytes", "s3", "url", "url_expires"],
                "properties": {
                    "n": {"type": "integer", "minimum": 1},
                    "type": {**TEXT, "description": "The media type."},
                    "bytes": COUNT,
                    "s3": TEXT,
                    "url": {**NO_TEXT, "description": "Opens without a key until `url_expires`; null in lists."},
                    "url_expires": NO_TIME,
                },
            },
        },
        "outputs_omitted": {**COUNT, "description": "Further outputs, which only the record names."},
        "error": {
            "type": ["object", "null"],
            "required": ["type", "message", "retryable"],
            "properties": {"type": TEXT, "message": TEXT, "retryable": {"type": "boolean"}},
        },
        "usage": {
            "type": ["object", "null"],
            "required": ["gpu_seconds", "usd"],
            "properties": {"gpu_seconds": {"type": "number"}, "usd": NUMBER},
        },
        "webhook": {
            "type": ["object", "null"],
            "required": ["state", "tries", "last_status"],
            "properties": {"state": TEXT, "tries": COUNT, "last_status": {"type": ["integer", "null"]}},
        },
        "urls": {
            "type": "object",
            "required": ["self", "cancel", "record", "record_url"],
            "properties": {
                "self": TEXT,
                "cancel": TEXT,
                "record": NO_TEXT,
                "record_url": {**NO_TEXT, "description": "Opens the record without a key for an hour; null in lists."},
            },
        },
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _problem() -> Schema:
    field = {"type": "object", "required": ["field", "problem"], "properties": {"field": TEXT, "problem": TEXT}}
    return {
        "type": "object",
        "description": "RFC 9457, and the `message` and `errors` of the other routes.",
        "required": ["type", "title", "status", "detail", "message", "errors"],
        "properties": {
            "type": {**TEXT, "description": "For programs; it does not change."},
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": {**TEXT, "description": "For people."},
            "message": {**TEXT, "description": "The same as `detail`."},
            "errors": {"type": "array", "items": field},
        },
    }


def ref(name: str) -> Schema:
    """A reference to the schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}
