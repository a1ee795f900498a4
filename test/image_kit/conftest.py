"""The real models."""

from pathlib import Path

import pytest

from image_kit.models import LoadedModels
from test.support.image_kit import fetched_font, fetched_weights


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    """A folder with all weights."""
    return fetched_weights()


@pytest.fixture(scope="session")
def models(weights_folder: Path) -> LoadedModels:
    return LoadedModels(weights_folder, threads=2)


@pytest.fixture(scope="session")
def font_file() -> Path:
    """A font with Latin and Chinese characters."""
    return fetched_font()
