#!/usr/bin/env bash
# Builds the two images from what is committed or not in this folder (containerfile/Containerfile), by buildah or else podman.
#
#   scripts/image.sh VERSION        (make image)
#
#   IMAGE      name of the images, default localhost/roibench: IMAGE:VERSION, IMAGE:latest, IMAGE-shell:VERSION, IMAGE-shell:latest
#   BUILDER    base of the build: Debian 12, default debian:bookworm-slim; or what IMAGE_STAGE=libraries made
#   BASE       base of the image with a shell, default debian:bookworm-slim
#   IMAGE_STAGE=libraries    builds only IMAGE-libraries: the compiler and all libraries, to build without a network from
#   PLATFORM   linux/arm64 for example: the builder has to be of it, and the machine to run it
#
# What buildah and podman take from the environment counts too, as BUILDAH_ISOLATION=chroot or STORAGE_DRIVER=vfs in a container.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ $# == 1 ]] || { echo "usage: scripts/image.sh VERSION" >&2; exit 2; }
readonly version=$1 name=${IMAGE:-localhost/roibench}

tool=$(type -P buildah || type -P podman) || { echo "image: neither buildah nor podman is here: apt-get install buildah" >&2; exit 1; }
revision=$(git rev-parse HEAD 2>/dev/null) || revision=unknown
# The commit's time, so that equal sources give equal labels; UTC as SPDX wants it.
created=$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null) || created=$(date -u +%Y-%m-%dT%H:%M:%SZ)

options=(-f containerfile/Containerfile --layers --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "CREATED=$created")
for argument in BUILDER BASE; do [[ -z ${!argument:-} ]] || options+=(--build-arg "$argument=${!argument}"); done
[[ -z ${PLATFORM:-} ]] || options+=(--platform "$PLATFORM")

case ${IMAGE_STAGE:-} in
'')
    "$tool" build "${options[@]}" --target roibench -t "$name:$version" -t "$name:latest" .
    "$tool" build "${options[@]}" --target roibench-shell -t "$name-shell:$version" -t "$name-shell:latest" .
    echo "image: $name:$version and $name-shell:$version"
    ;;
libraries)
    "$tool" build "${options[@]}" --target libraries -t "$name-libraries:latest" .
    echo "image: $name-libraries:latest; make image BUILDER=$name-libraries:latest needs no network"
    ;;
*)
    echo "image: IMAGE_STAGE is '$IMAGE_STAGE': libraries, or nothing for the images themselves" >&2
    exit 2
    ;;
esac
