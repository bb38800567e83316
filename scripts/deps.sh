#!/usr/bin/env bash
# Brings what a target of the Makefile needs: Debian packages, and the two libraries
# that Debian's own archives cannot give to a static program (libcurl, libarchive).
#
#   scripts/deps.sh build|test|bench|lint|fuzz...
#
# As root it installs missing packages with apt; otherwise it names them and ends 1.
# `build` also compiles libcurl and libarchive from Debian's source packages into
# build/deps/{include,lib}, once for each version; build/deps/versions.txt says which.
# Nothing below /etc is written: the source packages are found by a private apt list
# derived from the machine's own.
set -euo pipefail
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

readonly deps=$PWD/build/deps
readonly log=$deps/build.log

# Main's versions when the recipes below were last tried. Anything older would lack
# Debian's security patches and is refused.
declare -rA oldest=([curl]=7.88.1-10+deb12u15 [libarchive]=3.6.2-1+deb12u4)

packages_of() {
    case $1 in
    build) echo gcc libc6-dev make cmake dpkg-dev libjansson-dev libexpat1-dev libyaml-dev zlib1g-dev libssl-dev libevent-dev ;;
    test) echo libcmocka-dev bats bats-assert bats-support curl jq python3 python3-jsonschema python3-yaml ;;
    bench) echo gcc curl python3 ;;
    lint) echo clang clang-tidy cppcheck shellcheck python3 ;;
    image) echo ca-certificates ;;
    fuzz) echo clang libclang-rt-14-dev libjansson-dev libexpat1-dev libyaml-dev libssl-dev zlib1g-dev ;;
    *) fail "unknown set '$1': build, test, bench, lint, image and fuzz are known" ;;
    esac
}

say() { printf 'deps: %s\n' "$*" >&2; }
fail() {
    say "$@"
    exit 1
}

# --- Debian packages ---------------------------------------------------------------

missing_packages() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            printf '%s ' "$package"
    done
}

install_packages() {
    local -a install=(apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@")
    # Known lists may be old enough to name files that are gone, so a failure updates them once.
    if apt-cache show "$@" >/dev/null 2>&1 && "${install[@]}" </dev/null >>"$log" 2>&1; then
        return
    fi
    apt-get -q -o DPkg::Lock::Timeout=300 update >>"$log" 2>&1 ||
        { tail -n 15 "$log" >&2; fail "apt-get update failed, see $log"; }
    "${install[@]}" </dev/null >>"$log" 2>&1 ||
        { tail -n 15 "$log" >&2; fail "apt-get install $* failed, see $log"; }
}

need_packages() {
    command -v dpkg-query >/dev/null || fail "this build needs Debian 12: there is no dpkg-query here"
    local missing
    missing=$(missing_packages "$@")
    [[ -n $missing ]] || return 0
    if ((EUID != 0)); then
        say "missing Debian packages: $missing"
        say "install them as root, then run make again:"
        say "  apt-get update && apt-get install -y --no-install-recommends ${missing% }"
        exit 1
    fi
    say "installing $missing(half a minute or so)"
    # shellcheck disable=SC2086  # a list of package names
    install_packages $missing
}

# --- private apt lists for source packages -------------------------------------------

# Prints the machine's entries for this release's own suites (no backports) as deb-src, in the
# format of the file it was given.
as_source_entries() { # FILE CODENAME
    awk -v code="$2" '
        function wanted(suite) {
            return suite == code || suite == code "-security" || suite == code "-updates"
        }
        FILENAME ~ /\.sources$/ {                     # deb822: fields, continued by a blank
            if ($0 ~ /^#/) next
            if ($0 ~ /^[ \t]*$/) { stanza(); next }
            if ($0 !~ /^[ \t]/) { name = tolower($1); sub(/:.*/, "", name); text[name] = $0; order[++n] = name }
            else text[name] = text[name] "\n" $0
            next
        }
        $1 == "deb" {                                 # deb [options] address suite component...
            options = ""; rest = $0
            sub(/^[ \t]*deb[ \t]+/, "", rest)
            if (match(rest, /^\[[^]]*\][ \t]*/)) { options = substr(rest, 1, RLENGTH); rest = substr(rest, RLENGTH + 1) }
            split(rest, part, /[ \t]+/)
            if (wanted(part[2]) && (rest " ") ~ / main /) print "deb-src " options part[1] " " part[2] " main"
        }
        END { stanza() }
        function stanza(   i, k, word, kept, has_deb, has_main, count) {
            count = split(text["suites"], word, /[ \t\n]+/)
            for (i = 2; i <= count; i++) if (wanted(word[i])) kept = kept " " word[i]
            has_deb = (text["types"] " ") ~ /[: \t]deb[ \t]/
            has_main = (text["components"] " ") ~ /[: \t\n]main[ \t\n]/
            if (kept != "" && has_deb && has_main) {
                for (i = 1; i <= n; i++) {
                    k = order[i]
                    if (k == "types") print "Types: deb-src"
                    else if (k == "suites") print "Suites:" kept
                    else if (k == "components") print "Components: main"
                    else print text[k]
                }
                print ""
            }
            n = 0; split("", text); split("", order)
        }' "$1"
}

private_apt() { # PROGRAM ARGUMENT...
    local program=$1
    shift
    "$program" -q -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$deps/apt/parts" \
        -o "Dir::State::Lists=$deps/apt/lists" -o "Dir::Cache=$deps/apt/cache" \
        -o "Dir::State::status=/var/lib/dpkg/status" -o "APT::Sandbox::User=" "$@"
}

update_source_lists() {
    [[ ! -e $deps/apt/updated ]] || return 0
    local codename sourcelist sourceparts file
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    eval "$(apt-config shell sourcelist Dir::Etc::sourcelist/f sourceparts Dir::Etc::sourceparts/d)"
    mkdir -p "$deps/apt/parts" "$deps/apt/lists/partial" "$deps/apt/cache/archives/partial"
    for file in "$sourcelist" "$sourceparts"/*.list "$sourceparts"/*.sources; do
        [[ ! -r $file ]] || as_source_entries "$file" "$codename" >"$deps/apt/parts/${file##*/}"
    done
    find "$deps/apt/parts" -type f -empty -delete
    say "reading the lists of source packages"
    private_apt apt-get update >>"$log" 2>&1 || say "apt-get update complained, see $log"
    touch "$deps/apt/updated"
}

# Prints "VERSION SUITE" of the newest source package that the machine's own release offers.
newest_source() { # SOURCE
    local line version suite best='' from=''
    while IFS='|' read -r _ version line; do
        version=${version// /}
        suite=$(awk '{ sub(/\/.*/, "", $2); print $2 }' <<<"$line")
        # The same version stands in main after a point release: security's own name is the better answer.
        if [[ -z $best ]] || dpkg --compare-versions "$version" gt "$best" ||
            [[ $version == "$best" && $suite == *-security ]]; then
            best=$version from=$suite
        fi
    done < <(private_apt apt-cache madison "$1" | grep -E '[ /]Sources *$')
    [[ -n $best ]] || fail "no source package '$1' in this machine's apt sources, see $log"
    dpkg --compare-versions "$best" ge "${oldest[$1]}" ||
        fail "$1 $best ($from) is older than Debian 12's ${oldest[$1]}: refused, point apt at a current mirror"
    [[ $from == *-security ]] || grep -qrs -e '-security' "$deps/apt/parts" ||
        say "this machine's apt sources lack the security suite: taking $1 $best from $from"
    echo "$best $from"
}

# --- the two libraries -----------------------------------------------------------------

# Everything the project does not use is off: each switch would pull a library that has no
# static archive in Debian (GSSAPI, LDAP, RTMP, PSL, IDN) or only size.
readonly -a flags_curl=(
    -DHTTP_ONLY=ON -DBUILD_CURL_EXE=OFF -DBUILD_TESTING=OFF -DENABLE_MANUAL=OFF
    -DCURL_USE_OPENSSL=ON -DCURL_USE_LIBPSL=OFF -DUSE_LIBIDN2=OFF -DCURL_BROTLI=OFF -DCURL_ZSTD=OFF
    -DCURL_USE_LIBSSH2=OFF -DCURL_DISABLE_LDAP=ON -DCURL_USE_GSSAPI=OFF -DCURL_DISABLE_NTLM=ON
    -DUSE_NGHTTP2=OFF -DENABLE_ARES=OFF -DCURL_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
    -DCURL_CA_PATH=none
)
readonly -a flags_libarchive=(
    -DENABLE_ZLIB=ON -DENABLE_OPENSSL=OFF -DENABLE_LIBB2=OFF -DENABLE_LZ4=OFF -DENABLE_LZO=OFF
    -DENABLE_LZMA=OFF -DENABLE_ZSTD=OFF -DENABLE_BZip2=OFF -DENABLE_LIBXML2=OFF -DENABLE_EXPAT=OFF
    -DENABLE_NETTLE=OFF -DENABLE_MBEDTLS=OFF -DENABLE_PCREPOSIX=OFF -DENABLE_LIBGCC=OFF
    -DENABLE_CNG=OFF -DENABLE_ACL=OFF -DENABLE_XATTR=OFF -DENABLE_ICONV=OFF
    -DENABLE_TAR=OFF -DENABLE_CPIO=OFF -DENABLE_CAT=OFF -DENABLE_TEST=OFF
)
readonly -a flags_common=(
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON
    "-DCMAKE_C_FLAGS=-O2 -g0 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection"
    -Wno-dev
)

build_library() { # SOURCE CMAKE-TARGET ARCHIVE HEADERS CMAKE-FLAG...
    local source=$1 target=$2 archive=$3 version suite work=$deps/unpacked/$1
    local -a headers
    read -ra headers <<<"$4"
    shift 4
    update_source_lists
    read -r version suite < <(newest_source "$source")
    [[ -n $version ]] || exit 1
    say "building $source $version ($suite), once: up to a minute"
    rm -rf "$work"
    mkdir -p "$work" "$deps/lib" "$deps/include"
    # cmake writes through the caller's flags and jobserver otherwise
    unset CFLAGS LDFLAGS MAKEFLAGS MFLAGS
    {
        (cd "$work" && private_apt apt-get source "$source=$version")
        cmake -S "$(echo "$work/$source"-*/)" -B "$work/out" -G "Unix Makefiles" "${flags_common[@]}" "$@"
        cmake --build "$work/out" --parallel "$(nproc)" --target "$target"
    } >>"$log" 2>&1 || { tail -n 25 "$log" >&2; fail "building $source $version failed, see $log"; }
    find "$work/out" -name "$archive" -exec cp {} "$deps/lib/" \;
    cp -r "${headers[@]/#/"$(echo "$work/$source"-*/)"}" "$deps/include/"
    install -D -m 644 "$(echo "$work/$source"-*/)debian/copyright" "$deps/licenses/$source"
    printf '%s %s (%s)\n%s\n' "$source" "$version" "$suite" "$(recipe "$@")" >"$deps/$source.version"
    rm -rf "$work"
}

recipe() { cksum <<<"${flags_common[*]} $*"; }

have_library() { # SOURCE ARCHIVE CMAKE-FLAG...
    local source=$1 archive=$2
    shift 2
    [[ -e $deps/lib/$archive ]] && grep -qsxF "$(recipe "$@")" "$deps/$source.version"
}

build_libraries() {
    have_library curl libcurl.a "${flags_curl[@]}" ||
        build_library curl libcurl libcurl.a include/curl "${flags_curl[@]}"
    have_library libarchive libarchive.a "${flags_libarchive[@]}" ||
        build_library libarchive archive_static libarchive.a 'libarchive/archive.h libarchive/archive_entry.h' "${flags_libarchive[@]}"
    rm -rf "$deps/apt" "$deps/unpacked"
    {
        sed -s -n 1p "$deps/curl.version" "$deps/libarchive.version"
        dpkg-query -W -f '${Package} ${Version}\n' libjansson-dev libexpat1-dev libyaml-dev zlib1g-dev libssl-dev libevent-dev libc6-dev gcc
    } >"$deps/versions.txt"
}

# ---------------------------------------------------------------------------------------

(($# > 0)) || fail "usage: scripts/deps.sh build|test|bench|lint|fuzz..."
mkdir -p "$deps"
exec 9>"$deps/.lock"
flock 9
: >"$log"
wanted=()
for set in "$@"; do
    # shellcheck disable=SC2207  # package names hold no blanks
    wanted+=($(packages_of "$set")) || exit 1
done
need_packages "${wanted[@]}"
for set in "$@"; do
    [[ $set != build ]] || build_libraries
    touch "$deps/$set.stamp"
done
