"""Text recognition by the real models, on a drawn page."""

from pathlib import Path

from PIL import Image, ImageFont

from image_kit.models import LoadedModels
from image_kit.watch import Watch
from test.support.drawings import likeness, page

LINES = [
    "北京上海 2026年11月21日",
    "天地玄黄宇宙洪荒日月",
    "Super-resolution, OCR & alpha 100%",
    "中国人民大学 Tel: 010-6251-1234",
    "The quick brown fox jumps over it",
    "高山流水 image kit (v1.0) @2x #7",
]

NEAR = 5
"""Pixels between a found edge and the ink's."""


def test_a_page_with_chinese_and_english_is_read(models: LoadedModels, font_file: Path) -> None:
    # Given
    image, boxes = page(LINES, ImageFont.truetype(str(font_file), 28))

    # When
    found = models.read_text(image, Watch())

    # Then
    assert len(found) == len(LINES)
    assert likeness(LINES, [line.words for line in found]) >= 0.98
    for line, (left, top, right, bottom) in zip(found, boxes, strict=True):
        edges = (line.left - left, line.top - top, line.left + line.width - right, line.top + line.height - bottom)
        assert max(abs(edge) for edge in edges) <= NEAR, line.words
        assert 0.9 <= line.score <= 1


def test_a_page_without_text_has_no_lines(models: LoadedModels) -> None:
    assert list(models.read_text(Image.new("RGB", (300, 200), "white"), Watch())) == []
