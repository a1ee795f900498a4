"""Images for the tests, drawn here, and how near a result comes to what is known of them to the pixel."""

import math
from collections.abc import Iterable
from difflib import SequenceMatcher
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont


def photograph(width: int, height: int) -> Image.Image:
    """A landscape with soft light, edges at all angles, fine structure, and a photograph's softness."""
    factor = 2
    wide, high = width * factor, height * factor
    y, x = np.mgrid[0:high, 0:wide].astype(np.float64)
    sky = np.stack([90 + 120 * y / high, 140 + 80 * y / high, 220 - 60 * (x / wide) * (y / high)], axis=-1)
    image = Image.fromarray(np.clip(sky, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    unit = min(wide, high)
    draw.ellipse([wide * 0.7, high * 0.08, wide * 0.7 + unit * 0.2, high * 0.08 + unit * 0.2], fill=(255, 240, 190))
    for number in range(5):
        peak = (wide * (0.1 + 0.2 * number), high * (0.35 + 0.06 * (number % 3)))
        left, right = (peak[0] - unit * 0.3, high * 0.8), (peak[0] + unit * 0.35, high * 0.8)
        draw.polygon([left, peak, right], fill=(60 + 15 * number, 80 + 9 * number, 95))
        draw.polygon([peak, right, (peak[0] + unit * 0.05, high * 0.8)], fill=(40 + 10 * number, 58, 72))
    draw.rectangle([0, int(high * 0.78), wide, high], fill=(70, 105, 60))
    for number in range(14):
        foot = wide * (number + 0.5) / 14
        top = high * (0.62 + 0.03 * math.sin(number * 2.1))
        draw.rectangle([foot - unit * 0.006, top, foot + unit * 0.006, high * 0.85], fill=(70, 45, 30))
        draw.ellipse([foot - unit * 0.04, top - unit * 0.07, foot + unit * 0.04, top + unit * 0.04], fill=(30, 90, 45))
    for number in range(26):
        start = (wide * number / 26, high * 0.97)
        draw.line([start, (start[0] + unit * 0.04, high * 0.86)], fill=(170, 190, 90), width=max(1, unit // 220))
    return image.filter(ImageFilter.GaussianBlur(0.9)).resize((width, height), Image.Resampling.LANCZOS)


def person(width: int, height: int) -> tuple[Image.Image, Image.Image]:
    """A person before a wall, from the chest up, and the grey mask of where the person is."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    wall = np.stack([150 + 40 * x / width, 170 + 30 * y / height, 185 - 25 * x / width], axis=-1)
    image = Image.fromarray(np.clip(wall, 0, 255).astype(np.uint8))
    mask = Image.new("L", (width, height), 0)
    unit, middle = min(width, height), width / 2

    def both(shape: str, box: list[float], colour: tuple[int, int, int]) -> None:
        getattr(ImageDraw.Draw(image), shape)(box, fill=colour)
        getattr(ImageDraw.Draw(mask), shape)(box, fill=255)

    head = height * 0.36
    skin, hair, shirt = (224, 178, 148), (58, 38, 28), (40, 60, 120)
    both("ellipse", [middle - unit * 0.34, height * 0.66, middle + unit * 0.34, height * 1.4], shirt)
    both("rectangle", [middle - unit * 0.07, head + unit * 0.1, middle + unit * 0.07, height * 0.72], (205, 158, 130))
    both("ellipse", [middle - unit * 0.165, head - unit * 0.23, middle + unit * 0.165, head + unit * 0.1], hair)
    both("ellipse", [middle - unit * 0.14, head - unit * 0.17, middle + unit * 0.14, head + unit * 0.2], skin)
    draw = ImageDraw.Draw(image)
    for side in (-1, 1):
        eye = middle + side * unit * 0.055
        draw.ellipse([eye - unit * 0.022, head - unit * 0.01, eye + unit * 0.022, head + unit * 0.015], fill="white")
        draw.ellipse(
            [eye - unit * 0.01, head - unit * 0.008, eye + unit * 0.01, head + unit * 0.012], fill=(40, 30, 20)
        )
        draw.line([eye - unit * 0.03, head - unit * 0.035, eye + unit * 0.03, head - unit * 0.035], hair, unit // 90)
    draw.line([middle, head + unit * 0.02, middle - unit * 0.01, head + unit * 0.075], (190, 140, 110), unit // 100)
    draw.arc(
        [middle - unit * 0.05, head + unit * 0.07, middle + unit * 0.05, head + unit * 0.13],
        10,
        170,
        (160, 60, 60),
        unit // 80,
    )
    return image.filter(ImageFilter.GaussianBlur(1)), mask


def page(
    lines: list[str], font: ImageFont.FreeTypeFont, width: int = 1200
) -> tuple[Image.Image, list[tuple[int, int, int, int]]]:
    """A white page with the lines, and the box around the ink of each: left, top, right, bottom."""
    pitch = int(font.size * 2.2)
    image = Image.new("RGB", (width, 2 * 60 + pitch * len(lines)), "white")
    draw = ImageDraw.Draw(image)
    boxes = []
    for number, line in enumerate(lines):
        place = (60, 60 + number * pitch)
        draw.text(place, line, font=font, fill="black")
        left, top, right, bottom = draw.textbbox(place, line, font=font)
        boxes.append((round(left), round(top), round(right), round(bottom)))
    return image, boxes


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """The image's file."""
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


def psnr(image: Image.Image, original: Image.Image) -> float:
    """Decibels."""
    difference = np.asarray(image, np.float64) - np.asarray(original, np.float64)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


def overlap(found: Image.Image, drawn: Image.Image) -> float:
    """Intersection over union of two grey masks, 0..1."""
    one, other = np.asarray(found) > 127, np.asarray(drawn) > 127
    return float(np.sum(one & other) / np.sum(one | other))


def likeness(wanted: Iterable[str], read: Iterable[str]) -> float:
    """The share of characters that are in both, in order, 0..1; without spaces, which between Chinese and Latin
    characters are a matter of taste."""
    one, other = ("".join("".join(texts).split()) for texts in (wanted, read))
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / max(len(one), len(other))
