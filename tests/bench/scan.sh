#!/usr/bin/env bash
# What a chunk of a stream costs: the scanner beside jansson, on the captured streams of tests/data/wire.
set -euo pipefail
cd "$(dirname "$0")/../.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"${CC:-gcc}" -std=gnu17 -D_GNU_SOURCE -O2 -Isrc -Itests/unit -isystem build/deps/include -o "$out/scan" tests/bench/scan.c \
    build/libroibench.a -ljansson -lcrypto -lm
grep -la 'text/event-stream' tests/data/wire/*/*.raw | xargs -d '\n' "$out/scan"
