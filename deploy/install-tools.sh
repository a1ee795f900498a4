#!/usr/bin/env bash
# Installs what deploying needs, into the project's folder only: pinned, and checked by checksums.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
  '') install_tools && say "The tools are installed." ;;
  -h | --help) say "Usage: install-tools.sh. Installs Python packages into .venv and the CDK's command line into node_modules." ;;
  *) misuse "unknown option $1" "$0 --help" ;;
esac
