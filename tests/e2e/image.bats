#!/usr/bin/env bats
# The images: built from a base that debootstrap made, without a registry, and run by runc as OpenShift runs them: any UID with
# group 0, a read-only root, no capability. IMAGE_BUILT=NAME takes images that were built before instead.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support

readonly uid=1000660000

setup_file() {
    local container
    export STORE=$E2E_CACHE/image NAME=${IMAGE_BUILT:-localhost/roibench}
    export CONTAINERS_STORAGE_CONF=${CONTAINERS_STORAGE_CONF:-$STORE/storage.conf} BUILDAH_ISOLATION=chroot
    [[ -z ${IMAGE_BUILT:-} ]] || return 0
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$STORE/root" "$STORE/run" >"$STORE/storage.conf"
    buildah inspect --type image localhost/debian:bookworm >/dev/null 2>&1 || {
        container=$(buildah from scratch)
        buildah add --quiet "$container" "$STORE/base.tar" /
        buildah commit --quiet --rm "$container" localhost/debian:bookworm
    }
    make image IMAGE="$NAME" BUILDER=localhost/debian:bookworm BASE=localhost/debian:bookworm >"$STORE/build.log" 2>&1 ||
        { tail -n 20 "$STORE/build.log" >&2; return 1; }
}

setup() {
    umask 002
    WORKSPACE=$BATS_TEST_TMPDIR/workspace
    mkdir -p "$WORKSPACE"
    chmod 2775 "$WORKSPACE"
}

teardown() {
    stop_process simulator
}

# contained IMAGE ARGUMENT...: as a pod of OpenShift's restricted-v2 has it; the network is the machine's own. PODMAN_OPTIONS come before.
contained() {
    podman --runtime runc --cgroup-manager cgroupfs --events-backend none --log-level error run --rm --network host --read-only \
        --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges --ulimit nofile=20000:20000 --ulimit nproc=1000:1000 \
        --user "$uid:0" --volume "$WORKSPACE:$WORKSPACE" "${PODMAN_OPTIONS[@]}" "$@"
}
PODMAN_OPTIONS=()

# The root of an image; an image of scratch has no program that could look at it.
with_root() { # IMAGE COMMAND...
    local container root status=0
    container=$(buildah from "$1")
    root=$(buildah mount "$container")
    (cd "$root" && "${@:2}") || status=$?
    buildah rm "$container" >/dev/null
    return "$status"
}

start_model() {
    rm -f "$BATS_TEST_TMPDIR/port"
    start_process simulator "$ROIBENCH" simulate --listen 127.0.0.1:0 --port-file "$BATS_TEST_TMPDIR/port" --model mistral-3-int4 --preset instant
    wait_for simulator 20 test -s "$BATS_TEST_TMPDIR/port"
    SIM=http://127.0.0.1:$(<"$BATS_TEST_TMPDIR/port")
}

@test "the image of scratch is smaller than 12 MB, and holds nothing but the program, a user, the CA bundle and licences" {
    (($(buildah inspect --type image "$NAME" | jq .OCIv1.rootfs.diff_ids | jq length) == 1))
    (($(with_root "$NAME" du -sb . | cut -f 1) < 12 * 1000 * 1000))
    run with_root "$NAME" find . -type f -not -path './licenses/*' -not -name resolv.conf -not -name hosts
    assert_equal "$(sort <<<"$output")" "$(printf '%s\n' ./etc/group ./etc/passwd ./etc/ssl/certs/ca-certificates.crt ./usr/bin/roibench)"
    assert_equal "$(with_root "$NAME" readlink usr/bin/guidellm)" roibench
    assert_equal "$(with_root "$NAME" cat etc/passwd | cut -d : -f 3,4,6)" 65532:0:/
    with_root "$NAME" grep -q Apache licenses/roibench
}

@test "labels, a numeric user, and an SBOM that names what is linked in, in its version" {
    local image spdx
    for image in "$NAME" "$NAME-shell"; do
        run buildah inspect --type image "$image"
        assert_equal "$(jq -r '.OCIv1.config.User' <<<"$output")" 65532:0
        assert_equal "$(jq -r '.OCIv1.config.Labels["org.opencontainers.image.licenses"]' <<<"$output")" Apache-2.0
        assert_regex "$(jq -r '.OCIv1.config.Labels["org.opencontainers.image.created"]' <<<"$output")" '^20[0-9-]*T[0-9:]*Z$'
        spdx=$BATS_TEST_TMPDIR/spdx.json
        with_root "$image" cat licenses/roibench.spdx.json >"$spdx"
        assert_equal "$(jq -r '[.relationships[] | select(.relationshipType == "STATIC_LINK").relatedSpdxElement | sub("SPDXRef-[0-9]*-"; "")] | join(" ")' \
            "$spdx")" "curl expat gcc-12 glibc jansson libarchive libevent libyaml openssl zlib"
        # every relation is one of two elements that are there; nothing is there twice
        jq -e '([.packages[].SPDXID] + ["SPDXRef-DOCUMENT"]) as $ids | ($ids | length == (unique | length)) and
            all(.relationships[]; (.spdxElementId | IN($ids[])) and (.relatedSpdxElement | IN($ids[])))' "$spdx" >/dev/null
        jq -e 'all(.packages[]; (.versionInfo | length > 0) and .downloadLocation == "NOASSERTION")' "$spdx" >/dev/null
    done
    jq -e '.packages | any(.name == "bash")' "$spdx" >/dev/null
}

@test "the main job, all of it in the image of scratch, under a random UID" {
    cat >"$BATS_TEST_TMPDIR/roibench" <<EOF
#!/usr/bin/env bash
$(declare -p WORKSPACE uid PODMAN_OPTIONS)
$(declare -f contained)
podman() { exec "\$(type -P podman)" "\$@"; } # demo.sh ends its servers by their process
contained $NAME "\$@"
EOF
    chmod +x "$BATS_TEST_TMPDIR/roibench"
    ROIBENCH=$BATS_TEST_TMPDIR/roibench scripts/demo.sh "$WORKSPACE/demo" >"$BATS_TEST_TMPDIR/demo" 2>&1 3>&- || {
        tail -n 20 "$BATS_TEST_TMPDIR/demo"
        return 1
    }
    grep -q 'mistral-3-int4' "$WORKSPACE"/demo/comparisons/*/report.md
    [ -n "$(find "$WORKSPACE/demo/published" -name '*.tar.gz')" ]
    assert_equal "$(stat -c %u:%g "$WORKSPACE/demo/mistral-3-int4/summary.json")" "$uid:0"
}

@test "the ad-hoc Job of the reference runs in the image with a shell, as it is" {
    start_model
    PODMAN_OPTIONS=(--workdir "$WORKSPACE")
    printf '%s\n' '[{"prompt": "What is the capital of France?"},{"prompt": "Explain quantum computing."}]' >"$WORKSPACE/prompts.json"
    run contained "$NAME-shell" /bin/bash -c "set -e
        /usr/bin/guidellm benchmark run --target $SIM/v1 --data prompts.json --profile sweep --max-seconds 60 --max-requests 50 \
            --output-dir $WORKSPACE --outputs mistral-3-int4-adhoc.json --disable-console-interactive
        ls -la $WORKSPACE"
    assert_success
    assert_output --partial mistral-3-int4-adhoc.json
    assert_equal "$(jq '.benchmarks | length' "$WORKSPACE/mistral-3-int4-adhoc.json")" 10
}

@test "a root that cannot be written is no matter, and no /tmp is missed" {
    run contained "$NAME" --version
    assert_success
    assert_output --regexp '^roibench [0-9v]'
    run contained "$NAME-shell" /bin/bash -c 'touch /x'
    assert_failure
}

@test "what was built once is a builder that needs no network" {
    [[ -z ${IMAGE_BUILT:-} ]] || skip "images were built elsewhere"
    make image IMAGE_STAGE=libraries IMAGE="$NAME" BUILDER=localhost/debian:bookworm >"$STORE/libraries.log" 2>&1
    unshare --net make image IMAGE=localhost/offline BUILDER="$NAME-libraries:latest" BASE=localhost/debian:bookworm >"$STORE/offline.log" 2>&1
    run contained localhost/offline --version
    assert_success
}
