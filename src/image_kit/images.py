"""Images in and out: judged by their headers before a pixel is decoded, since a few kilobytes may hold gigapixels."""

import base64
import binascii
import io
import warnings
from dataclasses import dataclass
from typing import Self

from PIL import Image, ImageOps, UnidentifiedImageError

from contract.image_kit import FORMATS
from image_kit.errors import BadRequest, bad_image

DATA_URL = "data:"
"""Browsers write base64 as ``data:image/png;base64,…``."""

PNG_LEVEL = 1
"""Of zlib: three times as fast as the default 6, and the files are a tenth larger."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold. ``max_bytes``: of the image's file. ``max_pixels``: of an image, and of what
    super-resolution makes of it. ``max_edge``: the longest edge for segmentation and text recognition, in pixels.

    The defaults take 1920 x 1080 pixels to their fourfold, and keep one request below 2 GiB of memory.
    """

    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 36_000_000
    max_edge: int = 4096


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A decoded image: ``rgb``, upright, and its own transparency where it has some."""

    rgb: Image.Image
    alpha: Image.Image | None = None

    @classmethod
    def decode(cls, data: bytes, limits: Limits, *, from_link: bool = False) -> Self:
        """Raises BadRequest when it is no image of FORMATS, too large by its header, or broken."""
        if len(data) > limits.max_bytes:
            raise bad_image(f"must be at most {limits.max_bytes} bytes, got {len(data)}", from_link=from_link)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # max_pixels is the stricter limit
                image = Image.open(io.BytesIO(data), formats=FORMATS)
            width, height = image.size
            if width * height > limits.max_pixels:
                problem = f"must have at most {limits.max_pixels} pixels, got {width} x {height}"
                raise bad_image(problem, from_link=from_link)
            return cls._of(ImageOps.exif_transpose(image))
        except Image.DecompressionBombError as error:
            raise bad_image(f"must have at most {limits.max_pixels} pixels", from_link=from_link) from error
        except UnidentifiedImageError as error:
            allowed = ", ".join(FORMATS)
            raise bad_image(f"must be an image of one of the formats {allowed}", from_link=from_link) from error
        except (OSError, SyntaxError, ValueError) as error:
            raise bad_image(f"must be a whole image: {error}", from_link=from_link) from error

    @classmethod
    def _of(cls, image: Image.Image) -> Self:
        if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
            whole = image.convert("RGBA")
            return cls(whole.convert("RGB"), whole.getchannel("A"))
        return cls(image.convert("RGB"))


def decode_base64(text: str, limits: Limits) -> bytes:
    """The bytes of ``img``. Raises BadRequest when it is no base64, or longer than an image may be."""
    if text.startswith(DATA_URL):
        text = text.partition(",")[2]
    if len(text) // 4 * 3 > limits.max_bytes + 2:
        raise bad_image(f"must be at most {limits.max_bytes} bytes of an image", from_link=False)
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_image("must be an image as base64", from_link=False) from error


def encode_png(image: Image.Image) -> str:
    """The image as base64 of a PNG."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=PNG_LEVEL)
    return base64.b64encode(file.getbuffer()).decode()


def check_edge(image: Image.Image, limits: Limits, *, from_link: bool) -> None:
    """Raises BadRequest when the image's longest edge is beyond the limit."""
    if max(image.size) > limits.max_edge:
        problem = f"its longest edge must be at most {limits.max_edge} pixels, got {image.width} x {image.height}"
        raise bad_image(problem, from_link=from_link)


def check_scaled(image: Image.Image, scale: int, limits: Limits) -> None:
    """Raises BadRequest when the enlarged image would have more pixels than allowed."""
    if image.width * image.height * scale * scale > limits.max_pixels:
        problem = f"makes more than {limits.max_pixels} pixels of {image.width} x {image.height}; send a smaller image"
        raise BadRequest.of("scale", f"{scale} {problem}")
