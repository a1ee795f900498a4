"""The keys that both API versions keep among the WebUI's scripts, and what they mean.

``alwayson_scripts`` belongs to the WebUI, which answers 422 to a script that it does not know; v1alpha1 has the routing
there, and v1alpha2 the model's name. They are taken out before the WebUI is called.
"""

from collections.abc import Mapping
from typing import Any

SCRIPTS = "alwayson_scripts"

OVERRIDES = "override_settings"
"""Settings for one run. The WebUI's own key of the body, and one of PLATFORM_KEYS among the scripts."""

MODEL_KEY = "sd_model_checkpoint"
"""The model's file name: among the scripts in both API versions, and as a setting in ``override_settings``."""

VAE_KEY = "sd_vae"
"""The VAE's file name: among the scripts and as a setting."""

PLATFORM_KEYS = frozenset({"task", MODEL_KEY, "id_task", "save_dir", "image_link", "uid", OVERRIDES, VAE_KEY})
"""Keys of ``alwayson_scripts`` that are the platform's, and no scripts of the WebUI."""


def merge_override_settings(body: Mapping[str, Any], scripts: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run. The later of these wins, in both API versions:

    1. ``override_settings`` of the body, 2. ``sd_vae`` among the scripts, 3. ``override_settings`` among the scripts.

    What is no object, and a VAE that is null or empty, counts as absent.
    """
    vae = scripts.get(VAE_KEY)
    return {
        **_settings(body.get(OVERRIDES)),
        **({} if vae is None or vae == "" else {VAE_KEY: vae}),
        **_settings(scripts.get(OVERRIDES)),
    }


def _settings(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
