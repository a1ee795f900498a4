"""The servers' versions that this agent is known to work with, and how each is known."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from contract.runtimes import RuntimeType

log = logging.getLogger(__name__)


class Basis(StrEnum):
    """How a version is known, the surest first."""

    RECORDED = "recorded"
    """Its answers are in test/events, and the simulator is held to them."""
    OWN = "own"
    """It is part of this project, and the tests run it."""
    RUN = "run"
    """The adapter was run against the real server."""
    READ = "read"
    """Its routes were read in the server's published source."""


@dataclass(frozen=True, slots=True)
class Known:
    """Versions of one server: ``pattern`` matches the version as the server tells it."""

    server: str
    versions: str
    pattern: re.Pattern[str]
    basis: frozenset[Basis]


def _known(server: str, versions: str, pattern: str, *basis: Basis) -> Known:
    return Known(server, versions, re.compile(pattern), frozenset(basis))


KNOWN: Mapping[RuntimeType, tuple[Known, ...]] = MappingProxyType(
    {
        RuntimeType.SDWEBUI: (
            _known("AUTOMATIC1111", "1.8.0", r"v?1\.8\.0\b", Basis.RECORDED, Basis.RUN),
            _known("AUTOMATIC1111", "1.8.x - 1.10.x", r"v?1\.(8|9|10)\.\d+\b", Basis.READ),
            _known("Forge", "f2.0.1", r"f2\.0\.1(?!\d)", Basis.RECORDED, Basis.RUN),
        ),
        RuntimeType.COMFYUI: (_known("ComfyUI", "0.3.64", r"v?0\.3\.64\b", Basis.RECORDED, Basis.RUN),),
        RuntimeType.INVOKEAI: (
            _known("InvokeAI", "6.14.2", r"6\.14\.2\b", Basis.RECORDED, Basis.RUN),
            _known("InvokeAI", "6.14.x", r"6\.14\.\d+", Basis.READ),
        ),
        RuntimeType.IMAGEKIT: (_known("ImageKit", "1.0.0", r"1\.0\.0\b", Basis.OWN, Basis.RUN),),
    }
)


def known_as(kind: RuntimeType, version: str) -> Known | None:
    """The first entry that covers the version; None for one outside the table."""
    return next((known for known in KNOWN[kind] if known.pattern.match(version)), None)


def check_version(kind: RuntimeType, version: str) -> None:
    """Log the server's version, as a warning when it is outside the table. Call it once per version."""
    known = known_as(kind, version)
    fields = {"action": "runtime_version", "runtime_type": kind.value, "version": version}
    if known is not None:
        log.info("the runtime is %s %s", known.server, version, extra=fields)
        return
    table = ", ".join(f"{known.server} {known.versions}" for known in KNOWN[kind])
    log.warning(
        "the runtime's version %s was not tested with this agent (tested: %s); see Runtimes in the guide",
        version,
        table,
        extra=fields,
    )
