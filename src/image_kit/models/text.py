"""Text recognition by PP-OCR's small models, which come in rapidocr's own package, run by ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidocr import RapidOCR

from image_kit.operations import Line


class Text:
    """Chinese, English, digits and symbols."""

    def __init__(self, threads: int) -> None:
        self._engine = RapidOCR(
            params={
                "Global.log_level": "error",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read(self, image: Image.Image) -> list[Line]:
        """The lines of the RGB image, from top to bottom; of two beside each other, the left one first."""
        found: Any = self._engine(np.asarray(image)[:, :, ::-1])
        if found.boxes is None:
            return []
        lines = [
            _line(corners, words, score)
            for corners, words, score in zip(found.boxes, found.txts, found.scores, strict=True)
        ]
        return sorted(lines, key=lambda line: (line.top, line.left))


def _line(corners: NDArray[np.float32], words: str, score: float) -> Line:
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return Line(
        words=words,
        top=round(float(top)),
        left=round(float(left)),
        width=round(float(right - left)),
        height=round(float(bottom - top)),
        score=float(score),
    )
