"""Files of the AWS guidance: read with notes."""

from pathlib import Path
from typing import Any

import pytest

from infra.config.errors import ConfigError
from infra.config.model import load_config, parse_config

BUCKET = "arn:aws:s3:::models"


def config_of(**runtime: Any) -> dict[str, Any]:
    return {"modelBucketArn": BUCKET, "modelsRuntime": [{"name": "flow", "namespace": "default", **runtime}]}


def test_what_its_script_writes_for_comfyui_is_read_with_a_note(tmp_path: Path) -> None:
    # Given the shape of the file that its deploy.sh writes
    path = tmp_path / "config.yaml"
    path.write_text("""
stackName: sdoneks
modelBucketArn: arn:aws:s3:::sdoneks-model-bucket-1a2b
APIGW:
  stageName: dev
  throttle: {rateLimit: 30, burstLimit: 50}
modelsRuntime:
- name: sdruntime
  namespace: "default"
  modelFilename: "v1-5-pruned-emaonly.safetensors"
  dynamicModel: false
  type: comfyui
  extraValues:
    karpenter:
      nodeTemplate:
        amiFamily: Bottlerocket
        dataVolume: {snapshotID: snap-0123456789}
      provisioner:
        instanceType: [g5.xlarge, g4dn.xlarge]
        capacityType: {onDemand: true, spot: true}
    runtime:
      scaling: {queueLength: 10, minReplicaCount: 0, maxReplicaCount: 5, cooldownPeriod: 300}
""")

    # When
    config = load_config(path)

    # Then
    (note,) = config.notes
    assert str(note) == (
        "modelsRuntime[0].modelFilename: has no effect for comfyui, whose workflows name their models; "
        "'v1-5-pruned-emaonly.safetensors' is ignored"
    )
    assert config.models_runtime[0].model_filename is None


@pytest.mark.parametrize("kind", ["ComfyUI", "COMFYUI"])
def test_a_type_in_mixed_case_is_read_with_a_note(kind: str) -> None:
    config = parse_config(config_of(type=kind))
    assert config.models_runtime[0].type == "comfyui"
    assert [note.field for note in config.notes] == ["modelsRuntime[0].type"]


@pytest.mark.parametrize(
    "environment", [{"EXP_CALLBACK_WHEN_RUNNING": "true"}, [{"name": "EXP_CALLBACK_WHEN_RUNNING", "value": "true"}]]
)
def test_the_old_name_of_running_callbacks_is_noted_with_the_new_one(environment: Any) -> None:
    extra = {"runtime": {"queueAgent": {"extraEnv": environment}}}
    (note,) = parse_config(config_of(type="comfyui", extraValues=extra)).notes
    assert (
        "EXP_CALLBACK_WHEN_RUNNING has no effect; callbacks when a task begins are switched on by RUNNING_CALLBACKS"
        in (str(note))
    )


def test_a_file_of_our_own_has_no_notes() -> None:
    assert parse_config(config_of(type="comfyui")).notes == ()


@pytest.mark.parametrize("runtimes", ["text", [1], None])
def test_what_is_wrong_is_still_refused(runtimes: Any) -> None:
    with pytest.raises(ConfigError):
        parse_config({"modelBucketArn": BUCKET, "modelsRuntime": runtimes})


def test_a_model_of_invokeai_is_still_refused() -> None:
    with pytest.raises(ConfigError, match="is only for sdwebui"):
        parse_config(config_of(type="invokeai", modelFilename="m.safetensors"))
