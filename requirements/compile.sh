#!/usr/bin/env bash
# Pins every package with its hashes, for Python 3.11 and later on every platform. Run it after an edit of a *.in file.
# test.txt is resolved first and the others follow it, so that what is tested is what is shipped.
set -euo pipefail
cd "$(dirname "$0")"

compile() {
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header "$@"
}

compile test.in --output-file test.txt
for name in agent lambda local infra deploy load; do
  compile "$name.in" --constraints test.txt --output-file "$name.txt"
done
