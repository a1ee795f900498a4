"""Settings of a run that are given in several places."""

from typing import Any

import pytest

from contract.catalog import Catalog, RuntimeEntry
from contract.clients import EVERYBODY
from contract.runtimes import RuntimeType, TaskType
from contract.webui import merge_override_settings
from frontend_lambda.caller import Caller
from frontend_lambda.v1alpha1 import accept
from queue_agent.runtimes.base import Job
from queue_agent.runtimes.sdwebui.content import prepare

BODY = {"sd_vae": "of-the-body", "eta_ancestral": 0}
SCRIPTS = {"sd_vae": "of-the-settings", "eta_ancestral": 1}


@pytest.mark.parametrize(
    ("body", "scripts", "merged"),
    [
        ({}, {}, {}),
        ({"override_settings": BODY}, {}, BODY),
        ({"override_settings": BODY}, {"sd_vae": "a key"}, {"sd_vae": "a key", "eta_ancestral": 0}),
        ({}, {"sd_vae": "a key", "override_settings": SCRIPTS}, SCRIPTS),
        (
            {"override_settings": BODY},
            {"override_settings": {"eta_ancestral": 1}},
            {"sd_vae": "of-the-body", "eta_ancestral": 1},
        ),
        ({"override_settings": BODY}, {"sd_vae": None, "override_settings": None}, BODY),
        ({"override_settings": BODY}, {"sd_vae": ""}, BODY),
        ({"override_settings": 7}, {"sd_vae": "a key", "override_settings": []}, {"sd_vae": "a key"}),
    ],
)
def test_the_scripts_settings_win_over_their_vae_and_that_over_the_body(
    body: dict[str, Any], scripts: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge_override_settings(body, scripts) == merged


def test_a_vae_given_three_times_is_the_same_in_both_api_versions() -> None:
    # Given
    body = {"override_settings": BODY}
    scripts = {"sd_vae": "a key", "override_settings": SCRIPTS}
    model = {"sd_model_checkpoint": "m.safetensors"}
    catalog = Catalog((RuntimeEntry("sd", RuntimeType.SDWEBUI, "m.safetensors"),))

    # When the front door resolves v1alpha1's, and the agent v1alpha2's
    routing = {"task": "text-to-image", "id_task": "1", **model}
    first = accept(
        {**body, "alwayson_scripts": {**scripts, **routing}}, Caller(EVERYBODY, catalog, "results")
    ).task.content
    content = {**body, "alwayson_scripts": {**scripts, **model}}
    second = prepare(Job(id="1", tasktype=TaskType.TEXT_TO_IMAGE, content=content)).body

    # Then
    assert first["override_settings"] == second["override_settings"] == SCRIPTS
