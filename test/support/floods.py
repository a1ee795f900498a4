"""Bodies of a hostile caller."""

FLOODS = {
    "metadata": '{{"task": {{"metadata": {{{names}}}, "content": {{}}}}}}',
    "task": '{{"task": {{{names}}}}}',
    "body": "{{{names}}}",
    "nodes": '{{"task": {{"metadata": {{"id": "1", "runtime": "comfy", "tasktype": "pipeline", "prefix": "x"}}, '
    '"content": {{{names}}}}}}}',
    "scripts": '{{"alwayson_scripts": {{{names}}}}}',
}
"""Where the names are put."""

NAMES = 450_000


def flood(place: str) -> str:
    """A body of 4.4 MB with NAMES names that nobody knows."""
    return FLOODS[place].format(names=",".join(f'"{number:06}":1' for number in range(NAMES)))
