#!/usr/bin/env bash
# Brings a stack to what config.yaml and the project's files say now. Run it with --help.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case " $* " in
  *" -T "* | *" --skip-tools "*) prepare_venv deploy ;;
  *) install_tools ;;
esac
exec "$VENV/bin/python" -m utils.deploy.update "$@"
