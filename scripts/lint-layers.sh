#!/usr/bin/env bash
# Checks what no compiler checks: who may include whom, which calls the library may make,
# file sizes, marks of unfinished work. Prints FILE:LINE: what is wrong; ends 1 if anything is.
#
#   scripts/lint-layers.sh [LIBRARY.a]      also looks for mutable globals in LIBRARY.a
set -euo pipefail
cd "$(dirname "$0")/.."

readonly longest=600 longest_test=1000

# layer: what it may include beside itself
readonly layers='
base:
wire:   base
record: base
net:    base wire
plan:   base wire record
stats:  base record plan
import: base wire record plan stats
probe:  base wire net plan
load:   base wire net record plan stats
report: base wire record stats
ship:   base wire net record report
kube:   base wire net
serve:  base wire
'
# header: the only layers that may include it
readonly libraries='
curl/:    net
archive:  ship
event2/:  serve
expat.h:  wire
yaml.h:   wire
zlib.h:   base record ship
cmocka.h:
'
# The library neither prints nor exits, and reads no clock, environment or random device that it
# was not given: these two files are where it is given them.
readonly gives='src/base/(clock|log)\.c'
readonly hidden='printf|vprintf|puts|putchar|perror|exit|_exit|_Exit|atexit|getenv|secure_getenv|setenv|putenv|time|clock|clock_gettime|gettimeofday|rand|srand|random|sleep|usleep|nanosleep'
# No shell, no unbounded writes, no number parsing without errors, no hidden static buffers.
readonly banned='system|popen|fork|vfork|execl|execlp|execle|execv|execvp|execvpe|strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|alloca|gmtime|localtime|ctime|asctime|tmpnam|mktemp'

# Prints file:line:text of C sources without comments and string contents.
code_of() {
    awk '
        FNR == 1 { inside = 0 }
        {
            line = $0; out = ""
            while (line != "") {
                if (inside) {
                    if (!(at = index(line, "*/"))) { line = ""; break }
                    line = substr(line, at + 2); inside = 0
                } else if (match(line, /^[^"\047\/]+/)) { out = out substr(line, 1, RLENGTH); line = substr(line, RLENGTH + 1) }
                else if (match(line, /^"([^"\\]|\\.)*"/)) { out = out "\"\""; line = substr(line, RLENGTH + 1) }
                else if (match(line, /^\047([^\047\\]|\\.)*\047/)) { out = out "0"; line = substr(line, RLENGTH + 1) }
                else if (substr(line, 1, 2) == "//") line = ""
                else if (substr(line, 1, 2) == "/*") { inside = 1; line = substr(line, 3) }
                else { out = out substr(line, 1, 1); line = substr(line, 2) }
            }
            if (out ~ /[^ \t]/) print FILENAME ":" FNR ":" out
        }' "$@" /dev/null
}

check_folders() {
    local folder
    for folder in src/*; do
        grep -qE "^${folder#src/}:" <<<"$layers" || echo "$folder: is no layer (see scripts/lint-layers.sh)"
    done
}

check_includes() {
    grep -nHE '^[ \t]*#[ \t]*include' "$@" /dev/null | awk -v layers="$layers" -v libraries="$libraries" '
        BEGIN {
            count = split(layers, row, "\n")
            for (i = 1; i <= count; i++) if (split(row[i], part, /:[ ]*/)) allowed[part[1]] = " " part[1] " " part[2] " "
            count = split(libraries, row, "\n")
            for (i = 1; i <= count; i++) if (split(row[i], part, /:[ ]*/)) only[part[1]] = " " part[2] " "
        }
        {
            split($0, part, ":"); where = part[1] ":" part[2] ": "
            split(part[1], folder, "/")
            layer = folder[1] == "src" ? folder[2] : folder[1]
            if (match($0, /"[^"]*"/)) {
                header = substr($0, RSTART + 1, RLENGTH - 2)
                target = header; sub(/\/.*/, "", target)
                if (header !~ /\// || header ~ /\.\./) print where "include \"layer/file.h\", not \"" header "\""
                else if (layer in allowed && !index(allowed[layer], " " target " ")) print where layer " may not include " header
                else if (layer == "cmd" && target != "cmd" && !(target in allowed)) print where "unknown layer of " header
            } else if (layer != "tests" && match($0, /<[^>]*>/)) {
                header = substr($0, RSTART + 1, RLENGTH - 2)
                for (prefix in only) if (prefix != "" && index(header, prefix) == 1 && !index(only[prefix], " " layer " "))
                    print where "<" header "> belongs to" (only[prefix] ~ /[a-z]/ ? only[prefix] : " tests ") "only"
            }
        }'
}

check_calls() {
    local code
    code=$(code_of "$@")
    # A member (.exit, ->time) is somebody else's function.
    grep -E "(^|[^_[:alnum:].>])($banned)[ ]*\(" <<<"$code" | sed 's/$/   <- a banned call/' || true
    grep -E '^src/' <<<"$code" | grep -vE "^$gives:" |
        grep -E "(^|[^_[:alnum:].>])($hidden)[ ]*\(|(^|[^_[:alnum:].>])(stdout|environ)([^_[:alnum:]]|$)" |
        sed 's/$/   <- not in a library: it is handed in/' || true
}

check_sizes() {
    wc -l "$@" | awk -v longest="$longest" -v longest_test="$longest_test" '{ limit = $2 ~ /^tests\// ? longest_test : longest } $2 != "total" && $1 > limit { print $2 ": " $1 " lines, the limit is " limit }'
}

check_marks() {
    grep -nHwE 'TO''DO|FIX''ME|XX''X|HA''CK' "$@" | sed 's/$/   <- an open mark: finish it or file it/' || true
    grep -nHE '(^|[^[:alnum:]_.}])/wo''rk/|\.\./sha''red' "$@" | sed 's/$/   <- a path of one machine/' || true
}

# Tables with pointers sit in .data.rel.ro: they are constant once the program is relocated.
check_globals() {
    LC_ALL=C objdump -t "$1" | awk '
        / file format / { member = $1; sub(/:$/, "", member) }
        match($0, / \.(data|bss|tdata|tbss)[^ \t]*/) {
            section = substr($0, RSTART + 1, RLENGTH - 1)
            if (section !~ /^\.data\.rel\.ro/ && $NF !~ /^\./) print member ": " $NF " is a mutable global (" section ")"
        }'
}

mapfile -t code < <(find src cmd -name '*.[ch]' | sort)
mapfile -t tests < <(find tests -name '*.[ch]' | sort)
mapfile -t texts < <(find src cmd tests scripts .ci Makefile ./*.md docs examples \
    \( -name '*.[ch]' -o -name '*.def' -o -name '*.sh' -o -name '*.bash' -o -name '*.bats' -o -name '*.md' \
    -o -name '*.yaml' -o -name '*.yml' -o -name run -o -name Makefile \) -type f 2>/dev/null | sort)

wrong=$(
    check_folders
    check_includes "${code[@]}" "${tests[@]}"
    check_calls "${code[@]}"
    check_sizes "${code[@]}" "${tests[@]}"
    check_marks "${texts[@]}"
    [[ $# == 0 ]] || check_globals "$1"
)
[[ -z $wrong ]] || { echo "$wrong"; exit 1; }
