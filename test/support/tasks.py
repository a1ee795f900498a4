"""Tasks as callers send them, and what the rules of the contract allow."""

import string
from typing import Any

from hypothesis import strategies as st

from contract.object_keys import RESERVED_PREFIX
from contract.runtimes import TaskType
from contract.task import MAX_ID_LENGTH, MAX_PREFIX_BYTES, Task, parse_task


def a_body(*, content: Any = ..., **metadata: Any) -> dict[str, Any]:
    """A request that is fine, but for the fields that are given."""
    standard = {
        "id": "test-t2i",
        "runtime": "sdruntime",
        "tasktype": "text-to-image",
        "prefix": "output",
        "context": None,
    }
    return {
        "task": {
            "metadata": {**standard, **metadata},
            "content": {"prompt": "A dog", "steps": 16} if content is ... else content,
        }
    }


def task_ids() -> st.SearchStrategy[str]:
    """Every id that the contract takes."""
    characters = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=MAX_ID_LENGTH)
    return characters.filter(lambda value: value.strip(".") != "")


def prefixes() -> st.SearchStrategy[str]:
    """Every prefix that the contract takes, without a slash at its end."""
    names = st.text(
        st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1, max_size=20
    ).filter(lambda name: name.isprintable() and name not in {".", ".."})
    return (
        st.lists(names, min_size=1, max_size=5)
        .filter(lambda parts: parts[0] != RESERVED_PREFIX)
        .map("/".join)
        .filter(lambda prefix: len(prefix.encode()) <= MAX_PREFIX_BYTES)
    )


def json_values() -> st.SearchStrategy[Any]:
    """Every JSON value, of moderate size."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text()
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
        max_leaves=20,
    )


def json_objects() -> st.SearchStrategy[dict[str, Any]]:
    """Every JSON object, of moderate size."""
    return st.dictionaries(st.text(), json_values(), max_size=5)


def tasks() -> st.SearchStrategy[Task]:
    """Every task, of moderate size."""
    return st.builds(
        lambda content, **metadata: parse_task(a_body(content=content, **metadata)),
        json_objects(),
        id=task_ids(),
        runtime=st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True),
        tasktype=st.sampled_from([kind.value for kind in TaskType]),
        prefix=prefixes(),
        context=json_values(),
    )
