#!/usr/bin/env bash
# Sends every sample request that a runtime type serves to a deployed stack or a local platform.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"

usage() {
  cat <<'END'
Usage: STACK_NAME=… [CLIENT=…] [RUNTIME_TYPE=…] ./run.sh [OPTION…]
       ENDPOINT=… API_KEY=… [RUNTIME_TYPE=…] ./run.sh [OPTION…]
       ENDPOINT=… AUTH=AWS_IAM|NONE [RUNTIME_TYPE=…] ./run.sh [OPTION…]

Sends every sample request that the runtime type serves, and prints the answers. With a topic it also waits for
the callbacks (by a queue of its own, which it removes), downloads the images and checks them, and prints how long
each stage took. Exits 0 when nothing is missing.

  STACK_NAME     a deployed stack; its endpoint, key and topic are found by the AWS CLI
  CLIENT         with STACK_NAME: the client whose key is used (default: the first)
  ENDPOINT       or the API's endpoint, as the stack's output or deploy.sh --local names it
  API_KEY        with ENDPOINT: the API key
  AUTH           with ENDPOINT: APIGW.auth of the stack's config; with AWS_IAM the AWS CLI's credentials sign
  TOPIC_ARN      with ENDPOINT: the output topic, to wait for callbacks
  RUNTIME_TYPE   sdwebui (default), comfyui, invokeai or imagekit
  LINK           an image to start from, instead of the sample image on the internet

Options are those of "python -m utils.smoke", such as --runtime NAME, --timeout S.
END
}

main() {
  case "${1:-}" in -h | --help) usage && return ;; esac
  if [ -n "${STACK_NAME:-}" ]; then
    find_stack
  elif [ -z "${ENDPOINT:-}" ] || { [ "${AUTH:-API_KEY}" = API_KEY ] && [ -z "${API_KEY:-}" ]; }; then
    fail "give STACK_NAME, or ENDPOINT and API_KEY" "$0 --help"
  fi
  [ -x "$VENV/bin/python" ] || fail "the packages are not installed" "$ROOT/deploy/install-tools.sh"
  export API_KEY
  exec "$VENV/bin/python" -m utils.smoke --endpoint "$ENDPOINT" --auth "${AUTH:-API_KEY}" --runtime-type "${RUNTIME_TYPE:-sdwebui}" \
    --topic-arn "${TOPIC_ARN:-}" --link "${LINK:-}" "$@"
}

main "$@"
