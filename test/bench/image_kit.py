"""What the image kit's operations cost: ``.venv/bin/python -m test.bench.image_kit``.

CPU seconds of one thread, which other work on the machine does not change, and the peak of memory; each operation in a
process of its own that has run it once before. The weights must be there, as ``deploy/deploy.sh --local`` puts them.
"""

import multiprocessing
import resource
import sys
import time
from dataclasses import dataclass

from PIL import Image, ImageFont
from rich.table import Table

from contract.image_kit import ImageRequest
from contract.runtimes import TaskType
from image_kit.images import Limits
from image_kit.models import LoadedModels
from image_kit.operations import answer
from image_kit.watch import Watch
from test.bench.stage import console
from test.support.drawings import encoded, page, photograph
from test.support.image_kit import fetched_font, fetched_weights

THREADS = 1
LINE = "The quick brown fox 北京上海 2026年11月21日"
MEGA = 1_000_000
KIBI = 1024


@dataclass(frozen=True, slots=True)
class Case:
    """One operation on an image of this size."""

    operation: TaskType
    width: int
    height: int
    scale: int = 2

    def image(self) -> bytes:
        if self.operation is TaskType.OCR:
            font = ImageFont.truetype(str(fetched_font()), 28)
            return encoded(page([LINE] * (self.height // 62), font, self.width)[0])
        small = photograph(min(self.width, 1024), min(self.height, 1024))
        return encoded(small.resize((self.width, self.height), Image.Resampling.BICUBIC))


CASES = (
    Case(TaskType.SUPER_RESOLUTION, 400, 400),
    Case(TaskType.SUPER_RESOLUTION, 1920, 1080),
    Case(TaskType.SUPER_RESOLUTION, 400, 400, scale=4),
    Case(TaskType.SUPER_RESOLUTION, 1280, 720, scale=4),
    Case(TaskType.HUMAN_SEGMENTATION, 1920, 1080),
    Case(TaskType.HUMAN_SEGMENTATION, 4096, 4096),
    Case(TaskType.OCR, 1240, 1754),
    Case(TaskType.OCR, 2480, 3508),
)


def main() -> None:
    fetched_weights()
    table = Table(title="One thread")
    for column in ("operation", "scale", "size", "CPU s", "CPU s per megapixel", "peak MB"):
        table.add_column(column, justify="left" if column == "operation" else "right")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for case in CASES:
            image = pool.apply(case.image)
            seconds, peak = pool.apply(_measure, (case, image))
            each = seconds / (case.width * case.height / MEGA)
            size = f"{case.width} x {case.height}"
            scale = str(case.scale) if case.operation is TaskType.SUPER_RESOLUTION else ""
            table.add_row(case.operation, scale, size, f"{seconds:.2f}", f"{each:.2f}", f"{peak:.0f}")
    console().print(table)


def _measure(case: Case, image: bytes) -> tuple[float, float]:
    """CPU seconds, and the peak of this process's memory in MB."""
    models = LoadedModels(fetched_weights(), THREADS)
    request = ImageRequest(operation=case.operation, img="", scale=case.scale)
    answer(models, request, encoded(Image.new("RGB", (64, 64))), Limits(), Watch())
    begin = time.process_time()
    answer(models, request, image, Limits(), Watch())
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return seconds, peak / (KIBI * KIBI if sys.platform == "darwin" else KIBI)


if __name__ == "__main__":
    main()
