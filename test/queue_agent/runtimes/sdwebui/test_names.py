"""Upscalers, refiners and samplers by their names, and hires fix: WebUI's rules, checked before a GPU works."""

import pytest

from contract.runtimes import TaskType
from queue_agent.errors import PermanentError
from queue_agent.runtimes.base import Job
from queue_agent.runtimes.sdwebui import Adapter
from test.support.runtimes import run_job
from utils.simulators.drawing import draw
from utils.simulators.sdwebui.drawing import encode

from .conftest import MakeJob


@pytest.mark.parametrize("name", ["esrgan_4X", "ESRGAN_4x", "none"])
async def test_an_upscaler_is_found_whatever_its_case(adapter: Adapter, name: str) -> None:
    # Given
    content = {"upscaler_1": name, "image": encode(draw("small", 1, 8, 8, label="x")), "upscaling_resize": 2}

    # When
    result = await run_job(adapter, Job(id="t", tasktype=TaskType.EXTRA_SINGLE_IMAGE, content=content))

    # Then
    assert len(result.outputs) == 1


async def test_an_unknown_refiner_is_the_callers_fault_with_the_models_there_are(
    adapter: Adapter, make_job: MakeJob
) -> None:
    # When
    with pytest.raises(PermanentError) as caught:
        await run_job(adapter, make_job(refiner_checkpoint="nope", refiner_switch_at=0.8))

    # Then
    assert caught.value.type == "unknown-model"
    assert "there is no model 'nope'; there are: alpha.safetensors" in caught.value.message


async def test_a_samplers_alias_is_refused_as_webui_does_and_not_listed(adapter: Adapter, make_job: MakeJob) -> None:
    # When
    with pytest.raises(PermanentError) as caught:
        await run_job(adapter, make_job(sampler_name="k_euler_a"))

    # Then
    assert caught.value.type == "unknown-sampler"
    named, _, listed = caught.value.message.partition("; there are: ")
    assert "'k_euler_a'" in named
    assert "Euler a" in listed.split(", ")
    assert "k_" not in listed


async def test_hires_without_denoising_strength_and_a_width_of_0_say_what_to_do(
    adapter: Adapter, make_job: MakeJob
) -> None:
    # When
    with pytest.raises(PermanentError) as hires:
        await run_job(adapter, make_job(enable_hr=True))
    with pytest.raises(PermanentError) as width:
        await run_job(adapter, make_job(width=0))

    # Then
    assert "enable_hr needs denoising_strength" in hires.value.message
    assert "check width and height" in width.value.message
