#!/usr/bin/env bash
# Deletes a stack; buckets and other things of the user's stay. Run it with --help.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

prepare_venv deploy
exec "$VENV/bin/python" -P -m utils.deploy.destroy "$@"
