"""Configs as YAML gives them, and what is wrong with them."""

from typing import Any

import pytest

from infra.config.errors import ConfigError
from infra.config.model import parse_config


def raw_runtime(**changes: Any) -> dict[str, Any]:
    return {"name": "sd", "namespace": "sd", "type": "sdwebui", "modelFilename": "sd.safetensors", **changes}


def raw_config(**changes: Any) -> dict[str, Any]:
    return {"modelBucketArn": "arn:aws:s3:::models", "modelsRuntime": [raw_runtime()], **changes}


def problems(raw: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(raw)
    return [str(problem) for problem in caught.value.problems]
