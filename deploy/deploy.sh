#!/usr/bin/env bash
# Brings the platform up. Run it with --help.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'END'
Usage: deploy.sh [OPTION…]           in an AWS account
       deploy.sh --local [OPTION…]   on this machine; its options: deploy.sh --local --help

In an AWS account: installs the tools into the project's folder, makes a bucket with a model and a snapshot with the
images, writes config.yaml, makes the account's role for Spot instances if it is missing, and deploys the stack. About
30 minutes. Run it again after a failure, with the same options, and it goes on; run it later, and the stack is updated.
It needs Python 3.11 or later, and credentials of an administrator.

  -h, --help             print this text
  -n, --stack-name NAME  prefix of all names (default: sdoneks)
  -R, --region REGION    default: the environment's, the profile's, or that of this machine
  -d, --dry-run          prepare everything and write config.yaml, do not deploy
  -b, --bucket NAME      your bucket with models, in the region (default: one is made, and Stable Diffusion 1.5 put in)
  -s, --snapshot ID      EBS snapshot with the images (default: one is made)
  --no-snapshot          let nodes pull the images, in parallel, onto their instance store
  -r, --runtime-name NAME  name in API calls (default: sdruntime)
  -t, --runtime-type TYPE  sdwebui, comfyui or invokeai (default: sdwebui)
  -i, --image REPOSITORY[:TAG]  image of the runtime (default: sd-on-eks/TYPE:latest in the account's ECR)
  -T, --skip-tools       install nothing; use the cdk on PATH
  -y, --yes              answer every question with yes

A config.yaml that is there is used as it is, whether deploy.sh wrote it or you. Options that say otherwise than the file
write it anew, and what they leave out counts as its default; you are asked before, and a copy is kept. The file that
comes with the project, with its bucket still called your-model-bucket, is written without a question.

On this machine: no AWS account, Docker, GPU or Node.js is needed. The whole platform is served until Ctrl-C: the real
front door and queue agents, an embedded AWS, and simulated runtimes.
END
}

main() {
  local where=aws tools=install argument
  local rest=()
  for argument in "$@"; do
    case "$argument" in
      --local) where=local ;;
      *) rest+=("$argument") ;;
    esac
  done
  if [ "$where" = local ]; then
    case "${rest[0]:-}" in -h) rest[0]=--help ;; esac
    prepare_venv local
    exec "$VENV/bin/python" -m utils.local ${rest[@]+"${rest[@]}"}
  fi
  for argument in ${rest[@]+"${rest[@]}"}; do
    case "$argument" in
      -h | --help) usage && return ;;
      -T | --skip-tools) tools=skip ;;
    esac
  done
  if [ "$tools" = install ]; then
    install_tools
  elif ! cmp -s "$ROOT/requirements/deploy.txt" "$VENV/installed-deploy.txt"; then
    fail "the packages of requirements/deploy.txt are not installed" "Leave out -T, or run deploy/install-tools.sh"
  fi
  exec "$VENV/bin/python" -m utils.deploy ${rest[@]+"${rest[@]}"}
}

main "$@"
