#!/usr/bin/env bash
# Deploys the platform. Run it with --help.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'END'
Usage: deploy.sh [OPTION…]           to an AWS account
       deploy.sh --local [OPTION…]   on this machine; its options: deploy.sh --local --help

To an AWS account: installs the tools into the project's folder, checks account and config at once, and then makes a
bucket with a model, the account's role for Spot instances if it is missing, and the stack, which builds the container
images in the account. About 30 minutes. Run it again after a failure, with the same options, and it continues; run it
later, and the stack is updated. It needs Python 3.11 or later, and credentials of an administrator; no Docker.

  -h, --help             print this text
  -n, --stack-name NAME  prefix of all names (default: sdoneks)
  -R, --region REGION    default: the environment's, the profile's, or that of this machine
  -d, --dry-run          check everything, write config.yaml, print the plan and its monthly cost; make nothing
  -b, --bucket NAME      your bucket with models, in the region (default: one is made, with Stable Diffusion 1.5 in it)
  -s, --snapshot ID      EBS snapshot with the images (default: none; nodes pull the images)
  --image-cache          make such a snapshot after the deployment, and deploy again with it
  --no-snapshot          let nodes pull the images, in parallel, onto their instance store (the default)
  -r, --runtime-name NAME  name in API calls (default: sdruntime)
  -t, --runtime-type TYPE  sdwebui, comfyui, invokeai or imagekit (default: sdwebui)
  -i, --image REPOSITORY[:TAG]  image of the runtime, from any registry (default: built in the account)
  --docker               build images with Docker on this machine, not in the account
  -T, --skip-tools       install nothing; use the cdk on PATH
  -y, --yes              answer every question with yes

An existing config.yaml is used as it is, whether deploy.sh wrote it or you. Options that differ from it replace it by a
new one, in which what they leave out has its default; you are asked first, and a copy is kept. The file that comes with
the project, with its bucket still called your-model-bucket, is replaced without a question.

On this machine: no AWS account, Docker, GPU or Node.js is needed. The whole platform runs until Ctrl-C: the real front
door and queue agents, an embedded AWS, and simulated runtimes.
END
}

# check_credentials [REGION]: stop before the tools are installed when AWS does not accept the credentials.
check_credentials() {
  # With the packages there, the checks themselves take seconds.
  ! cmp -s "$ROOT/requirements/deploy.txt" "$VENV/installed-deploy.txt" || return 0
  if [ -n "${AWS_ENDPOINT_URL:-}" ] || ! command -v aws >/dev/null; then
    say "Credentials are checked when the tools are installed."
    return
  fi
  local printed
  if ! printed="$(aws sts get-caller-identity --output text ${1:+--region "$1"} 2>&1)"; then
    case "$printed" in
      *"specify a region"*) say "The region and credentials are checked when the tools are installed." ;;
      *) fail "AWS does not accept the credentials: $printed" \
        'Sign in: aws configure, or aws sso login --profile NAME and export AWS_PROFILE=NAME.' ;;
    esac
  fi
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
    exec "$VENV/bin/python" -P -m utils.local ${rest[@]+"${rest[@]}"}
  fi
  local region='' before=''
  for argument in ${rest[@]+"${rest[@]}"}; do
    case "$argument" in
      -h | --help) usage && return ;;
      -T | --skip-tools) tools=skip ;;
      --region=*) region="${argument#*=}" ;;
    esac
    case "$before" in -R | --region) region="$argument" ;; esac
    before="$argument"
  done
  if [ "$tools" = install ]; then
    check_credentials "$region"
    install_tools
  elif ! cmp -s "$ROOT/requirements/deploy.txt" "$VENV/installed-deploy.txt"; then
    fail "the packages of requirements/deploy.txt are not installed" "Leave out -T, or run deploy/install-tools.sh"
  fi
  exec "$VENV/bin/python" -P -m utils.deploy ${rest[@]+"${rest[@]}"}
}

main "$@"
