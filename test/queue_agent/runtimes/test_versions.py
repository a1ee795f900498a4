"""Which servers' versions are known, and that an unknown one is said once."""

import logging

import pytest

from contract.runtimes import RuntimeType
from queue_agent.runtimes.versions import KNOWN, Basis, check_version, known_as


@pytest.mark.parametrize(
    ("kind", "version", "basis"),
    [
        (RuntimeType.SDWEBUI, "v1.8.0", Basis.RECORDED),
        (RuntimeType.SDWEBUI, "1.8.0-simulated", Basis.RECORDED),
        (RuntimeType.SDWEBUI, "v1.10.1", Basis.READ),
        (RuntimeType.SDWEBUI, "f2.0.1v1.10.1-previous-1-gabc", Basis.RECORDED),
        (RuntimeType.COMFYUI, "0.3.64", Basis.RUN),
        (RuntimeType.INVOKEAI, "6.14.2", Basis.RECORDED),
        (RuntimeType.INVOKEAI, "6.14.0", Basis.READ),
    ],
)
def test_a_version_is_known_by_what_was_seen_of_it(kind: RuntimeType, version: str, basis: Basis) -> None:
    # When
    known = known_as(kind, version)

    # Then
    assert known is not None
    assert basis in known.basis


@pytest.mark.parametrize("kind", list(RuntimeType))
@pytest.mark.parametrize("version", ["99.0", "", "0.3.640", "1.7.0", "6.140.1"])
def test_others_are_not(kind: RuntimeType, version: str) -> None:
    assert known_as(kind, version) is None


def test_a_version_outside_the_table_is_a_warning_with_the_versions_that_are_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given
    caplog.set_level(logging.INFO)

    # When
    check_version(RuntimeType.COMFYUI, "0.3.64")
    check_version(RuntimeType.COMFYUI, "99.1")

    # Then
    known, unknown = caplog.records
    assert known.levelno == logging.INFO
    assert unknown.levelno == logging.WARNING
    assert "99.1 was not tested with this agent (tested: ComfyUI 0.3.64" in unknown.message
    assert unknown.action == "runtime_version"  # type: ignore[attr-defined]


def test_every_type_has_a_version_that_was_recorded_or_is_our_own() -> None:
    surest = {Basis.RECORDED, Basis.OWN}
    assert all(any(surest & known.basis for known in KNOWN[kind]) for kind in RuntimeType)
