#!/bin/sh
# Builds one image and pushes it to ECR. CodeBuild runs it in the folder of the source; needs docker and the AWS CLI.
# From the environment: IMAGE_NAME, REGISTRY, REPOSITORY, TAG, VERSION, MIRROR, PACKAGE_INDEX and SOURCE_HOST.
set -eu

image="${REGISTRY:?}/${REPOSITORY:?}:${TAG:?}"

log_in() {
  region="$(echo "$1" | cut -d . -f 4)"
  aws ecr get-login-password --region "$region" | docker login --username AWS --password-stdin "$1"
}

# A tag belongs to one content and cannot be pushed again, so that a repeated build has nothing to do.
if aws ecr describe-images --repository-name "$REPOSITORY" --image-ids "imageTag=$TAG" >/dev/null 2>&1; then
  echo "$image exists already"
  exit 0
fi

log_in "$REGISTRY"
mirror_host="${MIRROR%%/*}"
case "$mirror_host" in
  "$REGISTRY") ;;
  *.dkr.ecr.*) log_in "$mirror_host" ;;
esac

set -- --build-arg "MIRROR=$MIRROR" --build-arg "SOURCE_HOST=$SOURCE_HOST" --build-arg "VERSION=$VERSION"
if [ -n "${PACKAGE_INDEX:-}" ]; then
  set -- "$@" --build-arg "PIP_INDEX_URL=$PACKAGE_INDEX"
fi
docker build --platform linux/amd64 --file "images/${IMAGE_NAME:?}/Dockerfile" --tag "$image" "$@" .
docker push "$image"
