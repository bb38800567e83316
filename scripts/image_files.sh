#!/usr/bin/env bash
# Puts together the files of the image: the program, the CA bundle, licences, the SBOM, and a user.
#
#   scripts/image_files.sh FOLDER VERSION CREATED      in the builder, after make (containerfile/Containerfile)
set -euo pipefail
cd "$(dirname "$0")/.."
[[ $# == 3 ]] || { echo "usage: scripts/image_files.sh FOLDER VERSION CREATED" >&2; exit 2; }
readonly folder=$1

install -D -m 755 build/roibench "$folder/usr/bin/roibench"
ln -s roibench "$folder/usr/bin/guidellm"
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/ca-certificates.crt"
# A name for the user of the image; under any other UID the program works as well.
echo 'roibench:x:65532:0:roibench:/:/usr/sbin/nologin' >"$folder/etc/passwd"
echo 'root:x:0:' >"$folder/etc/group"
chmod 644 "$folder/etc/passwd" "$folder/etc/group"

install -D -m 644 LICENSE "$folder/licenses/roibench"
for source in curl libarchive; do install -m 644 "build/deps/licenses/$source" "$folder/licenses/$source"; done
while read -r package _; do
    [[ $package == gcc || -e $folder/licenses/$package ]] ||
        install -m 644 "/usr/share/doc/$package/copyright" "$folder/licenses/$package"
done < <(cat build/deps/versions.txt; echo ca-certificates)
scripts/sbom.sh "$2" "$3" >"$folder/licenses/roibench.spdx.json"
