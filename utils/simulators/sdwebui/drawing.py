"""The simulated WebUI's pictures: drawn, started from a given picture, unfinished, in a grid, scaled."""

import base64
import math
from collections.abc import Sequence
from http import HTTPStatus
from io import BytesIO

from PIL import Image, ImageFilter, ImageOps

from utils.simulators.drawing import encode_png
from utils.simulators.sdwebui.flavour import Refusal
from utils.simulators.sdwebui.requests import Extras, ImageToImage

MAX_PIXELS = 4096 * 4096
"""Pixels of a batch that the simulated GPU holds; more is out of memory, as on a real one."""

STRETCH, CROP = 0, 1
"""``resize_mode`` of img2img; anything else pads."""

LABEL = "simulated"


class OutOfMemoryError(RuntimeError):
    """As torch.cuda names it."""


def check_memory(pixels: float) -> None:
    """Raise OutOfMemoryError when a batch is too large for the simulated GPU."""
    if pixels > MAX_PIXELS:
        raise OutOfMemoryError(
            f"CUDA out of memory. Tried to allocate {pixels * 4 / 2**30:.2f} GiB (simulated). GPU 0 has a total "
            f"capacity of {MAX_PIXELS * 4 / 2**30:.2f} GiB"
        )


def decode(encoded: str) -> Image.Image:
    """The picture in base64 or in a data: URL. Raises Refusal as the real one does."""
    if encoded.startswith(("http://", "https://")):
        raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Requests not allowed")
    if encoded.startswith("data:image/"):
        encoded = encoded.partition(",")[2]
    try:
        with Image.open(BytesIO(base64.b64decode(encoded))) as picture:
            picture.load()
            return picture
    except Exception as error:
        raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Invalid encoded image") from error


def encode(picture: Image.Image, parameters: str | None = None, *, form: str = "png") -> str:
    """Base64 of the image: PNG with A1111's text chunk, or what else ``samples_format`` asks for, without."""
    if form.lower() != "png":
        target = BytesIO()
        picture.save(target, "JPEG" if form.lower() in {"jpg", "jpeg"} else form)
        return base64.b64encode(target.getvalue()).decode()
    data = encode_png(picture, {"parameters": parameters} if parameters is not None else None)
    return base64.b64encode(data).decode()


def start_from(start: Image.Image, drawn: Image.Image, request: ImageToImage) -> Image.Image:
    """``start`` brought to the size of ``drawn`` and turned into it by the denoising strength; a mask limits where."""
    size = drawn.size
    fitted = start.convert("RGB")
    if request.resize_mode == STRETCH:
        fitted = fitted.resize(size)
    elif request.resize_mode == CROP:
        fitted = ImageOps.fit(fitted, size)
    else:
        fitted = ImageOps.pad(fitted, size)
    strength = 0.75 if request.denoising_strength is None else min(1.0, max(0.0, request.denoising_strength))
    blended = Image.blend(fitted, drawn, strength)
    if not request.mask:
        return blended
    mask = decode(request.mask).convert("L").resize(size)
    return Image.composite(blended, fitted, ImageOps.invert(mask) if request.inpainting_mask_invert else mask)


def unfinished(picture: Image.Image, share: float) -> Image.Image:
    """The picture as it looks after ``share`` (0..1) of its steps."""
    return picture.filter(ImageFilter.GaussianBlur((1 - share) * max(picture.size) / 16))


def grid(pictures: Sequence[Image.Image]) -> Image.Image:
    """All pictures of one size on one sheet, row by row."""
    width, height = pictures[0].size
    columns = math.ceil(math.sqrt(len(pictures)))
    sheet = Image.new("RGB", (width * columns, height * math.ceil(len(pictures) / columns)))
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (number % columns * width, number // columns * height))
    return sheet


def edges(picture: Image.Image) -> Image.Image:
    """A map such as ControlNet's canny makes."""
    return picture.convert("L").filter(ImageFilter.FIND_EDGES).convert("RGB")


def upscale(picture: Image.Image, request: Extras) -> tuple[Image.Image, str]:
    """The scaled picture and what was done, in words. Nearest is nearest; every other upscaler is drawn by Lanczos.

    Raises OutOfMemoryError for too large a result.
    """
    if request.upscaler_1 == "None":
        return picture, ""
    scaled = _scaled(picture, request.upscaler_1, request)
    if request.upscaler_2 != "None" and request.extras_upscaler_2_visibility:
        second = _scaled(picture, request.upscaler_2, request)
        scaled = Image.blend(scaled, second, request.extras_upscaler_2_visibility)
    by_size = f"to: {request.upscaling_resize_w}x{request.upscaling_resize_h}"
    how = by_size if request.resize_mode else f"by: {request.upscaling_resize}"
    return scaled, f"Postprocess upscale {how}, Postprocess upscaler: {request.upscaler_1}"


def _scaled(picture: Image.Image, upscaler: str, request: Extras) -> Image.Image:
    method = Image.Resampling.NEAREST if upscaler == "Nearest" else Image.Resampling.LANCZOS
    picture = picture.convert("RGB")
    if request.resize_mode == 0:
        factor = request.upscaling_resize
        size = max(1, int(picture.width * factor)), max(1, int(picture.height * factor))
        check_memory(size[0] * size[1])
        return picture.resize(size, method)
    size = request.upscaling_resize_w, request.upscaling_resize_h
    check_memory(size[0] * size[1])
    if request.upscaling_crop:
        return ImageOps.fit(picture, size, method)
    return ImageOps.contain(picture, size, method)
