"""Super-resolution by the real model, against interpolation."""

import numpy as np
import pytest
from PIL import Image

from image_kit.errors import Stopped
from image_kit.models import LoadedModels
from image_kit.models.enlargement import CONTEXT, TILE
from image_kit.watch import Watch
from test.support.drawings import photograph, psnr

SIZE = (640, 480)


@pytest.mark.parametrize("scale", [2, 4])
def test_a_photograph_is_enlarged_better_than_by_lanczos(models: LoadedModels, scale: int) -> None:
    # Given
    original = photograph(*SIZE)
    small = original.resize((SIZE[0] // scale, SIZE[1] // scale), Image.Resampling.BICUBIC)

    # When
    enlarged = models.enlarge(small, scale, Watch())

    # Then
    assert enlarged.size == original.size
    lanczos = small.resize(SIZE, Image.Resampling.LANCZOS)
    assert psnr(enlarged, original) >= psnr(lanczos, original) + 1.0


@pytest.mark.parametrize("size", [(1, 1), (TILE, 3), (TILE + 1, TILE + 1), (TILE - 1, 2 * CONTEXT)])
def test_every_size_is_doubled(models: LoadedModels, size: tuple[int, int]) -> None:
    # When
    enlarged = models.enlarge(Image.new("RGB", size, (200, 100, 50)), 2, Watch())

    # Then
    assert enlarged.size == (2 * size[0], 2 * size[1])
    assert np.abs(np.asarray(enlarged, int) - (200, 100, 50)).max() <= 6, "one colour stays this colour"


def test_tiles_join_without_a_seam(models: LoadedModels) -> None:
    # Given an image of four tiles, and the middle of it, which one tile holds
    image = photograph(2 * TILE, 2 * TILE)
    box = (TILE // 2, TILE // 2, TILE // 2 + TILE, TILE // 2 + TILE)

    # When
    whole, middle = models.enlarge(image, 2, Watch()), models.enlarge(image.crop(box), 2, Watch())

    # Then away from the middle's own edge, which had no context, both are the same
    inner = 2 * CONTEXT
    cut = whole.crop((2 * box[0], 2 * box[1], 2 * box[2], 2 * box[3]))
    difference = np.abs(np.asarray(cut, int) - np.asarray(middle, int))[inner:-inner, inner:-inner]
    assert difference.max() <= 1


def test_progress_grows_with_each_tile_and_a_stop_ends_the_work(models: LoadedModels) -> None:
    # Given
    class StopsHalfway(Watch):
        seen: list[float] = []  # noqa: RUF012 - of this test only

        def step(self, progress: float) -> None:
            self.seen.append(progress)
            if progress >= 0.5:
                self.stop()
            super().step(progress)

    # When
    watch = StopsHalfway()
    with pytest.raises(Stopped):
        models.enlarge(Image.new("RGB", (4 * TILE, 1)), 2, watch)

    # Then
    assert watch.seen == [0.0, 0.25, 0.5]
