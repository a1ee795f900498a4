"""The OpenAPI 3.1 documents of the front door, one for each version of the API."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from contract.catalog import Catalog
from contract.errors import MAX_PROBLEMS
from contract.runtimes import RuntimeType, TaskType
from frontend_lambda.body import MAX_DEPTH, MAX_INTEGER_CHARACTERS
from infra.config.api import Throttle
from utils.guide import bodies, task_api, task_schemas
from utils.smoke import samples

Document: TypeAlias = dict[str, Any]

THROTTLE = Throttle()

VERSIONS = ("v1alpha1", "v1alpha2")

RUNTIMES: Mapping[RuntimeType, str] = {
    RuntimeType.SDWEBUI: "sdruntime",
    RuntimeType.COMFYUI: "comfyruntime",
    RuntimeType.INVOKEAI: "invokeruntime",
    RuntimeType.IMAGEKIT: "kitruntime",
}
"""What the guide's examples call the runtimes."""

TITLE = "Stable Diffusion on EKS"
NUMBER = {"v1alpha1": "1alpha1", "v1alpha2": "1alpha2"}

ABOUT = (
    "Takes a task, responds at once, and reports the result by a callback on the stack's output topic. "
    f"A body nests at most {MAX_DEPTH} levels; its numbers are finite, and integers have at most "
    f"{MAX_INTEGER_CHARACTERS} characters; its text is valid Unicode. What a task may ask for, such as its size, "
    "settings, scripts and nodes, is limited by the `taskPolicy` of config.yaml; a task over it is refused with 400."
)

SUMMARIES = {
    "v1alpha2": "Queue a task for a runtime of any type.",
    "v1alpha1": "Queue a task for an SD WebUI runtime, as its own API takes it.",
}

REFUSED = "Nothing was queued. `errors` names every field that is wrong, the first {} at most."

ANSWERS: Mapping[str, tuple[str, str]] = {
    "400": (REFUSED.format(MAX_PROBLEMS), "the request was refused: task.metadata.id is required"),
    "401": (
        "The header x-api-key is missing, or holds no valid key.",
        "The x-api-key header is missing, or its key is not valid.",
    ),
    "403": (
        "The API key belongs to no client of config.yaml.",
        "the API key belongs to no client; ask the operator for your client's key",
    ),
    "413": (
        "The request is too large: 10 MiB for API Gateway, 6 MiB with its quotes escaped for Lambda. Send links.",
        "The body is too large; put large inputs in S3 or on the web, and send links.",
    ),
    "429": (
        (
            f"Too many requests; unless config.yaml says otherwise, {THROTTLE.rate_limit:g} a second and "
            f"{THROTTLE.burst_limit} at once are answered. Or the client has sent its requests of the day."
        ),
        "Too many requests; try again in a moment.",
    ),
    "500": ("The API failed; nothing was queued.", "the task was not accepted: the API failed"),
    "502": ("The API failed; nothing was queued.", "The request could not be handled; try again."),
    "503": (
        "AWS did not take the task; nothing was queued.",
        "the task was not accepted: it could not be queued; send it again later",
    ),
    "504": (
        "The API did not answer within 29 s; whether the task was queued is not known.",
        "The request could not be handled; try again.",
    ),
}
"""By status: what it means, and a message. All have the same shape."""

LOCATION = {
    "Location": {
        "description": "The task's address in the task API. Absent where the id is that of a task of the task API.",
        "schema": {"type": "string"},
    }
}

HEADERS = {
    "x-amzn-RequestId": {
        "description": "The request's id, as the access log and the function's log have it.",
        "schema": {"type": "string"},
    }
}


def document(version: str, catalog: Catalog | None = None) -> Document:
    """The document of a version.

    ``catalog`` makes it that of one deployment, which names its runtimes; without it they are any.
    """
    newest = version == VERSIONS[-1]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": NUMBER[version],
            "description": ABOUT,
            "license": {"name": "MIT-0", "identifier": "MIT-0"},
        },
        "servers": [_server("amazonaws.com", "us-east-1"), _server("amazonaws.com.cn", "cn-northwest-1")],
        "security": [{"key": []}],
        "paths": {f"/{version}": {"post": _operation(version, catalog)}, **(task_api.paths() if newest else {})},
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
            "schemas": {
                **_requests(version, catalog),
                "Answer": _answer(version),
                "Error": _error(),
                **(task_schemas.schemas(catalog) if newest else {}),
            },
        },
    }


def _server(domain: str, region: str) -> dict[str, Any]:
    return {
        "url": f"https://{{api}}.execute-api.{{region}}.{domain}/{{stage}}",
        "description": "The stack's output FrontApiEndpoint.",
        "variables": {
            "api": {"default": "abcdef1234"},
            "region": {"default": region},
            "stage": {"default": "dev", "description": "APIGW.stageName of config.yaml."},
        },
    }


def _operation(version: str, catalog: Catalog | None) -> dict[str, Any]:
    return {
        "operationId": f"queueTask{version.capitalize()}",
        "summary": SUMMARIES[version],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Request"},
                    "examples": _examples(version, catalog),
                }
            },
        },
        "responses": {
            "200": {
                "description": "The task is queued. Its callback follows when it ended.",
                "headers": {**HEADERS, **LOCATION},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}},
            },
            **{status: _refusal(*text) for status, text in ANSWERS.items()},
        },
    }


def _refusal(meaning: str, message: str) -> dict[str, Any]:
    return {
        "description": meaning,
        "headers": HEADERS,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "example": {"message": message, "errors": _problems(message)},
            }
        },
    }


def _problems(message: str) -> list[dict[str, str]]:
    if not message.startswith("the request was refused"):
        return []
    return [{"field": "task.metadata.id", "problem": "is required"}]


def _examples(version: str, catalog: Catalog | None) -> dict[str, Any]:
    """The guide's requests, each for a runtime that serves it."""
    examples = {}
    for name in samples.NAMES:
        tasktype = TaskType(name.partition("-")[2])
        runtime = _runtime_name(tasktype, catalog)
        if samples.version(name) == version and runtime:
            examples[tasktype.value] = {"value": samples.request(name, runtime=runtime)}
    return examples


def _runtime_name(tasktype: TaskType, catalog: Catalog | None) -> str | None:
    kind = bodies.runtime_type(tasktype)
    if catalog is None:
        return RUNTIMES[kind]
    return next((runtime.name for runtime in catalog.runtimes if runtime.type is kind), None)


def _requests(version: str, catalog: Catalog | None) -> dict[str, Any]:
    if version == "v1alpha1":
        wrapped = {
            "type": "object",
            "description": 'Clients may also wrap the body: `{"task": {…}}`.',
            "required": ["task"],
            "properties": {"task": {"$ref": "#/components/schemas/WebUIBody"}},
            "not": {"required": ["alwayson_scripts"]},
        }
        return {
            "Request": {"anyOf": [{"$ref": "#/components/schemas/WebUIBody"}, wrapped]},
            "WebUIBody": bodies.webui_body(),
            "Scripts": bodies.scripts_of_v1alpha1(catalog),
        }
    tasks = bodies.tasks(catalog)
    one_of = [{"$ref": f"#/components/schemas/{name}"} for name in tasks]
    request = {
        "type": "object",
        "required": ["task"],
        "additionalProperties": False,
        "properties": {"task": {"oneOf": one_of}},
    }
    return {"Request": request, **tasks}


def _answer(version: str) -> dict[str, Any]:
    routed = {
        "v1alpha1": ("sd_model_checkpoint", "The model that the task named."),
        "v1alpha2": ("runtime", "The runtime that the task named."),
    }
    name, meaning = routed[version]
    return {
        "type": "object",
        "required": ["id_task", name, "output_location"],
        "properties": {
            "id_task": {"type": "string", "description": "The task's id."},
            name: {"type": "string", "description": meaning},
            "output_location": {
                "type": "string",
                "pattern": "^s3://",
                "description": "The folder of the results: `s3://{bucket}/{prefix}/{id}`.",
            },
        },
    }


def _error() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["message", "errors"],
        "properties": {
            "message": {"type": "string", "description": "One sentence for people."},
            "errors": {
                "type": "array",
                "description": "What is wrong with the body; empty where nothing in it is the reason.",
                "items": {
                    "type": "object",
                    "required": ["field", "problem"],
                    "properties": {
                        "field": {"type": "string", "description": "A path such as `task.metadata.id`; empty for all."},
                        "problem": {"type": "string"},
                    },
                },
            },
        },
    }
