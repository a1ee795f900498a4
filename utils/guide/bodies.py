"""JSON Schemas of the requests, as far as the front door itself checks them; the rest of a content is the runtime's.

What no schema can say is in the descriptions: how deep a body nests, how long its integers are, how many bytes a
context takes.
"""

from typing import Any, TypeAlias

from contract.catalog import Catalog
from contract.image_kit import ABSENT, ALPHA, FACE, FOREGROUND, IMG, SCALE, SCALES, TYPE, URL
from contract.object_keys import RESERVED_PREFIX
from contract.runtimes import TASK_TYPES, RuntimeType, TaskType
from contract.task import MAX_CONTEXT_BYTES, MAX_ID_LENGTH, MAX_PREFIX_BYTES, MAX_RUNTIME_LENGTH
from contract.webui import MODEL_KEY, SCRIPTS
from frontend_lambda.v1alpha1 import DEFAULT_PREFIX, TASKS

Schema: TypeAlias = dict[str, Any]

_SEGMENT = r"(?!\.{1,2}(/|$))[^/\\\x00-\x1f\x7f-\xa0\xad]+"
_SPACE = r"[\s\x1c-\x1f]*"
"""What Python takes for white space, which is a little more than what ECMAScript does."""

_LINK = rf"{_SPACE}(https?|s3)://[^\s\x1c-\x1f]+{_SPACE}"

IMAGE: Schema = {
    "type": "string",
    "minLength": 1,
    "description": "A link (http://, https:// or s3://), or the image in base64.",
}

TASK_ID: Schema = {
    "type": "string",
    "pattern": rf"^(?=.*[^.])[A-Za-z0-9._-]{{1,{MAX_ID_LENGTH}}}$",
    "description": "Chosen by the caller. It names the results and comes back in the callback; more than dots.",
}

PREFIX: Schema = {
    "type": "string",
    "maxLength": MAX_PREFIX_BYTES,
    "pattern": rf"^(?!{RESERVED_PREFIX.replace('.', chr(92) + '.')}(/|$)){_SEGMENT}(/{_SEGMENT})*/?$",
    "description": "Folder of the results in the output bucket, such as `output` or `team/output`: printable "
    f"characters, at most {MAX_PREFIX_BYTES} bytes, not below `{RESERVED_PREFIX}`. A `/` at its end is dropped.",
}

CONTEXT: Schema = {
    "description": f"Any JSON value of at most {MAX_CONTEXT_BYTES:,} bytes; it comes back unchanged in the callback.",
}

SCRIPTS_OF_TASK: Schema = {
    "type": ["object", "null"],
    "properties": {
        MODEL_KEY: {
            "type": ["string", "null"],
            "description": "File name of the model, for a runtime with dynamicModel; it is switched to before the run.",
        }
    },
}

WORKFLOW: Schema = {
    "type": "object",
    "minProperties": 1,
    "description": 'A workflow in the format of "Save (API Format)" or "Export (API)".',
    "additionalProperties": {
        "type": "object",
        "required": ["class_type", "inputs"],
        "properties": {"class_type": {"type": "string"}, "inputs": {"type": "object"}},
    },
}

GRAPH: Schema = {"type": "object", "required": ["graph"], "properties": {"graph": {"type": "object"}}}


def _image_content(description: str, more: Schema) -> Schema:
    """Of the image kit's task types: ``url`` wins over ``img``."""
    link = {"type": "string", "pattern": rf"^{_LINK}$", "description": "A link to a JPEG, PNG or BMP image."}
    nothing = {"enum": [*ABSENT]}
    return {
        "type": "object",
        "description": f"{description} `url` wins over `img`; one of them is required.",
        "properties": more,
        "anyOf": [
            {"required": [URL], "properties": {URL: link}},
            {"required": [IMG], "properties": {URL: nothing, IMG: IMAGE}},
        ],
    }


CONTENTS: dict[TaskType, Schema] = {
    TaskType.TEXT_TO_IMAGE: {
        "type": "object",
        "description": "The body of `/sdapi/v1/txt2img`.",
        "properties": {SCRIPTS: SCRIPTS_OF_TASK},
    },
    TaskType.IMAGE_TO_IMAGE: {
        "type": "object",
        "description": "The body of `/sdapi/v1/img2img`; its images may be links.",
        "required": ["init_images"],
        "properties": {SCRIPTS: SCRIPTS_OF_TASK, "init_images": {"type": "array", "minItems": 1, "items": IMAGE}},
    },
    TaskType.EXTRA_SINGLE_IMAGE: {
        "type": "object",
        "description": "The body of `/sdapi/v1/extra-single-image`; its image may be a link.",
        "required": ["image"],
        "properties": {"image": IMAGE},
    },
    TaskType.EXTRA_BATCH_IMAGES: {
        "type": "object",
        "description": "The body of `/sdapi/v1/extra-batch-images`; its images may be links.",
        "required": ["imageList"],
        "properties": {
            "imageList": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["data", "name"],
                    "properties": {"data": IMAGE, "name": {"type": "string"}},
                },
            }
        },
    },
    TaskType.PIPELINE: {
        "description": "A workflow for ComfyUI, or the body of its `/prompt`, which holds one.",
        "anyOf": [
            WORKFLOW,
            {
                "type": "object",
                "required": ["prompt"],
                "additionalProperties": False,
                "properties": {
                    "prompt": {"allOf": [WORKFLOW, {"not": {"required": ["class_type"]}}]},
                    "extra_data": {"type": ["object", "null"]},
                    "client_id": {"description": "Ignored."},
                },
            },
        ],
    },
    TaskType.GRAPH: {
        "description": "A graph for InvokeAI, or the body of its `enqueue_batch`, which holds one.",
        "anyOf": [
            {**GRAPH, "not": {"required": ["batch"]}},
            {"type": "object", "required": ["batch"], "properties": {"batch": GRAPH}},
        ],
    },
    TaskType.SUPER_RESOLUTION: _image_content(
        "An image to enlarge.",
        {
            SCALE: {"enum": [None, *SCALES], "description": f"How many times as large; {SCALES[0]} unless given."},
            FACE: {"enum": [None, False], "description": "No face model is deployed."},
        },
    ),
    TaskType.HUMAN_SEGMENTATION: _image_content(
        "An image with people.",
        {TYPE: {"enum": [None, ALPHA, FOREGROUND], "description": "The alpha channel, or the people themselves."}},
    ),
    TaskType.OCR: _image_content("An image with text.", {}),
}
"""By task type: what the front door checks of a content. Everything else in it is the runtime's own."""


def runtime_type(tasktype: TaskType) -> RuntimeType:
    """The type of the runtimes that serve the task type."""
    return next(kind for kind, served in TASK_TYPES.items() if tasktype in served)


def tasks(catalog: Catalog | None, *, with_id: bool = True) -> dict[str, Schema]:
    """The schemas of ``task`` in a v1alpha2 request by name, one for each task type. ``with_id``: it must have an id.

    With a catalogue they name its runtimes, and leave out the task types that none of them serves.
    """
    return {
        "".join(word.capitalize() for word in tasktype.split("-")) + "Task": _task(tasktype, names, with_id=with_id)
        for tasktype in TaskType
        if (names := _runtimes(tasktype, catalog)) != []
    }


def _task(tasktype: TaskType, names: list[str] | None, *, with_id: bool) -> Schema:
    return {
        "type": "object",
        "title": tasktype.value,
        "required": ["metadata", "content"],
        "additionalProperties": False,
        "properties": {
            "metadata": {
                "type": "object",
                "required": [*(["id"] if with_id else []), "runtime", "tasktype", "prefix"],
                "additionalProperties": False,
                "properties": {
                    "id": TASK_ID,
                    "runtime": _runtime(tasktype, names),
                    "tasktype": {"type": "string", "const": tasktype.value},
                    "prefix": PREFIX,
                    "context": CONTEXT,
                },
            },
            "content": CONTENTS[tasktype],
        },
    }


def _runtimes(tasktype: TaskType, catalog: Catalog | None) -> list[str] | None:
    if catalog is None:
        return None
    return [runtime.name for runtime in catalog.runtimes if runtime.type is runtime_type(tasktype)]


def _runtime(tasktype: TaskType, names: list[str] | None) -> Schema:
    allowed = {"minLength": 1, "maxLength": MAX_RUNTIME_LENGTH} if names is None else {"enum": names}
    description = f"A runtime of config.yaml of the type {runtime_type(tasktype).value}."
    return {"type": "string", **allowed, "description": description}


def scripts_of_v1alpha1(catalog: Catalog | None) -> Schema:
    """``alwayson_scripts`` of a v1alpha1 request: the WebUI's scripts, and the routing."""
    return {
        "type": "object",
        "required": ["task", "id_task", MODEL_KEY],
        "properties": {
            "task": {"type": "string", "enum": [task.value for task in TASKS]},
            "id_task": TASK_ID,
            MODEL_KEY: _model(catalog),
            "save_dir": {**PREFIX, "default": DEFAULT_PREFIX},
            "image_link": {
                "type": ["string", "null"],
                "pattern": rf"^({_LINK}(,{_LINK})*)?$",
                "description": "A link to the image to start from, or several with commas between; it becomes "
                "`init_images`.",
            },
            "uid": {"description": f'{CONTEXT["description"][:-1]} as `{{"uid": …}}`.'},
            "override_settings": {
                "type": ["object", "null"],
                "description": "Win over `sd_vae`, and that over those of the body.",
            },
            "sd_vae": {"description": "File name of the VAE, as `override_settings.sd_vae` would be."},
        },
        "patternProperties": {
            "^[Cc][Oo][Nn][Tt][Rr][Oo][Ll][Nn][Ee][Tt]$": {
                "properties": {
                    "args": {
                        "items": {
                            "properties": {
                                "image_link": {
                                    "type": ["string", "null"],
                                    "pattern": rf"^({_LINK})?$",
                                    "description": "A link to the unit's image; it becomes `image`.",
                                }
                            }
                        }
                    }
                }
            }
        },
    }


def _model(catalog: Catalog | None) -> Schema:
    description = "File name of the model: that of a runtime, or any if exactly one runtime has dynamicModel."
    if catalog is not None and len(catalog.dynamic()) != 1:
        return {"type": "string", "enum": list(catalog.models), "description": description}
    return {"type": "string", "minLength": 1, "description": description}


def webui_body() -> Schema:
    """The body of a v1alpha1 request: the WebUI's own, with the routing in its scripts."""
    needs_image = {
        "if": {"properties": {SCRIPTS: {"properties": {"task": {"const": TaskType.IMAGE_TO_IMAGE.value}}}}},
        "then": {
            "anyOf": [
                {
                    "properties": {
                        SCRIPTS: {
                            "required": ["image_link"],
                            "properties": {"image_link": {"minLength": 1, "type": "string"}},
                        }
                    }
                },
                {
                    "required": ["init_images"],
                    "properties": {"init_images": {"type": "array", "minItems": 1, "items": IMAGE}},
                },
            ]
        },
    }
    return {
        "type": "object",
        "description": "The body of `/sdapi/v1/txt2img` or `/sdapi/v1/img2img`, with the routing in its scripts. "
        "For image-to-image an image is needed: `image_link` there, or `init_images` here.",
        "required": [SCRIPTS],
        "properties": {
            SCRIPTS: {"$ref": "#/components/schemas/Scripts"},
            "override_settings": {"type": ["object", "null"]},
        },
        **needs_image,
    }
