"""What is refused before a pixel is decoded, and what is decoded how."""

import base64
import io
import struct
import tracemalloc
import zlib

import pytest
from PIL import Image

from image_kit.errors import BadRequest
from image_kit.images import DecodedImage, Limits, decode_base64, encode_png
from test.support.drawings import encoded


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png_of(width: int, height: int) -> bytes:
    """A PNG that says this size; its pixels are a few kilobytes of zeros."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(100_000), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _problem(data: bytes, limits: Limits = Limits()) -> str:  # noqa: B008 - frozen
    with pytest.raises(BadRequest) as caught:
        DecodedImage.decode(data, limits)
    assert caught.value.message == "invalid param"
    (problem,) = caught.value.problems
    assert problem.field == "img"
    return problem.problem


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (60_000, 60_000), (1, 40_000_000)])
def test_too_many_pixels_are_refused_by_the_header_alone(width: int, height: int) -> None:
    # Given
    bomb = _png_of(width, height)
    tracemalloc.start()

    # When
    problem = _problem(bomb)

    # Then
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problem.startswith("must have at most 36000000 pixels")
    assert peak < 4_000_000


def test_too_many_bytes_are_refused() -> None:
    assert _problem(bytes(2000), Limits(max_bytes=1000)) == "must be at most 1000 bytes, got 2000"


@pytest.mark.parametrize("data", [b"", b"no image", b"GIF89a", b"%PDF-1.7", encoded(Image.new("RGB", (8, 8)), "GIF")])
def test_other_files_are_refused_with_the_formats_that_are_allowed(data: bytes) -> None:
    assert _problem(data) == "must be an image of one of the formats JPEG, PNG, BMP"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_a_broken_image_is_refused(kind: str) -> None:
    # Given
    whole = encoded(Image.effect_noise((64, 64), 80).convert("RGB"), kind)

    # When, then
    assert "must be a whole image" in _problem(whole[: len(whole) // 2])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_every_format_is_decoded(kind: str) -> None:
    decoded = DecodedImage.decode(encoded(Image.new("RGB", (9, 5), "white"), kind), Limits())

    assert (decoded.rgb.mode, decoded.rgb.size, decoded.alpha) == ("RGB", (9, 5), None)
    assert decoded.rgb.getpixel((4, 2)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16", "CMYK"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.new(mode, (4, 4))

    decoded = DecodedImage.decode(encoded(image, "JPEG" if mode == "CMYK" else "PNG"), Limits())

    assert decoded.rgb.mode == "RGB"


def test_transparency_is_kept_apart() -> None:
    decoded = DecodedImage.decode(encoded(Image.new("RGBA", (3, 3), (10, 20, 30, 40))), Limits())

    assert decoded.rgb.getpixel((0, 0)) == (10, 20, 30)
    assert decoded.alpha is not None
    assert decoded.alpha.getpixel((0, 0)) == 40


def test_a_photograph_that_a_camera_turned_is_upright() -> None:
    # Given
    image = Image.new("RGB", (20, 10))
    turned = image.getexif()
    turned[0x0112] = 6  # rotated by 90 degrees
    file = io.BytesIO()
    image.save(file, "JPEG", exif=turned)

    # When, then
    assert DecodedImage.decode(file.getvalue(), Limits()).rgb.size == (10, 20)


@pytest.mark.parametrize("text", ["no base64!", "abc", "\u00e4\u00f6", "===="])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        decode_base64(text, Limits())
    assert caught.value.problems[0].problem == "must be an image as base64"


def test_base64_is_taken_with_line_breaks_and_as_a_data_url() -> None:
    text = base64.b64encode(b"x" * 90).decode()

    assert decode_base64(f"{text[:76]}\r\n{text[76:]}", Limits()) == b"x" * 90
    assert decode_base64(f"data:image/png;base64,{text}", Limits()) == b"x" * 90


def test_base64_of_too_many_bytes_is_not_decoded() -> None:
    with pytest.raises(BadRequest, match="invalid param"):
        decode_base64("A" * 4000, Limits(max_bytes=1000))


def test_what_is_encoded_can_be_decoded() -> None:
    image = Image.effect_noise((16, 16), 50)

    data = base64.b64decode(encode_png(image))

    assert DecodedImage.decode(data, Limits()).rgb.getpixel((3, 3)) == (image.getpixel((3, 3)),) * 3
