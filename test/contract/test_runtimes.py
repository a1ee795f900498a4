"""Which runtime serves which task type."""

from contract.runtimes import TASK_TYPES, RuntimeType, TaskType


def test_every_runtime_type_serves_something_and_every_task_type_has_exactly_one_runtime_type() -> None:
    assert set(TASK_TYPES) == set(RuntimeType)
    assert sorted(served for types in TASK_TYPES.values() for served in types) == sorted(TaskType)


def test_comfyui_can_be_used_because_pipeline_is_its_task_type() -> None:
    assert TASK_TYPES[RuntimeType.COMFYUI] == (TaskType.PIPELINE,)


def test_the_names_are_those_that_users_and_charts_write() -> None:
    assert [kind.value for kind in RuntimeType] == ["sdwebui", "comfyui", "invokeai", "imagekit"]
    assert [kind.value for kind in TaskType] == [
        "text-to-image",
        "image-to-image",
        "extra-single-image",
        "extra-batch-images",
        "pipeline",
        "graph",
        "super-resolution",
        "human-segmentation",
        "ocr",
    ]
