#!/usr/bin/env bash
# Runs a link command without glibc's "Using 'getaddrinfo' in statically linked applications
# requires..." and the line before each: that these calls work is tested (tests/e2e), and eleven
# warnings on every build would hide the one that matters. ld's --no-warnings is no way: it hides
# errors too. The command's exit status is this script's.
set -uo pipefail
{
    "$@" 2>&1 >&3 3>&- | awk '
        / in statically linked applications requires at runtime / { held = ""; next }
        held != "" { print held; held = "" }
        /: in function .*:$/ { held = $0; next }
        { print }
        END { if (held != "") print held }' >&2 3>&-
} 3>&1
