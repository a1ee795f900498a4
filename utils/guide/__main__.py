"""Write what the guide takes from the code: ``python -m utils.guide [--check]``.

The OpenAPI documents in docs/api/, and, between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` in the pages of both
languages, the keys of config.yaml, the chart's values and the metrics. With --check nothing is written, and the exit
code is 1 when something is not what it should be.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from utils.guide.keys import key_tables
from utils.guide.metrics import metric_table
from utils.guide.openapi import VERSIONS, document
from utils.guide.translation import LANGUAGES
from utils.guide.values import value_tables

DOCS = Path(__file__).parents[2] / "docs"

PARTS = {
    "reference/config.md": ("keys", key_tables),
    "reference/chart.md": ("values", value_tables),
    "reference/metrics.md": ("metrics", metric_table),
}
"""By page: the name of the part, and what makes it in a language."""


def files() -> Iterator[tuple[Path, str]]:
    """Every file that is made or holds a part that is, with what it should be.

    Raises LookupError for a page without the comments around its part.
    """
    for version in VERSIONS:
        yield DOCS / "api" / f"{version}.json", json.dumps(document(version), indent=2, ensure_ascii=False) + "\n"
    for language in LANGUAGES:
        for page, (name, made) in PARTS.items():
            path = DOCS / language / page
            yield path, _filled(path, name, made(language))


def _filled(path: Path, name: str, part: str) -> str:
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    head, found_begin, rest = path.read_text("utf-8").partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise LookupError(f"{path}: the comments {begin} and {end} are missing")
    return f"{head}{begin}\n\n{part}\n\n{end}{tail}"


def main() -> None:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(prog="python -m utils.guide", description="Write what the guide takes from code.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not up to date")
    check = parser.parse_args().check
    old = []
    for path, text in files():
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        if check:
            old.append(path)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
    if old:
        sys.exit(f"not up to date: {', '.join(str(path) for path in old)}; run python -m utils.guide")


if __name__ == "__main__":
    main()
