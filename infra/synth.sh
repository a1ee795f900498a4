#!/usr/bin/env bash
# Synthesises the stack for the CDK's command line (cdk.json). In a fresh clone it says what to install first.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"

# Looked for and not imported, which takes seconds.
found='import sys; from importlib.util import find_spec; sys.exit(not all(map(find_spec, ("aws_cdk", "pydantic", "yaml"))))'
if ! "$VENV/bin/python" -c "$found" >/dev/null 2>&1; then
  fail "the packages that describe the stack are not installed in .venv" \
    "deploy/install-tools.sh" \
    "Or call the CDK by infra/cdk.sh, which installs what it needs: infra/cdk.sh synth"
fi
exec "$VENV/bin/python" -P -m infra.app
