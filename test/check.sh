#!/usr/bin/env bash
# Everything that must hold before a change goes in: style, types, layers, scripts, tests. Users and CI run the same.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"

usage() {
  cat <<'END'
Usage: check.sh [--quick] [--coverage] [--python NAME]… [--pythons] [PYTEST-OPTION…]

Installs what the tests need into .venv, then checks style, types, layers, scripts and the guide, and runs all tests.

  --quick         style, types, layers and scripts, and the unit tests: those that take less than five seconds and need
                  no agent with an embedded AWS, no whole platform, no script, no chart and no synthesis of the stack
  --coverage      all tests, and which lines and branches none of them runs; takes about a third longer
  --python NAME   the unit tests of --quick with this interpreter, such as python3.13 or a path; may be repeated. Each
                  version has an environment of its own below .venv/, with the same locked packages.
  --pythons       the same with every python3.11, python3.12 and python3.13 on PATH

Other options are passed to pytest: "check.sh --quick -k agent" runs the checks, and the unit tests with "agent" in
their names.
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

# console: style and types of the page for people, and the page itself, which tests of the platform need.
console() { python -m infra.console --check >/dev/null; }

scripts() { git ls-files -z '*.sh' .ci/run | xargs -0 "$VENV/bin/shellcheck" --external-sources; }

# guide: build the site into site/; a link or a heading that is not there is an error.
guide() { NO_MKDOCS_2_WARNING=1 "$VENV/bin/mkdocs" build --strict --quiet; }

# bills_of_materials: one for each image and for the front door, into dist/sbom/.
bills_of_materials() { python -m utils.release.sbom; }

static_checks() {
  step 'style (ruff)' ruff format --check --quiet
  step 'faults (ruff)' ruff check --quiet
  step 'types (mypy)' mypy
  step 'layers (import-linter)' lint-imports --no-logo
  step 'scripts (shellcheck)' scripts
  step 'console (biome, tsc)' console
}

# unit_tests PYTEST-OPTION…: with the Python that is first on PATH.
unit_tests() { python -m pytest -m 'not slow' "$@"; }

# installed_pythons: the command of each supported version that is on PATH and runs, one a line.
installed_pythons() {
  local name
  for name in python3.11 python3.12 python3.13; do
    # A name on PATH may be a shim with nothing behind it, so each is run.
    ! "$name" -c '' >/dev/null 2>&1 || say "$name"
  done
}

# with_python NAME PYTEST-OPTION…: the unit tests by this interpreter, in an environment of its own.
with_python() {
  local python version
  python="$(command -v "$1")" || fail "there is no $1 on PATH" "Install it, or give the path of another Python."
  version="$("$python" -c 'import platform; print(platform.python_version())')"
  shift
  # What is called below uses these; the caller keeps its own.
  local VENV="$VENV/$version"
  local PATH="$VENV/bin:$PATH"
  [ -x "$VENV/bin/python" ] || "$python" -m venv "$VENV"
  prepare_venv dev
  step 'console' python -m infra.console
  step "unit tests (pytest, Python $version)" unit_tests "$@"
}

main() {
  local quick='' name
  local -a pythons=() options=() coverage=()
  while [ $# -gt 0 ]; do
    case "$1" in
      -h | --help) usage && return ;;
      --quick) quick=1 ;;
      --coverage) coverage=(--cov --cov-report=term:skip-covered) ;;
      --python)
        [ $# -gt 1 ] || misuse "--python needs the name of an interpreter" "test/check.sh --help"
        pythons+=("$2")
        shift
        ;;
      --pythons)
        while read -r name; do pythons+=("$name"); done < <(installed_pythons)
        [ ${#pythons[@]} -gt 0 ] || fail "no python3.11, python3.12 or python3.13 is on PATH" "Give one with --python."
        ;;
      *) options+=("$1") ;;
    esac
    shift
  done
  cd "$ROOT"
  if [ ${#pythons[@]} -gt 0 ]; then
    for name in "${pythons[@]}"; do with_python "$name" ${options[@]+"${options[@]}"}; done
    return
  fi
  prepare_venv dev
  PATH="$VENV/bin:$PATH"
  static_checks
  if [ -n "$quick" ]; then
    step 'unit tests (pytest)' unit_tests ${options[@]+"${options[@]}"}
    return
  fi
  step 'guide (mkdocs)' guide
  step 'bills of materials (CycloneDX)' bills_of_materials
  step 'tests (pytest)' pytest ${coverage[@]+"${coverage[@]}"} ${options[@]+"${options[@]}"}
}

main "$@"
