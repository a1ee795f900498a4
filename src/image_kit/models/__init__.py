"""The real models, each loaded when it is first used, and kept."""

from image_kit.models.loaded import LoadedModels

__all__ = ["LoadedModels"]
