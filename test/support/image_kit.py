"""The image kit's weights, and a font to write with, fetched once into the environment's folder."""

from pathlib import Path

from image_kit import weights
from image_kit.weights import Wheel
from utils.local.image_kit import WEIGHTS

FONT = Wheel(
    package="matplotlib-fontja",
    version="1.1.0",
    sha256="930603aaffd420ad89a6cf3399f074b14e939e8e349843ed1cb558ac97c8c94a",
    files={
        "ipaexg.ttf": (
            "matplotlib_fontja/fonts/ipaexg.ttf",
            "3b9955a5e437ffb24c41548e79296fa724822da21ee75dc1b94f6ccdb8f400dd",
        )
    },
)
"""IPAex Gothic, with Latin and Chinese characters, under the IPA Font License."""


def fetched_weights() -> Path:
    """The folder that the platform on this machine uses, with all weights in it."""
    weights.fetch(WEIGHTS)
    return WEIGHTS


def fetched_font() -> Path:
    """A font's file."""
    weights.fetch(WEIGHTS, (FONT,))
    return WEIGHTS / "ipaexg.ttf"
