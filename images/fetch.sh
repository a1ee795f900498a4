#!/bin/sh
# Puts one commit of a git repository into a folder, without its history. Part of the images' builds.
# Usage: SOURCE_HOST=https://… fetch.sh REPOSITORY COMMIT TARGET
set -eu
git init --quiet "$3"
git -C "$3" fetch --quiet --depth 1 "${SOURCE_HOST:?}/$1" "$2"
git -C "$3" checkout --quiet FETCH_HEAD
rm -rf "$3/.git"
