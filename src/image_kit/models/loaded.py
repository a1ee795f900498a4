"""One set of models in a process. Each library is imported with its model: a function may need only one of them."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from image_kit.operations import Line
from image_kit.watch import Watch
from image_kit.weights import SEGMENTATION, SUPER_RESOLUTION

if TYPE_CHECKING:
    from image_kit.models.enlargement import Enlargement
    from image_kit.models.people import People
    from image_kit.models.text import Text


class LoadedModels:
    """Fulfils ``Models``. ``weights`` is a folder that ``weights.fetch`` filled; ``threads`` work on one image."""

    def __init__(self, weights: Path, threads: int) -> None:
        self._weights = weights
        self._threads = threads

    def load(self) -> None:
        """Load all of them now. Raises OSError or RuntimeError when a file or a library is missing."""
        _ = self._enlargement, self._people, self._text

    def enlarge(self, image: Image.Image, scale: int, watch: Watch) -> Image.Image:
        return self._enlargement.enlarge(image, scale, watch)

    def find_people(self, image: Image.Image, watch: Watch) -> Image.Image:
        watch.step(0.0)
        return self._people.find(image)

    def read_text(self, image: Image.Image, watch: Watch) -> Sequence[Line]:
        watch.step(0.0)
        return self._text.read(image)

    @cached_property
    def _enlargement(self) -> "Enlargement":
        from image_kit.models.enlargement import Enlargement  # noqa: PLC0415

        structure, parameters = (self._weights / name for name in SUPER_RESOLUTION.names)
        return Enlargement(structure, parameters, self._threads)

    @cached_property
    def _people(self) -> "People":
        from image_kit.models.people import People  # noqa: PLC0415

        return People(self._weights / SEGMENTATION.names[0], self._threads)

    @cached_property
    def _text(self) -> "Text":
        from image_kit.models.text import Text  # noqa: PLC0415

        return Text(self._threads)
