"""Images of the simulated runtimes: the same arguments always give the same image, with the prompt on it."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from io import BytesIO
from random import Random
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont, ImageOps, PngImagePlugin

PNG_COMPRESSION = 1
"""The images are smooth, and small even at zlib's fastest level."""

SHAPES = 7
"""Enough to distinguish two seeds at a glance, few enough that the prompt stays readable."""

MIN_FONT, MAX_FONT = 8, 28
"""Font sizes in pixels; between them the size follows the image's shorter side."""

LONGEST_PROMPT = 600
"""Characters that are drawn; more would not be legible on a usual image."""

SMALLEST_FOR_TEXT = 48
"""Pixels; on a smaller side not even one word fits, so only the shapes are drawn."""

Colour: TypeAlias = tuple[int, int, int]
_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw(prompt: str, seed: int, width: int, height: int, *, label: str) -> Image.Image:
    """An RGB image of ``width`` x ``height`` pixels: shapes that follow from prompt and seed, the prompt in a panel
    at the bottom, ``label`` in the upper left corner. Deterministic in all arguments."""
    chance = Random(_number(prompt, seed))  # noqa: S311 - an image, not a secret
    image = _gradient(chance, width, height)
    canvas = ImageDraw.Draw(image, "RGBA")
    _scatter(canvas, chance, width, height)
    if min(width, height) >= SMALLEST_FOR_TEXT:
        font = _font(max(MIN_FONT, min(MAX_FONT, min(width, height) // 20)))
        _write_prompt(canvas, prompt, font, width, height)
        _write_label(canvas, label, font)
    return image


def encode_png(image: Image.Image, text: Mapping[str, str] | None = None) -> bytes:
    """The image as PNG with ``text`` as its text chunks, such as A1111's ``parameters`` or ComfyUI's ``prompt``."""
    chunks = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        chunks.add_text(key, _encodable(value))
    target = BytesIO()
    image.save(target, "PNG", pnginfo=chunks, compress_level=PNG_COMPRESSION)
    return target.getvalue()


def _number(prompt: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{prompt}".encode(errors="replace")).digest()[:8])


def _encodable(text: str) -> str:
    """The text without lone surrogates, which JSON can carry and no font or file can."""
    return text.encode(errors="replace").decode()


def _colour(chance: Random, low: int, high: int) -> Colour:
    return chance.randint(low, high), chance.randint(low, high), chance.randint(low, high)


def _gradient(chance: Random, width: int, height: int) -> Image.Image:
    ramp = Image.linear_gradient("L").rotate(chance.choice((0, 90, 180, 270))).resize((width, height))
    return ImageOps.colorize(ramp, _colour(chance, 20, 120), _colour(chance, 130, 245))


def _scatter(canvas: ImageDraw.ImageDraw, chance: Random, width: int, height: int) -> None:
    reach = max(width, height)
    for _ in range(SHAPES):
        x, y = chance.randint(0, width), chance.randint(0, height)
        size = chance.randint(reach // 12, reach // 4 + 1)
        fill = (*_colour(chance, 60, 255), chance.randint(70, 150))
        sides = chance.choice((0, 3, 4, 6))
        if sides:
            canvas.regular_polygon((x, y, max(1, size)), sides, rotation=chance.randint(0, 90), fill=fill)
        else:
            canvas.ellipse((x - size, y - size, x + size, y + size), fill=fill)


def _write_prompt(canvas: ImageDraw.ImageDraw, prompt: str, font: _Font, width: int, height: int) -> None:
    margin = max(2, width // 40)
    line_height = int(font.size * 1.3) if isinstance(font, ImageFont.FreeTypeFont) else 12
    room = max(1, (height // 2) // line_height)
    lines = list(_wrapped(canvas, _encodable(prompt[:LONGEST_PROMPT]), font, width - 2 * margin))
    if len(lines) > room:
        lines = [*lines[: room - 1], "…"]
    if not lines:
        return
    top = height - len(lines) * line_height - 2 * margin
    canvas.rectangle((0, top, width, height), fill=(0, 0, 0, 140))
    for number, line in enumerate(lines):
        canvas.text((margin, top + margin + number * line_height), line, font=font, fill=(255, 255, 255))


def _write_label(canvas: ImageDraw.ImageDraw, label: str, font: _Font) -> None:
    left, top, right, bottom = canvas.textbbox((4, 4), label, font=font)
    canvas.rectangle((left - 4, top - 4, right + 4, bottom + 4), fill=(0, 0, 0, 140))
    canvas.text((4, 4), label, font=font, fill=(255, 220, 120))


def _wrapped(canvas: ImageDraw.ImageDraw, text: str, font: _Font, room: int) -> Iterator[str]:
    """The text in lines of at most ``room`` pixels; a word that is longer than a line is broken."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if canvas.textlength(longer, font=font) <= room:
            line = longer
            continue
        if line:
            yield line
        line = word
        while len(line) > 1 and canvas.textlength(line, font=font) > room:
            fitting = _fitting(canvas, line, font, room)
            yield line[:fitting]
            line = line[fitting:]
    if line:
        yield line


def _fitting(canvas: ImageDraw.ImageDraw, word: str, font: _Font, room: int) -> int:
    """How many of the word's first characters fit, at least one."""
    low, high = 1, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        if canvas.textlength(word[:middle], font=font) <= room:
            low = middle
        else:
            high = middle - 1
    return low


@cache
def _font(size: int) -> _Font:
    return ImageFont.load_default(size)
