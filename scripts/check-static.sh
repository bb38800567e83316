#!/usr/bin/env bash
# Refuses a shipped binary that is not what it claims: static, position-independent, hardened,
# small. A wrong link shows here, not in somebody's empty container.
set -euo pipefail
[[ $# == 1 ]] || { echo "usage: scripts/check-static.sh BINARY" >&2; exit 2; }
readonly binary=$1 limit=$((10 * 1024 * 1024))

found=$(LC_ALL=C readelf --wide --file-header --program-headers --dynamic --sections "$binary")
wrong=0
complain() {
    echo "check-static: $binary: $*" >&2
    wrong=1
}
has() { grep -qE -e "$1" <<<"$found"; }

! has '^ +INTERP ' || complain "wants a dynamic loader (INTERP)"
! has '\(NEEDED\)' || complain "wants shared libraries (NEEDED)"
! has '\(TEXTREL\)' || complain "relocates its code (TEXTREL)"
has 'Type: +DYN ' || complain "is not position-independent (type DYN)"
has '^ +GNU_STACK .* RW +0x' || complain "has an executable stack, or none declared"
has '^ +GNU_RELRO ' || complain "lacks read-only relocations (GNU_RELRO)"
has 'BIND_NOW|FLAGS_1.*NOW' || complain "binds lazily (BIND_NOW is not set)"
! has '\.symtab' || complain "is not stripped"
size=$(stat -c %s "$binary")
((size < limit)) || complain "is $size bytes long, the limit is $limit"
exit $wrong
