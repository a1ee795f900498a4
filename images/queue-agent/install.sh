#!/bin/sh
# Puts the queue agent and its pinned packages into a folder. Part of the image's build; works wherever Python is.
# Usage: install.sh PROJECT TARGET
set -eu
project="$1"
target="$2"

python -m pip install --disable-pip-version-check --no-cache-dir --no-compile --only-binary=:all: --require-hashes \
  --target "$target" --requirement "$project/requirements/agent.txt"
cp -R "$project/src/contract" "$project/src/queue_agent" "$target"

# botocore describes every service of AWS; these are the ones that the agent calls, or signs in with.
find "$target/botocore/data" -mindepth 1 -maxdepth 1 -type d \
  ! -name dynamodb ! -name s3 ! -name sns ! -name sqs ! -name sts ! -name sso ! -name sso-oidc -exec rm -rf {} +
rm -rf "${target:?}/bin"
find "$target" -name __pycache__ -type d -prune -exec rm -rf {} +

# The container's files are read-only, so that nothing could be compiled later. A start without it takes twice as long.
python -m compileall -q "$target"
