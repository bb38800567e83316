#!/usr/bin/env bash
# Prints the SBOM of an image in SPDX 2.3 (JSON): the program, what is linked into it, the CA bundle, and the packages of the base, if any.
#
#   scripts/sbom.sh VERSION CREATED [DPKG-STATUS]
#
# Packages are Debian's source packages with the version of the source: that is what Debian's security tracker, and those who read it, know.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ $# == 2 || $# == 3 ]] || { echo "usage: scripts/sbom.sh VERSION CREATED [DPKG-STATUS]" >&2; exit 2; }
readonly version=$1 created=$2 status=${3:-}

# HOW SOURCE VERSION, one a line
components() {
    awk '$1 == "curl" || $1 == "libarchive" { print "STATIC_LINK", $1, $2 }' build/deps/versions.txt
    # The compiler's own library is linked in, too.
    # shellcheck disable=SC2016  # dpkg-query's variables
    awk '$1 ~ /-dev$/ { print $1 } END { print "libgcc-12-dev" }' build/deps/versions.txt |
        xargs dpkg-query -W -f 'STATIC_LINK ${source:Package} ${source:Version}\n'
    dpkg-query -W -f 'CONTAINS ${source:Package} ${source:Version}\n' ca-certificates
    # The source is named only where it, or its version, is not the package's.
    [[ -z $status ]] || awk '
        /^Package: / { name = source = $2 }
        /^Status: / { installed = $NF == "installed" }
        /^Source: / { source = $2; version = $3; gsub(/[()]/, "", version) }
        /^Version: / { own = $2 }
        /^$/ { entry() }
        END { entry() }
        function entry() {
            if (name != "" && installed) print "CONTAINS", source, version != "" ? version : own
            name = version = ""
        }' "$status"
}

# A component that is both linked in and part of the base is there twice, with two relationships.
components | LC_ALL=C sort -u | awk -v version="$version" -v created="$created" -v hash="$(sha256sum build/roibench | cut -d ' ' -f 1)" '
    function package(id, name, version, rest) {
        printf "%s\n    {\"SPDXID\": \"%s\", \"name\": \"%s\", \"versionInfo\": \"%s\", \"downloadLocation\": \"NOASSERTION\", ", \
               count++ ? "," : "", id, name, version
        printf "\"filesAnalyzed\": false, \"copyrightText\": \"NOASSERTION\", \"licenseConcluded\": \"NOASSERTION\", %s}", rest
    }
    BEGIN {
        print "{"
        print "  \"spdxVersion\": \"SPDX-2.3\", \"dataLicense\": \"CC0-1.0\", \"SPDXID\": \"SPDXRef-DOCUMENT\", \"name\": \"roibench-" version "\","
        print "  \"documentNamespace\": \"https://spdx.org/spdxdocs/roibench-" version "-" hash "\","
        print "  \"creationInfo\": {\"created\": \"" created "\", \"creators\": [\"Tool: roibench-scripts-sbom.sh\"]},"
        printf "  \"packages\": ["
        package("SPDXRef-roibench", "roibench", version, \
                "\"licenseDeclared\": \"Apache-2.0\", \"checksums\": [{\"algorithm\": \"SHA256\", \"checksumValue\": \"" hash "\"}]")
        relations = "    {\"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": \"DESCRIBES\", \"relatedSpdxElement\": \"SPDXRef-roibench\"}"
    }
    {
        id = "SPDXRef-" count "-" $2
        gsub(/[^A-Za-z0-9.-]/, "-", id)
        purl_version = $3
        gsub(/\+/, "%2B", purl_version)
        gsub(/:/, "%3A", purl_version)
        package(id, $2, $3, "\"licenseDeclared\": \"NOASSERTION\", \"externalRefs\": [{\"referenceCategory\": \"PACKAGE-MANAGER\", " \
                "\"referenceType\": \"purl\", \"referenceLocator\": \"pkg:deb/debian/" $2 "@" purl_version "?arch=source&distro=debian-12\"}]")
        relations = relations ",\n    {\"spdxElementId\": \"SPDXRef-roibench\", \"relationshipType\": \"" $1 "\", \"relatedSpdxElement\": \"" id "\"}"
    }
    END {
        print "\n  ],\n  \"relationships\": [\n" relations "\n  ]\n}"
    }'
