#!/usr/bin/env bash
# All static checks; the arguments are the compiler's flags. Every check runs, so that one run
# shows everything; ends 1 if any of them found something.
#
#   scripts/lint.sh -Isrc -I. -Wall...        (make lint)
set -euo pipefail
cd "$(dirname "$0")/.."

readonly jobs=${LINT_JOBS:-$(nproc)}
mkdir -p build/lint/cppcheck
bad=()

step() { # NAME COMMAND...
    local name=$1 started=$SECONDS
    shift
    if "$@" >"build/lint/$name.log" 2>&1; then
        echo "  ok      $name ($((SECONDS - started)) s)"
    else
        echo "  FAILED  $name"
        cat "build/lint/$name.log"
        bad+=("$name")
    fi
}

layers() { scripts/lint-layers.sh build/libroibench.a; }

tidy() {
    # What it found is on stdout; on stderr it only counts what it hid.
    find src cmd tests -name '*.c' | sort |
        xargs -r -P "$jobs" -I {} clang-tidy --quiet {} -- "$@" 2>build/lint/clang-tidy.stderr
}

cppcheck_sources() {
    # It does not know __attribute__((cleanup)): leaks are for ASan and the clang analyzer.
    cppcheck --quiet -j "$jobs" --cppcheck-build-dir=build/lint/cppcheck --error-exitcode=1 --std=c11 \
        --enable=warning,performance,portability --inline-suppr --library=posix,gnu \
        --suppress=missingIncludeSystem --suppress=resourceLeak --suppress=memleak -D_GNU_SOURCE -D__GNUC__=12 -Isrc -I. src cmd
}

shell() {
    local -a scripts bats
    mapfile -t scripts < <(find scripts .ci tests -type f ! -name '*.bats' \
        -exec sh -c 'for f; do head -c 64 "$f" | head -n 1 | grep -qaE "^#!.*(bash|sh)$" && echo "$f"; done; true' sh {} +)
    mapfile -t bats < <(find tests -name '*.bats' -o -name '*.bash' -path 'tests/*')
    shellcheck -x "${scripts[@]}"
    # bats-assert sets and reads variables that shellcheck cannot see.
    ((${#bats[@]} == 0)) || shellcheck -s bats -e SC2154,SC2031,SC2030,SC1091 "${bats[@]}"
}

# The golden reports' numbers, computed once more by a program that shares nothing with ours.
referee() { python3 tests/golden/referee.py; }

step layers layers
step referee referee
step shellcheck shell
step cppcheck cppcheck_sources
step clang-tidy tidy "$@"
((${#bad[@]} == 0)) || { echo "lint: ${bad[*]} found something"; exit 1; }
echo "lint: clean"
