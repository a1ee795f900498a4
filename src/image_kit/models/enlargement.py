"""Super-resolution by waifu2x's upconv_7 network for photographs, run by ncnn on the CPU.

The network doubles an image, and is applied twice for the fourfold. It takes 7 pixels more on each side than it
doubles, so tiles that overlap by these join without a seam.
"""

from pathlib import Path

import ncnn
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_kit.watch import Watch

CONTEXT = 7
"""Pixels around a tile that the network uses up: seven convolutions, of which six take one pixel each, and one."""

TILE = 192
"""Pixels. Twice the side takes four times the memory, half of it a sixth more time; this needs about 300 MB."""

INPUT, OUTPUT = "Input1", "Eltwise4"
"""The network's blobs, of 3 channels, RGB, 0..1."""

FULL = 255.0


class Enlargement:
    """Raises OSError when a file of the network cannot be read."""

    def __init__(self, structure: Path, parameters: Path, threads: int) -> None:
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = threads
        for file, load in ((structure, self._net.load_param), (parameters, self._net.load_model)):
            if load(str(file)) != 0:
                raise OSError(f"the model {file} cannot be read")

    def enlarge(self, image: Image.Image, scale: int, watch: Watch) -> Image.Image:
        """The RGB image at 2 or 4 times its size. ``watch`` learns of each tile."""
        pixels = np.asarray(image, dtype=np.uint8)
        passes = scale.bit_length() - 1
        tiles = [_count(pixels.shape[0] << done, pixels.shape[1] << done) for done in range(passes)]
        before = 0
        for count in tiles:
            pixels = self._double(pixels, watch, before, sum(tiles))
            before += count
        return Image.fromarray(pixels)

    def _double(self, pixels: NDArray[np.uint8], watch: Watch, before: int, total: int) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        padded = np.pad(pixels, ((CONTEXT, CONTEXT), (CONTEXT, CONTEXT), (0, 0)), mode="edge")
        doubled = np.empty((2 * height, 2 * width, 3), np.uint8)
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                watch.step(before / total)
                bottom, right = min(top + TILE, height), min(left + TILE, width)
                tile = padded[top : bottom + 2 * CONTEXT, left : right + 2 * CONTEXT]
                doubled[2 * top : 2 * bottom, 2 * left : 2 * right] = self._double_tile(tile)
                before += 1
        return doubled

    def _double_tile(self, tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
        planes = np.ascontiguousarray(tile.transpose(2, 0, 1), dtype=np.float32) / FULL
        with self._net.create_extractor() as extractor:
            extractor.input(INPUT, ncnn.Mat(planes))
            _, output = extractor.extract(OUTPUT)
            result = np.array(output)
        doubled: NDArray[np.uint8] = (np.clip(result, 0, 1) * FULL).round().astype(np.uint8)
        return doubled.transpose(1, 2, 0)


def _count(height: int, width: int) -> int:
    """Tiles of an image."""
    return -(-height // TILE) * -(-width // TILE)
