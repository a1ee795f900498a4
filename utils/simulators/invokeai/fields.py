"""What flows along the edges of a graph: the field types and outputs of InvokeAI's nodes, as its API shows them."""

from typing import Any, Literal

from pydantic import BaseModel


class ImageField(BaseModel):
    image_name: str


class ColorField(BaseModel):
    r: int
    g: int
    b: int
    a: int


class LatentsField(BaseModel):
    latents_name: str
    seed: int | None = None


class ConditioningField(BaseModel):
    conditioning_name: str
    mask: None = None


class ModelIdentifierField(BaseModel):
    key: str
    hash: str
    name: str
    base: str
    type: str
    submodel_type: str | None = None


class UNetField(BaseModel):
    unet: ModelIdentifierField
    scheduler: ModelIdentifierField
    loras: list[Any] = []
    seamless_axes: list[str] = []


class CLIPField(BaseModel):
    tokenizer: ModelIdentifierField
    text_encoder: ModelIdentifierField
    skipped_layers: int = 0
    loras: list[Any] = []


class VAEField(BaseModel):
    vae: ModelIdentifierField
    seamless_axes: list[str] = []


class Output(BaseModel):
    """What a node gives; its fields are what edges may start from."""

    output_meta: dict[str, Any] | None = None


class ImageOutput(Output):
    image: ImageField
    width: int
    height: int
    type: Literal["image_output"] = "image_output"


class ImageCollectionOutput(Output):
    collection: list[ImageField]
    type: Literal["image_collection_output"] = "image_collection_output"


class IntegerOutput(Output):
    value: int
    type: Literal["integer_output"] = "integer_output"


class IntegerCollectionOutput(Output):
    collection: list[int]
    type: Literal["integer_collection_output"] = "integer_collection_output"


class StringOutput(Output):
    value: str
    type: Literal["string_output"] = "string_output"


class IterateOutput(Output):
    item: Any
    index: int
    total: int
    type: Literal["iterate_output"] = "iterate_output"


class CollectOutput(Output):
    collection: list[Any]
    type: Literal["collect_output"] = "collect_output"


class ModelLoaderOutput(Output):
    unet: UNetField
    clip: CLIPField
    vae: VAEField
    type: Literal["model_loader_output"] = "model_loader_output"


class ConditioningOutput(Output):
    conditioning: ConditioningField
    type: Literal["conditioning_output"] = "conditioning_output"


class NoiseOutput(Output):
    noise: LatentsField
    width: int
    height: int
    type: Literal["noise_output"] = "noise_output"


class LatentsOutput(Output):
    latents: LatentsField
    width: int
    height: int
    type: Literal["latents_output"] = "latents_output"
