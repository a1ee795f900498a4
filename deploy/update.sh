#!/usr/bin/env bash
# Updates a stack to the present config.yaml and project files. Run it with --help.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case " $* " in
  *" -T "* | *" --skip-tools "*) prepare_venv deploy ;;
  *) install_tools ;;
esac
exec "$VENV/bin/python" -P -m utils.deploy.update "$@"
