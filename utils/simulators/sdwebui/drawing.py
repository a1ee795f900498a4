"""The simulated WebUI's images: drawn, started from a given image, unfinished, in a grid, scaled."""

import base64
import math
from collections.abc import Sequence
from http import HTTPStatus
from io import BytesIO

from PIL import Image, ImageFilter, ImageOps, ImageStat

from utils.simulators.drawing import encode_png
from utils.simulators.sdwebui.flavour import Refusal
from utils.simulators.sdwebui.requests import Extras, ImageToImage

MAX_PIXELS = 4096 * 4096
"""Pixels of a batch that the simulated GPU holds; more is out of memory, as on a real one."""

STRETCH, CROP = 0, 1
"""``resize_mode`` of img2img; anything else pads."""

HALF = 128
"""Of 255: from here on a mask counts as set, and an image as bright."""

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
    """The image in base64 or in a data: URL. Raises Refusal as the real one does."""
    if encoded.startswith(("http://", "https://")):
        raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Requests not allowed")
    if encoded.startswith("data:image/"):
        encoded = encoded.partition(",")[2]
    try:
        with Image.open(BytesIO(base64.b64decode(encoded))) as image:
            image.load()
            return image
    except Exception as error:
        raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Invalid encoded image") from error


def encode(image: Image.Image, parameters: str | None = None, *, form: str = "png") -> str:
    """Base64 of the image: PNG with A1111's text chunk, or what else ``samples_format`` asks for, without."""
    if form.lower() != "png":
        target = BytesIO()
        image.save(target, "JPEG" if form.lower() in {"jpg", "jpeg"} else form)
        return base64.b64encode(target.getvalue()).decode()
    data = encode_png(image, {"parameters": parameters} if parameters is not None else None)
    return base64.b64encode(data).decode()


def mask_of(request: ImageToImage) -> Image.Image | None:
    """The mask, white where the image changes: its transparency where it has one, else its brightness. Raises Refusal
    for what is no image."""
    if not request.mask:
        return None
    mask = decode(request.mask)
    if mask.mode == "RGBA" and mask.getchannel("A").getextrema() != (255, 255):
        mask = mask.getchannel("A")
        mask = mask.point([255 * (value > HALF) for value in range(256)]) if request.mask_round else mask
    mask = mask.convert("L")
    return ImageOps.invert(mask) if request.inpainting_mask_invert else mask


def check_mask(start: Image.Image, request: ImageToImage) -> None:
    """Raise ValueError when only the masked region is to be drawn, and the mask is not one of this image."""
    mask = mask_of(request)
    if mask is None or not request.inpaint_full_res:
        return
    mask.crop(_region(mask, request))
    if mask.size != start.size:
        raise ValueError("images do not match")


def start_from(start: Image.Image, drawn: Image.Image, request: ImageToImage) -> Image.Image:
    """``start`` turned into ``drawn`` by the denoising strength; a mask limits where.

    Derived from the published sources (modules/processing.py), not from a recording: with ``inpaint_full_res``, the
    default, the region around the mask is drawn in the asked size and put back into ``start``: the result has the size
    of ``start``, and so must the mask. Otherwise image and mask, each of any size, are brought to the asked size. The
    real one also widens the region to the asked shape and blurs the mask; this one does neither.
    """
    start = start.convert("RGB")
    mask = mask_of(request)
    if mask is not None and request.inpaint_full_res:
        region = _region(mask, request)
        part = ImageOps.fit(drawn, (region[2] - region[0], region[3] - region[1]))
        changed = start.copy()
        changed.paste(_blended(start.crop(region), part, request), region)
        return Image.composite(changed, start, mask)
    fitted = _fitted(start, drawn.size, request)
    blended = _blended(fitted, drawn, request)
    return blended if mask is None else Image.composite(blended, fitted, _fitted(mask, drawn.size, request))


def _region(mask: Image.Image, request: ImageToImage) -> tuple[int, int, int, int]:
    """The box around what is white, with its padding. Of a black mask it is no box, and cropping to it a ValueError."""
    width, height = mask.size
    left, top, right, bottom = mask.getbbox() or (width, height, 0, 0)
    padding = request.inpaint_full_res_padding or 0
    return max(left - padding, 0), max(top - padding, 0), min(right + padding, width), min(bottom + padding, height)


def _fitted(image: Image.Image, size: tuple[int, int], request: ImageToImage) -> Image.Image:
    if request.resize_mode == STRETCH:
        return image.resize(size)
    return ImageOps.fit(image, size) if request.resize_mode == CROP else ImageOps.pad(image, size)


def _blended(start: Image.Image, drawn: Image.Image, request: ImageToImage) -> Image.Image:
    strength = 0.75 if request.denoising_strength is None else min(1.0, max(0.0, request.denoising_strength))
    return Image.blend(start, drawn, strength)


def tags(image: Image.Image) -> list[str]:
    """What can be said of an image without a model: its shape, its size, and whether it is dark."""
    shape = "square" if image.width == image.height else "wide" if image.width > image.height else "tall"
    brightness = ImageStat.Stat(image.convert("L")).mean[0]
    return [shape, f"{image.width}x{image.height}", "bright" if brightness > HALF else "dark"]


def unfinished(image: Image.Image, share: float) -> Image.Image:
    """The image as it looks after ``share`` (0..1) of its steps."""
    return image.filter(ImageFilter.GaussianBlur((1 - share) * max(image.size) / 16))


def grid(images: Sequence[Image.Image]) -> Image.Image:
    """All images of one size on one sheet, row by row."""
    width, height = images[0].size
    columns = math.ceil(math.sqrt(len(images)))
    sheet = Image.new("RGB", (width * columns, height * math.ceil(len(images) / columns)))
    for number, image in enumerate(images):
        sheet.paste(image, (number % columns * width, number // columns * height))
    return sheet


def edges(image: Image.Image) -> Image.Image:
    """A map such as ControlNet's canny makes."""
    return image.convert("L").filter(ImageFilter.FIND_EDGES).convert("RGB")


def upscale(image: Image.Image, request: Extras) -> tuple[Image.Image, str]:
    """The scaled image and what was done, in words. Nearest is nearest; every other upscaler is drawn by Lanczos.

    Raises OutOfMemoryError for too large a result.
    """
    if request.upscaler_1 == "None":
        return image, ""
    scaled = _scaled(image, request.upscaler_1, request)
    if request.upscaler_2 != "None" and request.extras_upscaler_2_visibility:
        second = _scaled(image, request.upscaler_2, request)
        scaled = Image.blend(scaled, second, request.extras_upscaler_2_visibility)
    by_size = f"to: {request.upscaling_resize_w}x{request.upscaling_resize_h}"
    how = by_size if request.resize_mode else f"by: {request.upscaling_resize}"
    return scaled, f"Postprocess upscale {how}, Postprocess upscaler: {request.upscaler_1}"


def _scaled(image: Image.Image, upscaler: str, request: Extras) -> Image.Image:
    method = Image.Resampling.NEAREST if upscaler == "Nearest" else Image.Resampling.LANCZOS
    image = image.convert("RGB")
    if request.resize_mode == 0:
        factor = request.upscaling_resize
        size = max(1, int(image.width * factor)), max(1, int(image.height * factor))
        check_memory(size[0] * size[1])
        return image.resize(size, method)
    size = request.upscaling_resize_w, request.upscaling_resize_h
    check_memory(size[0] * size[1])
    if request.upscaling_crop:
        return ImageOps.fit(image, size, method)
    return ImageOps.contain(image, size, method)
