"""Which trace a task belongs to, as X-Ray writes it in a header and as W3C's ``traceparent`` writes it.

SNS and SQS carry X-Ray's header by themselves on AWS; the message attribute ``traceparent`` says the same where nothing
does that.
"""

import re
import secrets
import time
from dataclasses import dataclass
from typing import Self

ATTRIBUTE = "traceparent"
"""Message attribute of SNS and SQS."""

XRAY_HEADER = "X-Amzn-Trace-Id"

_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(-.*)?"
)
_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_SPAN = re.compile(r"[0-9a-f]{16}")
_NOTHING = re.compile(r"0+")
_NO_VERSION = "ff"
_SAMPLED = 1
_TIME_DIGITS = 8


@dataclass(frozen=True, slots=True)
class TraceContext:
    """``trace_id`` 32 and ``span_id`` 16 hexadecimal digits; the span is the one that sent the task."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @classmethod
    def fresh(cls) -> Self:
        """A trace that begins here. X-Ray wants the time in the first eight digits of its id."""
        return cls(f"{int(time.time()):08x}{secrets.token_hex(12)}", secrets.token_hex(8))

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"

    @property
    def xray(self) -> str:
        """The value of X-Ray's header."""
        root = f"1-{self.trace_id[:_TIME_DIGITS]}-{self.trace_id[_TIME_DIGITS:]}"
        return f"Root={root};Parent={self.span_id};Sampled={int(self.sampled)}"


def from_traceparent(text: str) -> TraceContext | None:
    """Source: W3C Trace Context, level 1. None for what is no valid value."""
    match = _TRACEPARENT.fullmatch(text.strip())
    if match is None or match["version"] == _NO_VERSION:
        return None
    if _NOTHING.fullmatch(match["trace"]) or _NOTHING.fullmatch(match["span"]):
        return None
    return TraceContext(match["trace"], match["span"], bool(int(match["flags"], 16) & _SAMPLED))


def from_xray(text: str) -> TraceContext | None:
    """Source: "Tracing header" of the X-Ray developer guide. None for what is no valid value.

    API Gateway names a parent only when it traces; a stand-in keeps the trace together without one.
    """
    pairs = (part.partition("=") for part in text.split(";"))
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    root = _ROOT.fullmatch(fields.get("Root", ""))
    if root is None:
        return None
    parent = fields.get("Parent", "")
    span_id = parent if _SPAN.fullmatch(parent) else secrets.token_hex(8)
    return TraceContext(root[1] + root[2], span_id, fields.get("Sampled") != "0")
