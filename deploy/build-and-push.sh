#!/usr/bin/env bash
# Builds the queue agent's image into the account's ECR, or copies another image there. Run it with --help.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

prepare_venv deploy
exec "$VENV/bin/python" -m utils.deploy.registry "$@"
