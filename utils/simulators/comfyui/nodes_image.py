"""Nodes that need no model: they make, load, change and save images."""

from io import BytesIO
from typing import Any, TypeAlias

from PIL import Image, ImageOps, UnidentifiedImageError

from utils.simulators.comfyui.disk import Folder, Place
from utils.simulators.comfyui.node import Inputs, Node, NodeFailure, Produced, Run, World, decimal, integer
from utils.simulators.comfyui.saving import save_pngs

MAX_RESOLUTION = 16384

Images: TypeAlias = tuple[Image.Image, ...]

_SCALERS = {
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_CHANNELS = ["alpha", "red", "green", "blue"]
_PREFIX_TIP = (
    "The prefix for the file to save. This may include formatting information such as %date:yyyy-MM-dd% or "
    "%Empty Latent Image.width% to include values from nodes."
)
_HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}


async def _empty_image(run: Run, *, width: int, height: int, batch_size: int, color: int) -> Produced:
    colour = (color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF)
    image = await run.work(Image.new, "RGB", (width, height), colour)
    return Produced(((image,) * batch_size,))


async def _load_image(run: Run, *, image: str) -> Produced:
    opened = await run.work(_opened, run.world, image)
    alpha = opened.getchannel("A") if "A" in opened.getbands() else Image.new("L", opened.size, 255)
    return Produced(((opened.convert("RGB"),), (ImageOps.invert(alpha),)))


async def _load_mask(run: Run, *, image: str, channel: str) -> Produced:
    opened = await run.work(_opened, run.world, image)
    mask = opened.convert("RGBA").getchannel(channel[0].upper())
    return Produced(((ImageOps.invert(mask) if channel == "alpha" else mask,),))


def _opened(world: World, name: str) -> Image.Image:
    place = Place.annotated(name)
    try:
        image = Image.open(BytesIO(world.disk.read(place) or b""))
        image.load()
    except UnidentifiedImageError as error:
        raise NodeFailure("PIL.UnidentifiedImageError", f"cannot identify image file {place.path!r}") from error
    return ImageOps.exif_transpose(image)


async def _scale_by(run: Run, *, image: Images, upscale_method: str, scale_by: float) -> Produced:
    size = (max(1, round(image[0].width * scale_by)), max(1, round(image[0].height * scale_by)))
    return Produced((tuple([await run.work(one.resize, size, _SCALERS[upscale_method]) for one in image]),))


async def _invert(run: Run, *, image: Images) -> Produced:
    return Produced((tuple([await run.work(ImageOps.invert, one) for one in image]),))


async def _batch(run: Run, *, image1: Images, image2: Images) -> Produced:
    size = image1[0].size
    return Produced(((*image1, *[await run.work(ImageOps.fit, one, size) for one in image2]),))


async def _mask_to_image(run: Run, *, mask: Images) -> Produced:  # noqa: ARG001 - every node takes its run
    return Produced((tuple(one.convert("RGB") for one in mask),))


async def _save_image(run: Run, *, images: Images, filename_prefix: str) -> Produced:
    return Produced(ui={"images": await save_pngs(run, images, Folder.OUTPUT, filename_prefix)})


async def _preview_image(run: Run, *, images: Images) -> Produced:
    letters = "".join(chr(ord("a") + int(digit, 16)) for digit in run.signature[:5])
    return Produced(ui={"images": await save_pngs(run, images, Folder.TEMP, f"ComfyUI_temp_{letters}")})


def saving_inputs(**more: list[Any]) -> Inputs:
    """The inputs of a node that saves images."""
    return {
        "required": {
            "images": ["IMAGE", {"tooltip": "The images to save."}],
            "filename_prefix": ["STRING", {"default": "ComfyUI", "tooltip": _PREFIX_TIP}],
            **more,
        },
        "hidden": _HIDDEN,
    }


def _files(world: World) -> list[Any]:
    return [world.disk.names(Folder.INPUT), {"image_upload": True}]


def _side() -> list[Any]:
    return integer(512, 1, MAX_RESOLUTION, step=1)


NODES = (
    Node(
        name="EmptyImage",
        display_name="EmptyImage",
        category="image",
        run=_empty_image,
        inputs=lambda _: {
            "required": {
                "width": _side(),
                "height": _side(),
                "batch_size": integer(1, 1, 4096),
                "color": integer(0, 0, 0xFFFFFF, step=1, display="color"),
            }
        },
        outputs=("IMAGE",),
    ),
    Node(
        name="LoadImage",
        display_name="Load Image",
        category="image",
        run=_load_image,
        inputs=lambda world: {"required": {"image": _files(world)}},
        outputs=("IMAGE", "MASK"),
        file_input="image",
    ),
    Node(
        name="LoadImageMask",
        display_name="Load Image (as Mask)",
        category="mask",
        run=_load_mask,
        inputs=lambda world: {"required": {"image": _files(world), "channel": [_CHANNELS]}},
        outputs=("MASK",),
        file_input="image",
    ),
    Node(
        name="MaskToImage",
        display_name="Convert Mask to Image",
        category="mask",
        run=_mask_to_image,
        inputs=lambda _: {"required": {"mask": ["MASK"]}},
        outputs=("IMAGE",),
    ),
    Node(
        name="ImageScaleBy",
        display_name="Upscale Image By",
        category="image/upscaling",
        run=_scale_by,
        inputs=lambda _: {
            "required": {
                "image": ["IMAGE"],
                "upscale_method": [list(_SCALERS)],
                "scale_by": decimal(1.0, 0.01, 8.0, step=0.01),
            }
        },
        outputs=("IMAGE",),
    ),
    Node(
        name="ImageInvert",
        display_name="Invert Image",
        category="image",
        run=_invert,
        inputs=lambda _: {"required": {"image": ["IMAGE"]}},
        outputs=("IMAGE",),
    ),
    Node(
        name="ImageBatch",
        display_name="Batch Images",
        category="image",
        run=_batch,
        inputs=lambda _: {"required": {"image1": ["IMAGE"], "image2": ["IMAGE"]}},
        outputs=("IMAGE",),
    ),
    Node(
        name="SaveImage",
        display_name="Save Image",
        category="image",
        description="Saves the input images to your ComfyUI output directory.",
        run=_save_image,
        inputs=lambda _: saving_inputs(),
        output_node=True,
    ),
    Node(
        name="PreviewImage",
        display_name="Preview Image",
        category="image",
        description="Saves the input images to your ComfyUI output directory.",
        run=_preview_image,
        inputs=lambda _: {"required": {"images": ["IMAGE"]}, "hidden": _HIDDEN},
        output_node=True,
    ),
)
