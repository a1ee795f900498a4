#!/usr/bin/env bash
# Removes a stack; what users keep stays. Run it with --help.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

prepare_venv deploy
exec "$VENV/bin/python" -m utils.deploy.destroy "$@"
