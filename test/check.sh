#!/usr/bin/env bash
# Everything that must hold before a change goes in: style, types, layers, scripts, tests. Users and CI run the same.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"

usage() {
  cat <<'END'
Usage: check.sh [PYTEST-OPTION…]

Installs what the tests need into .venv, then checks style, types, layers, scripts and the guide, and runs all tests.
What follows is handed to pytest: "check.sh -k agent" runs the checks and the tests whose names hold "agent".
END
}

step() {
  local name="$1"
  shift
  local begin=$SECONDS
  say "==> $name"
  "$@"
  say "    $((SECONDS - begin)) s"
}

scripts() { git ls-files -z '*.sh' .ci/run | xargs -0 "$VENV/bin/shellcheck" --external-sources; }

# guide: build the site into site/; a link or a heading that is not there is an error.
guide() { NO_MKDOCS_2_WARNING=1 "$VENV/bin/mkdocs" build --strict --quiet; }

main() {
  case "${1:-}" in
    -h | --help)
      usage
      return
      ;;
  esac
  prepare_venv dev
  cd "$ROOT"
  PATH="$VENV/bin:$PATH"
  step 'style (ruff)' ruff format --check --quiet
  step 'faults (ruff)' ruff check --quiet
  step 'types (mypy)' mypy
  step 'layers (import-linter)' lint-imports --no-logo
  step 'scripts (shellcheck)' scripts
  step 'guide (mkdocs)' guide
  step 'tests (pytest)' pytest --cov --cov-report=term:skip-covered "$@"
}

main "$@"
