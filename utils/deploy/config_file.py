"""Writes config.yaml from its template, and reads from one which options of deploy.sh it answers to."""

import re
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from contract.runtimes import RuntimeType
from infra.config.model import Config, Runtime, parse_config
from utils.deploy.models import SD_1_5

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "deploy" / "config.yaml.template"

_PLACE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A container image: ``repository`` with or without a host, and a tag."""

    repository: str
    tag: str = "latest"

    @classmethod
    def parse(cls, text: str) -> "Image":
        """``host:port/name:tag``, where host, port and tag may be left out."""
        folder, slash, name = text.rpartition("/")
        name, _, tag = name.partition(":")
        return cls(repository=f"{folder}{slash}{name}", tag=tag or "latest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the options of deploy.sh say; the defaults make the config.yaml that the project ships."""

    stack_name: str = "sdoneks"
    model_bucket_arn: str = "arn:aws:s3:::your-model-bucket"
    runtime_name: str = "sdruntime"
    runtime_type: RuntimeType = RuntimeType.SDWEBUI
    image: Image | None = None
    snapshot_id: str | None = None
    builds_images: bool = True


def render(answers: Answers) -> tuple[str, Config]:
    """The file's text, and what it means. Raises ConfigError when an answer cannot be deployed."""
    webui = answers.runtime_type is RuntimeType.SDWEBUI
    values: dict[str, Any] = {
        "stack_name": answers.stack_name,
        "model_bucket_arn": answers.model_bucket_arn,
        "runtime_name": answers.runtime_name,
        "runtime_type": answers.runtime_type.value,
        "model_filename": SD_1_5.key.rpartition("/")[2] if webui else None,
        "dynamic_model": False if webui else None,
        "extra_values": _extra_values(answers),
        "build": None if answers.builds_images else False,
    }
    lines = [_filled(line, values) for line in TEMPLATE.read_text(encoding="utf-8").splitlines(keepends=True)]
    text = "".join(line for line in lines if line is not None)
    return text, parse_config(yaml.safe_load(text), source="config.yaml")


def write(path: Path, text: str) -> None:
    """Write the file, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def as_shipped(path: Path) -> bool:
    """Whether there is nothing to keep: the file is missing, or is the one that comes with the project."""
    return not path.exists() or path.read_text(encoding="utf-8") == render(Answers())[0]


def set_aside(path: Path) -> Path:
    """Keep a copy of the file in its folder. Returns the copy's path."""
    kept = path.with_name(f"{path.name}.{time.strftime('%Y%m%dT%H%M%S')}.bak")
    kept.write_bytes(path.read_bytes())
    return kept


def answers_of(config: Config) -> Answers:
    """What a config says that options can say; of its runtimes the first counts."""
    runtime = config.models_runtime[0]
    image = values_at(runtime.extra_values, "runtime", "inferenceApi", "image")
    tag = str(image.get("digest") or image.get("tag") or "latest")
    return Answers(
        stack_name=config.stack_name,
        model_bucket_arn=config.model_bucket_arn,
        runtime_name=runtime.name,
        runtime_type=runtime.type,
        image=Image(repository=str(image["repository"]), tag=tag) if image.get("repository") else None,
        snapshot_id=snapshot_of(runtime),
        builds_images=config.builds_images,
    )


def with_snapshot(answers: Answers, snapshot_id: str) -> Answers:
    """The same with another image cache."""
    return replace(answers, snapshot_id=snapshot_id)


def snapshot_of(runtime: Runtime) -> str | None:
    """The EBS snapshot that the runtime's nodes start with."""
    found = values_at(runtime.extra_values, "karpenter", "nodeTemplate", "dataVolume").get("snapshotID")
    return str(found) if found else None


def values_at(values: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """What lies below ``keys``; empty where nothing does."""
    for key in keys:
        below = values.get(key)
        if not isinstance(below, Mapping):
            return {}
        values = below
    return values


def _filled(line: str, values: dict[str, Any]) -> str | None:
    """The line with its values, as YAML; None when one of them is left out."""
    names = _PLACE.findall(line)
    if any(values[name] is None for name in names):
        return None
    indent = len(line) - len(line.lstrip(" -"))
    return string.Template(line).substitute({name: _yaml(values[name], indent) for name in names})


def _yaml(value: Any, indent: int) -> str:
    if isinstance(value, dict):
        block = yaml.safe_dump(value, sort_keys=False, default_flow_style=False).rstrip("\n")
        return "".join(f"\n{' ' * (indent + 2)}{line}" for line in block.splitlines())
    return yaml.safe_dump(value).removesuffix("\n").removesuffix("\n...")


def _extra_values(answers: Answers) -> dict[str, Any] | None:
    extra: dict[str, Any] = {}
    if answers.image:
        image = {"repository": answers.image.repository, "tag": answers.image.tag}
        extra["runtime"] = {"inferenceApi": {"image": image}}
    if answers.snapshot_id:
        extra["karpenter"] = {"nodeTemplate": {"dataVolume": {"snapshotID": answers.snapshot_id}}}
    return extra or None
