"""One platform with the runtimes that the pages name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from test.docs.running import Terminal, terminal
from test.support.platform import Running, running
from utils.local.ports import Reservation

CONFIG = {
    "modelBucketArn": "arn:aws:s3:::models",
    "modelsRuntime": [
        {"name": "sdruntime", "namespace": "default", "type": "sdwebui", "dynamicModel": True},
        {"name": "comfyruntime", "namespace": "default", "type": "comfyui"},
        {"name": "invokeruntime", "namespace": "default", "type": "invokeai"},
    ],
}


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("guide")
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    with running(folder / "output", "--config", str(config)) as started:
        yield started


@pytest.fixture
def reader(platform: Running, tmp_path: Path) -> Iterator[Terminal]:
    """A reader who pastes commands. Their server listens on a port that no other test has."""
    with Reservation() as port:
        shop = {"SHOP_PORT": str(port.port), "SHOP_WEBHOOK": f"{port.url}/hook"}
        yield terminal(platform, tmp_path / "sd-on-eks", shop)
