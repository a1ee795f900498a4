"""The YAML of config.yaml, before anything is known of its keys."""

from pathlib import Path
from typing import Any

import yaml

from contract.errors import Problem
from infra.config.errors import ConfigError


def read_yaml(path: Path) -> Any:
    """What the file holds. Raises ConfigError when it cannot be read, is not YAML, or has a key twice in one place."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}")], str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("", f"is not YAML: {error}")], str(path)) from error


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML itself takes the last of two equal keys silently: half of a user's runtimes would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 (PyYAML's own signature)
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if key != "<<" and keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice in one place", node.start_mark
                )
        return super().construct_mapping(node, deep=deep)
