"""The bodies that ``/sdapi/v1`` takes. Fields and defaults are those of the recorded ``parameters``."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class Generation(BaseModel):
    """What txt2img and img2img have in common. Sizes are pixels; a seed of -1 or null is drawn at random."""

    prompt: str | None = ""
    negative_prompt: str | None = ""
    styles: list[str] | None = None
    seed: int | None = -1
    subseed: int | None = -1
    subseed_strength: float | None = 0
    seed_resize_from_h: int | None = -1
    seed_resize_from_w: int | None = -1
    sampler_name: str | None = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool | None = False
    do_not_save_grid: bool | None = False
    eta: float | None = None
    denoising_strength: float | None = None
    s_min_uncond: float | None = None
    s_churn: float | None = None
    s_tmax: float | None = None
    s_tmin: float | None = None
    s_noise: float | None = None
    override_settings: dict[str, Any] | None = None
    override_settings_restore_afterwards: bool | None = True
    refiner_checkpoint: str | None = None
    refiner_switch_at: float | None = None
    disable_extra_networks: bool | None = False
    firstpass_image: str | None = None
    comments: dict[str, Any] | None = None
    force_task_id: str | None = None
    sampler_index: str | None = "Euler"
    script_name: str | None = None
    script_args: list[Any] = Field(default_factory=list)
    send_images: bool = True
    save_images: bool = False
    alwayson_scripts: dict[str, Any] = Field(default_factory=dict)
    infotext: str | None = None


class TextToImage(Generation):
    """The body of txt2img."""

    enable_hr: bool | None = False
    firstphase_width: int | None = 0
    firstphase_height: int | None = 0
    hr_scale: float = 2.0
    hr_upscaler: str | None = None
    hr_second_pass_steps: int | None = 0
    hr_resize_x: int | None = 0
    hr_resize_y: int | None = 0
    hr_checkpoint_name: str | None = None
    hr_sampler_name: str | None = None
    hr_prompt: str | None = ""
    hr_negative_prompt: str | None = ""


class ImageToImage(Generation):
    """The body of img2img; images are base64, with or without ``data:image/…;base64,``."""

    init_images: list[str] | None = None
    denoising_strength: float | None = 0.75
    resize_mode: int = 0
    image_cfg_scale: float | None = None
    mask: str | None = None
    mask_blur_x: int | None = 4
    mask_blur_y: int | None = 4
    mask_blur: int | None = None
    mask_round: bool | None = True
    inpainting_fill: int | None = 0
    inpaint_full_res: bool | None = True
    inpaint_full_res_padding: int | None = 0
    inpainting_mask_invert: int | None = 0
    initial_noise_multiplier: float | None = None
    latent_mask: str | None = None
    include_init_images: bool = False


class ForgeTextToImage(TextToImage):
    """Forge's further fields of txt2img."""

    scheduler: str | None = None
    distilled_cfg_scale: float | None = 3.5
    hr_additional_modules: list[str] | None = None
    hr_scheduler: str | None = None
    hr_cfg: float | None = 1.0
    hr_distilled_cfg: float | None = 3.5


class ForgeImageToImage(ImageToImage):
    """Forge's further fields of img2img."""

    scheduler: str | None = None
    distilled_cfg_scale: float | None = 3.5


class Extras(BaseModel):
    """What both upscaling routes take. ``resize_mode`` 0 scales by a factor, 1 to a size in pixels."""

    resize_mode: Literal[0, 1] = 0
    show_extras_results: bool = True
    gfpgan_visibility: float = Field(default=0, ge=0, le=1)
    codeformer_visibility: float = Field(default=0, ge=0, le=1)
    codeformer_weight: float = Field(default=0, ge=0, le=1)
    upscaling_resize: float = Field(default=2, gt=0)
    upscaling_resize_w: int = Field(default=512, ge=1)
    upscaling_resize_h: int = Field(default=512, ge=1)
    upscaling_crop: bool = True
    upscaler_1: str = "None"
    upscaler_2: str = "None"
    extras_upscaler_2_visibility: float = Field(default=0, ge=0, le=1)
    upscale_first: bool = False


class ExtraSingleImage(Extras):
    """The body of extra-single-image."""

    image: str = ""


class FileData(BaseModel):
    """One image of a batch, base64."""

    data: str
    name: str


class ExtraBatchImages(Extras):
    """The body of extra-batch-images."""

    imageList: list[FileData]  # noqa: N815 - the name on the wire


class Interrogate(BaseModel):
    """The body of interrogate; the image is base64.

    Derived from the published sources (modules/api/models.py): a body without an image holds ``""``, which is decoded
    and refused, and null does not fit. The real one's 404 "Image not found", which waits for null, is never answered.
    """

    image: str = ""
    model: str = "clip"


class PngInfo(BaseModel):
    """The body of png-info."""

    image: str
