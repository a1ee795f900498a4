#!/usr/bin/env bash
# Pins every package with its hashes, for Python 3.11 and later on every platform. Run it after an edit of pyproject.toml's
# optional dependencies, which say what is installed where.
# dev.txt is resolved first and the others follow it, so that what is tested is what is shipped.
set -euo pipefail
cd "$(dirname "$0")"

compile() {
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
    --no-annotate --no-emit-package sd-on-eks-platform ../pyproject.toml "$@"
}

compile --extra dev --output-file dev.txt
for name in agent lambda webhooks image-kit local console infra deploy load; do
  compile --extra "$name" --constraints dev.txt --output-file "$name.txt"
done

# compile_image NAME PYTHON: the runtimes' images have packages of their own, for Linux and one version of Python.
compile_image() {
  uv pip compile --quiet --python-version "$2" --python-platform x86_64-manylinux_2_28 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate "../images/$1/requirements.in" \
    --output-file "../images/$1/requirements.txt"
}

compile_image sdwebui 3.10
compile_image comfyui 3.12
compile_image invokeai 3.12
