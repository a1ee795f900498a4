#!/usr/bin/env bash
# Builds an image of this project with Docker into the account's ECR, or copies another one there. Run it with --help.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

prepare_venv deploy
exec "$VENV/bin/python" -P -m utils.deploy.registry "$@"
