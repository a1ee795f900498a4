#!/usr/bin/env bash
# Copies a model from the web into a bucket. Run it with --help.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

prepare_venv deploy
exec "$VENV/bin/python" -P -m utils.deploy.upload_model "$@"
