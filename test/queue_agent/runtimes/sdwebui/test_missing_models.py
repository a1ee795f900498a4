"""A model that the runtime does not have, cannot load or does not name."""

import json
from typing import Any

import pytest

from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.sdwebui import Adapter
from test.support.runtimes import run_job
from test.support.sdwebui import scripted, serve

from .conftest import Connect, MakeJob, Watched, asking


async def test_an_unknown_model_is_looked_for_once_and_fails_with_the_models_there_are(
    watched: Watched, connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve(watched.app) as client, connect(client, dynamic_model=True) as adapter:
        # When
        with pytest.raises(PermanentError) as caught:
            await run_job(adapter, make_job(**asking("delta")))

    # Then
    assert caught.value.type == "unknown-model"
    assert caught.value.message == ("there is no model 'delta'; there are: alpha.safetensors, beta.safetensors")
    assert watched.calls == ["refresh-checkpoints"], "nothing was generated"


async def test_a_model_that_arrived_since_the_start_is_found_after_a_refresh(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    items = [{"title": "alpha.safetensors", "model_name": "alpha"}]

    def refresh() -> None:
        items.append({"title": "delta.safetensors", "model_name": "delta"})

    answers = {
        "sd-models": lambda: items,
        "refresh-checkpoints": refresh,
        "options": {"sd_model_checkpoint": None},
        "txt2img": {"images": ["aW1hZ2U="], "info": json.dumps({"sd_model_name": "delta"})},
    }
    async with serve(scripted(answers)) as client, connect(client, dynamic_model=True) as adapter:
        # When
        result = await run_job(adapter, make_job(**asking("delta")))

    # Then
    assert result.ran.model == "delta"


async def test_an_unknown_model_in_override_settings_fails_although_the_runtime_would_take_the_current_one(
    adapter: Adapter, make_job: MakeJob
) -> None:
    # When / Then
    with pytest.raises(PermanentError, match="there is no model 'delta'"):
        await run_job(adapter, make_job(override_settings={"sd_model_checkpoint": "delta"}))


async def test_a_model_that_the_runtime_could_not_load_is_told_before_anything_is_generated(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve(scripted({})) as client, connect(client, dynamic_model=True) as adapter:
        # When
        with pytest.raises(RuntimeFault) as caught:
            await run_job(adapter, make_job(**asking("beta")))

    # Then
    assert caught.value.type == "model-not-loaded"
    assert "did not load beta.safetensors, it stays with alpha.safetensors" in caught.value.message


@pytest.mark.parametrize("info", [json.dumps({"sd_model_name": "alpha"}), "no JSON", None])
async def test_a_runtime_that_ran_another_model_than_it_says_to_have_loaded_delivers_nothing(
    connect: Connect, make_job: MakeJob, info: str | None
) -> None:
    # Given
    answers = {
        "options": {"sd_model_checkpoint": "beta"},
        "txt2img": {"images": ["aW1hZ2U="], "parameters": {}, "info": info},
    }
    async with serve(scripted(answers)) as client, connect(client, dynamic_model=True) as adapter:
        # When
        with pytest.raises(RuntimeFault) as caught:
            await run_job(adapter, make_job(**asking("beta")))

    # Then
    assert caught.value.type == "model-mismatch"
    assert "asked for the model beta.safetensors" in caught.value.message


@pytest.mark.parametrize("models", [None, {}, [{"name": "alpha"}], ["alpha"]])
async def test_a_runtime_that_lists_no_models_is_at_fault_itself(
    connect: Connect, make_job: MakeJob, models: Any
) -> None:
    # Given
    async with serve(scripted({"sd-models": models})) as client, connect(client, dynamic_model=True) as adapter:
        # When / Then
        with pytest.raises(RuntimeFault, match="/sd-models lists no models"):
            await run_job(adapter, make_job(**asking("beta")))


async def test_a_runtime_that_tells_no_options_is_at_fault_itself(connect: Connect, make_job: MakeJob) -> None:
    # Given
    async with serve(scripted({"options": []})) as client, connect(client, dynamic_model=True) as adapter:
        # When / Then
        with pytest.raises(RuntimeFault, match="/options is no object"):
            await run_job(adapter, make_job(**asking("beta")))


async def test_a_long_list_of_models_is_cut(connect: Connect, make_job: MakeJob) -> None:
    # Given
    items = [{"title": f"m{number}", "model_name": f"m{number}"} for number in range(60)]
    answers = {"sd-models": items, "refresh-checkpoints": None}
    async with serve(scripted(answers)) as client, connect(client, dynamic_model=True) as adapter:
        # When / Then
        with pytest.raises(PermanentError, match="m48, m49 and 10 more"):
            await run_job(adapter, make_job(**asking("beta")))
