"""Where the members of the WebUI family differ: versions, fields, samplers and the shape of errors."""

from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from utils.simulators.sdwebui import lists
from utils.simulators.sdwebui.requests import ForgeImageToImage, ForgeTextToImage, ImageToImage, TextToImage


class Refusal(Exception):
    """What the real one raises as FastAPI's HTTPException."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


_PYDANTIC_1 = {
    "int_parsing": ("value is not a valid integer", "type_error.integer"),
    "int_type": ("value is not a valid integer", "type_error.integer"),
    "int_from_float": ("value is not a valid integer", "type_error.integer"),
    "float_parsing": ("value is not a valid float", "type_error.float"),
    "float_type": ("value is not a valid float", "type_error.float"),
    "bool_parsing": ("value could not be parsed to a boolean", "type_error.bool"),
    "bool_type": ("value could not be parsed to a boolean", "type_error.bool"),
    "string_type": ("str type expected", "type_error.str"),
    "list_type": ("value is not a valid list", "type_error.list"),
    "dict_type": ("value is not a valid dict", "type_error.dict"),
    "model_type": ("value is not a valid dict", "type_error.dict"),
    "missing": ("field required", "value_error.missing"),
}
"""Pydantic 2 error type → message and type of Pydantic 1, which A1111 1.8.0 runs on."""


class Flavour:
    """AUTOMATIC1111 1.8.0."""

    version = "1.8.0-simulated"
    text_to_image: type[TextToImage] = TextToImage
    image_to_image: type[ImageToImage] = ImageToImage
    samplers = lists.A1111_SAMPLERS
    upscalers = lists.A1111_UPSCALERS
    schedules: tuple[str, ...] = ()
    """Names of noise schedules, where the flavour knows them apart from samplers."""

    def refused(self, refusal: Refusal) -> dict[str, Any]:
        return {"error": "HTTPException", "detail": refusal.detail, "body": "", "errors": ""}

    def crashed(self, error: Exception) -> dict[str, Any]:
        return {"error": type(error).__name__, "detail": "", "body": "", "errors": str(error)}

    def invalid(self, error: ValidationError) -> dict[str, Any]:
        details = []
        for each in error.errors(include_url=False):
            message, kind = _PYDANTIC_1.get(each["type"], (each["msg"], f"value_error.{each['type']}"))
            details.append({"loc": ["body", *each["loc"]], "msg": message, "type": kind})
        return {"detail": details}

    def sampler(self, name: str) -> tuple[str, str | None]:
        """The sampler that runs, and its schedule where the fork tells it. Raises Refusal for an unknown one."""
        if not any(sampler["name"] == name for sampler in self.samplers):
            raise Refusal(HTTPStatus.NOT_FOUND, "Sampler not found")
        return name, None


class Forge(Flavour):
    """Forge f2.0.1."""

    version = "f2.0.1-simulated"
    text_to_image = ForgeTextToImage
    image_to_image = ForgeImageToImage
    samplers = lists.FORGE_SAMPLERS
    upscalers = lists.FORGE_UPSCALERS
    schedules = lists.FORGE_SCHEDULES

    def refused(self, refusal: Refusal) -> dict[str, Any]:
        return {"detail": refusal.detail}

    def crashed(self, error: Exception) -> dict[str, Any]:
        return {"error": type(error).__name__, "detail": "", "body": "", "message": str(error)}

    def invalid(self, error: ValidationError) -> dict[str, Any]:
        return {"detail": [{**each, "loc": ["body", *each["loc"]]} for each in error.errors(include_context=False)]}

    def sampler(self, name: str) -> tuple[str, str | None]:
        """A schedule at the end of the name is taken off; an unknown sampler silently gives the first of the list."""
        names = [sampler["name"] for sampler in self.samplers]
        if name in names:
            return name, "Automatic"
        split = ((sampler, schedule) for sampler in names for schedule in self.schedules)
        return next((pair for pair in split if name == " ".join(pair)), (names[0], "Karras"))


def flavour_of(name: str | None) -> Flavour:
    """The flavour of that name, A1111 for None. Raises ValueError for one that is not known."""
    flavours = {None: Flavour, "a1111": Flavour, "forge": Forge}
    if name not in flavours:
        raise ValueError(f"flavour must be a1111 or forge, got {name!r}")
    return flavours[name]()
