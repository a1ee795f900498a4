"""Trace contexts: what X-Ray and W3C write, read and written."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.trace import TraceContext, from_traceparent, from_xray

TRACE, SPAN = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
XRAY = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

contexts = st.builds(
    TraceContext,
    st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}"),
    st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}"),
    st.booleans(),
)


def test_xrays_header_is_read_and_written() -> None:
    context = from_xray(XRAY)
    assert context == TraceContext(TRACE, SPAN, sampled=True)
    assert context.xray == XRAY


def test_a_lineage_and_spaces_do_not_disturb() -> None:
    unsampled = XRAY.replace("Sampled=1", "Sampled=0")
    context = from_xray(f"Self=1-67891234-12456789abcdef012345678; {unsampled};Lineage=a:0")
    assert context == TraceContext(TRACE, SPAN, sampled=False)


def test_a_root_without_a_parent_keeps_its_trace() -> None:
    context = from_xray("Root=1-5759e988-bd862e3fe1be46a994272793")
    assert context is not None
    assert (context.trace_id, len(context.span_id), context.sampled) == (TRACE, 16, True)


def test_a_traceparent_is_read_and_written() -> None:
    header = f"00-{TRACE}-{SPAN}-01"
    context = from_traceparent(header)
    assert context == TraceContext(TRACE, SPAN)
    assert context.traceparent == header


def test_a_later_version_of_traceparent_is_read_by_its_known_part() -> None:
    assert from_traceparent(f"cc-{TRACE}-{SPAN}-00-what-comes") == TraceContext(TRACE, SPAN, sampled=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_what_is_no_traceparent_is_none(text: str) -> None:
    assert from_traceparent(text) is None


@pytest.mark.parametrize("text", ["", "Root=", "Root=1-5759e988", f"Parent={SPAN}", "Root=2-5759e988-" + "a" * 24])
def test_what_is_no_header_of_xray_is_none(text: str) -> None:
    assert from_xray(text) is None


@given(contexts)
def test_both_ways_of_writing_say_the_same(context: TraceContext) -> None:
    assert from_traceparent(context.traceparent) == from_xray(context.xray) == context


def test_a_fresh_trace_begins_with_the_time_as_xray_wants_it() -> None:
    first, second = TraceContext.fresh(), TraceContext.fresh()
    assert abs(int(first.trace_id[:8], 16) - time.time()) < 60
    assert first.trace_id != second.trace_id
    assert from_traceparent(first.traceparent) == first


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert from_xray(text) is None or text
    assert from_traceparent(text) is None or text
