"""The real models, with their weights fetched once into the environment's folder."""

from pathlib import Path

import pytest

from image_kit import weights
from image_kit.models import LoadedModels
from image_kit.weights import Wheel

FOLDER = Path(__file__).parents[2] / ".venv" / "image-kit"

FONT = Wheel(
    package="matplotlib-fontja",
    version="1.1.0",
    sha256="930603aaffd420ad89a6cf3399f074b14e939e8e349843ed1cb558ac97c8c94a",
    files={
        "ipaexg.ttf": (
            "matplotlib_fontja/fonts/ipaexg.ttf",
            "3b9955a5e437ffb24c41548e79296fa724822da21ee75dc1b94f6ccdb8f400dd",
        )
    },
)
"""IPAex Gothic, with Latin and Chinese characters, under the IPA Font License."""


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    """A folder with all weights."""
    weights.fetch(FOLDER)
    return FOLDER


@pytest.fixture(scope="session")
def models(weights_folder: Path) -> LoadedModels:
    return LoadedModels(weights_folder, threads=2)


@pytest.fixture(scope="session")
def font_file() -> Path:
    """A font with Latin and Chinese characters."""
    weights.fetch(FOLDER, (FONT,))
    return FOLDER / "ipaexg.ttf"
