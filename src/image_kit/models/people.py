"""Human segmentation by MediaPipe's selfie model, run by LiteRT on the CPU."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

SIDE = 256
"""Pixels of the model's square input and output; a mask of another size is interpolated."""

FULL = 255.0


class People:
    """Raises ValueError when the model cannot be read."""

    def __init__(self, model: Path, threads: int) -> None:
        self._model = Interpreter(str(model), num_threads=threads)
        self._model.allocate_tensors()
        self._input = self._model.get_input_details()[0]["index"]
        self._output = self._model.get_output_details()[0]["index"]

    def find(self, image: Image.Image) -> Image.Image:
        """A grey image of the size of the RGB one: 255 where a person is, 0 where none is."""
        small = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        self._model.set_tensor(self._input, np.asarray(small, np.float32)[None] / FULL)
        self._model.invoke()
        mask = self._model.get_tensor(self._output)[0, :, :, 0]
        grey = Image.fromarray((np.clip(mask, 0, 1) * FULL).round().astype(np.uint8))
        return grey.resize(image.size, Image.Resampling.BILINEAR)
