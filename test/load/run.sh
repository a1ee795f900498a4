#!/usr/bin/env bash
# Sends many requests at once to a deployed stack or a local platform, and counts what became of them.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../deploy/lib.sh"

usage() {
  cat <<'END'
Usage: STACK_NAME=… [CLIENT=…] ./run.sh [OPTION…]
       ENDPOINT=… API_KEY=… TOPIC_ARN=… ./run.sh [OPTION…]

Ten users send a request a second each for a minute; then the last callbacks are awaited. Prints how many tasks were
accepted, completed, failed and lost, and writes percentiles of the times to load.html. Exits 0 when none failed or is lost.

Options are those of locust, such as --users N, --spawn-rate N, --run-time 5m, --html FILE, and:
  --runtime NAME         default: sdruntime
  --runtime-type TYPE    sdwebui (default), comfyui or invokeai
  --last-callbacks S     how long to wait for them after the last request (default: 600)

The stack's throttle (APIGW.throttle in config.yaml) answers 429 to more than it lets through.
END
}

main() {
  case "${1:-}" in -h | --help) usage && return ;; esac
  if [ -n "${STACK_NAME:-}" ]; then
    find_stack
  elif [ -z "${ENDPOINT:-}" ] || [ -z "${API_KEY:-}" ] || [ -z "${TOPIC_ARN:-}" ]; then
    fail "give STACK_NAME, or ENDPOINT, API_KEY and TOPIC_ARN" "$0 --help"
  fi
  # Its packages stay apart from the platform's.
  VENV="$ROOT/.venv/load"
  prepare_venv load
  export API_KEY
  exec "$VENV/bin/locust" --locustfile "$ROOT/test/load/locustfile.py" --host "${ENDPOINT%/}" --topic-arn "$TOPIC_ARN" \
    --headless --only-summary --users 10 --spawn-rate 10 --run-time 1m --html load.html "$@"
}

main "$@"
