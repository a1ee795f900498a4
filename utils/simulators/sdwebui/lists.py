"""What the simulated WebUI knows by name: samplers, upscalers, scripts, and the usual values of its options."""

from typing import Any


def _sampler(name: str, *aliases: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "aliases": list(aliases), "options": options}


A1111_SAMPLERS = [
    _sampler("DPM++ 2M Karras", "k_dpmpp_2m_ka", scheduler="karras"),
    _sampler("DPM++ SDE Karras", "k_dpmpp_sde_ka", scheduler="karras", second_order="True", brownian_noise="True"),
    _sampler("DPM++ 2M SDE Exponential", "k_dpmpp_2m_sde_exp", scheduler="exponential", brownian_noise="True"),
    _sampler("DPM++ 2M SDE Karras", "k_dpmpp_2m_sde_ka", scheduler="karras", brownian_noise="True"),
    _sampler("Euler a", "k_euler_a", "k_euler_ancestral", uses_ensd="True"),
    _sampler("Euler", "k_euler"),
    _sampler("LMS", "k_lms"),
    _sampler("Heun", "k_heun", second_order="True"),
    _sampler("DPM2", "k_dpm_2", discard_next_to_last_sigma="True", second_order="True"),
    _sampler("DPM2 a", "k_dpm_2_a", discard_next_to_last_sigma="True", uses_ensd="True", second_order="True"),
    _sampler("DPM++ 2S a", "k_dpmpp_2s_a", uses_ensd="True", second_order="True"),
    _sampler("DPM++ 2M", "k_dpmpp_2m"),
    _sampler("DPM++ SDE", "k_dpmpp_sde", second_order="True", brownian_noise="True"),
    _sampler("DPM++ 2M SDE", "k_dpmpp_2m_sde", brownian_noise="True"),
    _sampler("DPM++ 3M SDE", "k_dpmpp_3m_sde", discard_next_to_last_sigma="True", brownian_noise="True"),
    _sampler("DPM fast", "k_dpm_fast", uses_ensd="True"),
    _sampler("DPM adaptive", "k_dpm_ad", uses_ensd="True"),
    _sampler("LMS Karras", "k_lms_ka", scheduler="karras"),
    _sampler("Restart", "restart", scheduler="karras", second_order="True"),
    _sampler("DDIM", "ddim"),
    _sampler("PLMS", "plms"),
    _sampler("UniPC", "unipc"),
    _sampler("LCM", "k_lcm"),
]

FORGE_SAMPLERS = [
    _sampler("DPM++ 2M", "k_dpmpp_2m", scheduler="karras"),
    _sampler("DPM++ SDE", "k_dpmpp_sde", scheduler="karras", second_order=True, brownian_noise=True),
    _sampler("DPM++ 2M SDE", "k_dpmpp_2m_sde", scheduler="exponential", brownian_noise=True),
    _sampler(
        "DPM++ 2M SDE Heun",
        "k_dpmpp_2m_sde_heun",
        scheduler="exponential",
        brownian_noise=True,
        solver_type="heun",
    ),
    _sampler("DPM++ 2S a", "k_dpmpp_2s_a", scheduler="karras", uses_ensd=True, second_order=True),
    _sampler(
        "DPM++ 3M SDE",
        "k_dpmpp_3m_sde",
        scheduler="exponential",
        discard_next_to_last_sigma=True,
        brownian_noise=True,
    ),
    _sampler("Euler a", "k_euler_a", "k_euler_ancestral", uses_ensd=True),
    _sampler("Euler", "k_euler"),
    _sampler("LMS", "k_lms"),
    _sampler("Heun", "k_heun", second_order=True),
    _sampler("DPM2", "k_dpm_2", scheduler="karras", discard_next_to_last_sigma=True, second_order=True),
    _sampler(
        "DPM2 a", "k_dpm_2_a", scheduler="karras", discard_next_to_last_sigma=True, uses_ensd=True, second_order=True
    ),
    _sampler("DDIM", "ddim"),
    _sampler("UniPC", "unipc"),
    _sampler("LCM", "k_lcm"),
]

FORGE_SCHEDULES = ("Automatic", "Uniform", "Karras", "Exponential", "Polyexponential", "SGM Uniform", "Simple")


def _upscaler(name: str, scale: float = 4.0, model_name: str | None = None) -> dict[str, Any]:
    return {"name": name, "model_name": model_name, "model_path": None, "model_url": None, "scale": scale}


A1111_UPSCALERS = [
    _upscaler("None"),
    _upscaler("Lanczos"),
    _upscaler("Nearest"),
    _upscaler("DAT x2", 2.0),
    _upscaler("DAT x3", 3.0),
    _upscaler("DAT x4"),
    _upscaler("ESRGAN_4x", model_name="ESRGAN_4x"),
    _upscaler("LDSR"),
    _upscaler("R-ESRGAN 4x+"),
    _upscaler("R-ESRGAN 4x+ Anime6B"),
    _upscaler("ScuNET GAN", model_name="ScuNET GAN"),
    _upscaler("ScuNET PSNR", model_name="ScuNET GAN"),
    _upscaler("SwinIR 4x", model_name="SwinIR 4x"),
]

FORGE_UPSCALERS = [upscaler for upscaler in A1111_UPSCALERS if upscaler["name"] != "LDSR"]

CONTROLNET = "controlnet"
ALWAYS_ON_SCRIPTS = (CONTROLNET, "controlnet m2m", "extra options", "hypertile", "refiner", "sampler", "seed")
"""In lower case, as /scripts lists them. The simulator has no selectable scripts (X/Y/Z plot and the like)."""

OPTIONS: dict[str, Any] = {
    "samples_format": "png",
    "grid_format": "png",
    "grid_only_if_multiple": True,
    "return_grid": True,
    "return_mask": False,
    "jpeg_quality": 80,
    "sd_vae": "Automatic",
    "CLIP_stop_at_last_layers": 1,
    "eta_noise_seed_delta": 0,
    "img2img_fix_steps": False,
    "img2img_color_correction": False,
    "live_previews_enable": True,
    "show_progress_every_n_steps": 10,
    "disable_mmap_load_safetensors": False,
    "face_restoration_model": "CodeFormer",
    "upscaler_for_img2img": None,
}
"""A part of the real one's ~300 keys."""

LISTS: dict[str, Any] = {
    "latent-upscale-modes": [
        {"name": name}
        for name in ("Latent", "Latent (antialiased)", "Latent (bicubic)", "Latent (nearest)", "Latent (nearest-exact)")
    ],
    "scripts": {"txt2img": list(ALWAYS_ON_SCRIPTS), "img2img": list(ALWAYS_ON_SCRIPTS)},
    "sd-vae": [],
    "hypernetworks": [],
    "loras": [],
    "face-restorers": [{"name": "CodeFormer", "cmd_dir": None}, {"name": "GFPGAN", "cmd_dir": None}],
    "realesrgan-models": [],
    "prompt-styles": [],
    "embeddings": {"loaded": {}, "skipped": {}},
    "extensions": [],
    "cmd-flags": {"api": True, "nowebui": False, "simulated": True},
}
"""Answers of GET routes that never change."""
