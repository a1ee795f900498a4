#!/usr/bin/env bash
# Keeps container images in an EBS snapshot, from which GPU nodes start without pulling. Run it with --help.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../deploy/lib.sh"

prepare_venv deploy >&2
exec "$VENV/bin/python" -P -m utils.deploy.image_cache "$@"
