"""Human segmentation by the real model, on a drawn person."""

import numpy as np
import pytest
from PIL import Image

from image_kit.models import LoadedModels
from image_kit.watch import Watch
from test.support.drawings import overlap, person, photograph


@pytest.mark.parametrize("size", [(640, 640), (800, 600), (480, 720)])
def test_a_person_is_cut_out(models: LoadedModels, size: tuple[int, int]) -> None:
    # Given
    image, drawn = person(*size)

    # When
    found = models.find_people(image, Watch())

    # Then
    assert (found.size, found.mode) == (size, "L")
    assert overlap(found, drawn) >= 0.95


def test_a_landscape_has_nobody_in_it(models: LoadedModels) -> None:
    # When
    found = models.find_people(photograph(480, 360), Watch())

    # Then
    assert np.mean(np.asarray(found) > 127) < 0.02


def test_a_black_image_has_nobody_in_it(models: LoadedModels) -> None:
    assert np.asarray(models.find_people(Image.new("RGB", (64, 64)), Watch())).max() < 128
