"""The simulated runtimes' images."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from utils.simulators.drawing import draw, encode_png


def test_the_same_arguments_give_the_same_image() -> None:
    # Given
    first = encode_png(draw("a cat", 7, 96, 64, label="simulated"))

    # When
    second = encode_png(draw("a cat", 7, 96, 64, label="simulated"))

    # Then
    assert first == second


@pytest.mark.parametrize(
    ("prompt", "seed", "label"), [("a dog", 7, "simulated"), ("a cat", 8, "simulated"), ("a cat", 7, "other")]
)
def test_prompt_seed_and_label_each_change_the_image(prompt: str, seed: int, label: str) -> None:
    # Given
    image = encode_png(draw("a cat", 7, 128, 128, label="simulated"))

    # When
    other = encode_png(draw(prompt, seed, 128, 128, label=label))

    # Then
    assert image != other


@settings(deadline=None, max_examples=40)
@given(
    prompt=st.text(alphabet=st.characters(exclude_categories=()), max_size=200) | st.just("word " * 300),
    seed=st.integers(),
    width=st.integers(1, 200),
    height=st.integers(1, 200),
)
def test_any_prompt_in_any_size_is_drawn_and_is_a_png_that_carries_its_text(
    prompt: str, seed: int, width: int, height: int
) -> None:
    # When
    data = encode_png(draw(prompt, seed, width, height, label="simulated"), {"parameters": f"Steps: 20 {prompt}"})

    # Then
    with Image.open(BytesIO(data)) as image:
        image.load()
        assert image.format == "PNG"
        assert image.size == (width, height)
        assert image.info["parameters"].startswith("Steps: 20")


def test_text_of_every_script_comes_back_from_the_text_chunk() -> None:
    # When
    data = encode_png(draw("猫", 1, 64, 64, label="simulated"), {"parameters": "猫 Ä \ud800"})

    # Then
    with Image.open(BytesIO(data)) as image:
        assert image.info["parameters"] == "猫 Ä ?"
