#!/usr/bin/env bats
# publish to oci://: Debian's docker-registry, with Basic and with Bearer tokens, seen through crane; and what becomes of it when the way is out of order.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support
load ../cli/support/run_folder

setup_file() {
    local registry=$E2E_CACHE/registry/usr/bin/docker-registry tokens
    export PASSWORD=pass-word-1 USER=u BASIC BEARER FAULTY OPENSHIFT STATE=$BATS_FILE_TMPDIR PATH=$PATH:$E2E_CACHE/registry/bin
    BASIC=$(free_port) && start_registry basic "$BASIC" "htpasswd: {realm: tests, path: $STATE/htpasswd}"
    # shellcheck disable=SC2016
    perl -e 'print "$ENV{USER}:", crypt($ENV{PASSWORD}, q($2y$05$abcdefghijklmnopqrstuv)), "\n"' >"$STATE/htpasswd"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$STATE/key.pem" -out "$STATE/certificate.pem" -days 2 -subj /CN=tests 2>/dev/null
    tokens=$(free_port)
    start_process tokens "$BATS_TEST_DIRNAME/registry_tokens.py" "$tokens" "$STATE"
    BEARER=$(free_port) && start_registry bearer "$BEARER" \
        "token: {realm: 'http://127.0.0.1:$tokens/token', service: tests, issuer: tests, rootcertbundle: $STATE/certificate.pem}"
    FAULTY=$(free_port)
    start_process faulty "$BATS_TEST_DIRNAME/faulty_proxy.py" "$FAULTY" "$BASIC" "$STATE"
    OPENSHIFT=$(free_port) && start_openshift
    wait_for basic 20 refuses "$BASIC"
    wait_for bearer 20 refuses "$BEARER"
    wait_for faulty 20 refuses "$FAULTY"
}

teardown_file() {
    stop_process basic
    stop_process bearer
    stop_process tokens
    stop_process faulty
    stop_process openshift
}

start_registry() { # NAME PORT AUTH [TLS]
    printf 'version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"%s}\nauth: {%s}\n' \
        "$STATE/$1-data" "$2" "${4:-}" "$3" >"$STATE/$1.yml"
    start_process "$1" "$registry" serve "$STATE/$1.yml"
}

# By the name, the certificate and the one user of OpenShift's own: an account with its token.
start_openshift() {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$STATE/openshift-key.pem" -out "$STATE/service-ca.crt" -days 2 -subj /CN=tests \
        -addext subjectAltName=DNS:image-registry.openshift-image-registry.svc 2>/dev/null
    # shellcheck disable=SC2016
    perl -e 'print "serviceaccount:", crypt("account-token-3", q($2y$05$abcdefghijklmnopqrstuv)), "\n"' >"$STATE/accounts"
    start_registry openshift "$OPENSHIFT" "htpasswd: {realm: tests, path: $STATE/accounts}" \
        ", tls: {certificate: $STATE/service-ca.crt, key: $STATE/openshift-key.pem}"
    printf '127.0.0.1 localhost image-registry.openshift-image-registry.svc other.svc\n' >"$STATE/hosts"
}

# In a pod, as far as files go.
in_pod() {
    # shellcheck disable=SC2016  # for the inner shell
    unshare --mount sh -c 'mount --bind "$0/hosts" /etc/hosts && mount -t tmpfs none /run && cd /run && mkdir -p secrets/kubernetes.io/serviceaccount &&
        cd secrets/kubernetes.io/serviceaccount && cp "$0/service-ca.crt" . && echo account-token-3 >token && exec "$@"' "$STATE" "$@"
}

refuses() { [[ $(curl --silent --output /dev/null --write-out '%{http_code}' "http://127.0.0.1:$1/v2/") == 401 ]]; }

setup() {
    export W=$BATS_TEST_TMPDIR/ws HOME=$BATS_TEST_TMPDIR/home DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
    mkdir -p "$W" "$HOME" "$DOCKER_CONFIG"
    MODEL=tiny make_run r1 300 0.85
    "$ROIBENCH" summarize --workspace "$W" --run-id r1 >/dev/null 2>&1
    log_in "$(printf '%s:%s' "$USER" "$PASSWORD" | base64 --wrap 0)"
}

log_in() { # AUTH
    local port
    for port in "$BASIC" "$BEARER" "$FAULTY"; do printf '"127.0.0.1:%s": {"auth": "%s"}\n' "$port" "$1"; done |
        jq --null-input --raw-input '{auths: ([inputs | "{\(.)}" | fromjson] | add)}' >"$DOCKER_CONFIG/config.json"
}

publish() { "$ROIBENCH" publish --workspace "$W" --run-id r1 --quiet "$@"; }

# Nobody finds the credentials in what was written.
assert_no_secrets() {
    run -1 grep -raF -e "$PASSWORD" -e "$(printf '%s:%s' "$USER" "$PASSWORD" | base64)" "$W"
}

assert_artifact() { # PORT/REPOSITORY:TAG: crane sees the artifact, and its layer is the archive
    local manifest
    manifest=$(crane manifest "127.0.0.1:$1")
    assert_equal "$(jq --raw-output .artifactType <<<"$manifest")" application/vnd.roibench.run.v1
    assert_equal "$(jq --raw-output '.annotations["vnd.roibench.model"]' <<<"$manifest")" tiny
    assert_equal "$(jq --raw-output '.annotations["vnd.roibench.run"]' <<<"$manifest")" r1
    crane blob "127.0.0.1:${1%:*}@$(jq --raw-output '.layers[0].digest' <<<"$manifest")" >"$BATS_TEST_TMPDIR/layer.tar.gz"
    assert_equal "$(sha256sum <"$BATS_TEST_TMPDIR/layer.tar.gz" | cut -d ' ' -f 1)" "$(jq --raw-output .archive.sha256 "$W/r1/publish.json")"
    tar -xzf "$BATS_TEST_TMPDIR/layer.tar.gz" -C "$BATS_TEST_TMPDIR"
    cmp "$BATS_TEST_TMPDIR/r1/summary.json" "$W/r1/summary.json"
    assert_equal "$(jq --raw-output '.destinations[0].etag' "$W/r1/publish.json")" "$(crane digest "127.0.0.1:$1")"
}

@test "Basic: an artifact as crane sees it, known when it is published again, a new tag for other content" {
    run -0 --separate-stderr publish --to "oci://127.0.0.1:$BASIC/team/basic"
    assert_output --regexp 'published oci://127.0.0.1:[0-9]+/team/basic:r1, .*, verified'
    assert_artifact "$BASIC/team/basic:r1"
    run -0 publish --to "oci://127.0.0.1:$BASIC/team/basic"
    assert_output --partial 'already there: oci://'
    echo note >"$W/r1/note.md"
    run -6 publish --to "oci://127.0.0.1:$BASIC/team/basic:r1"
    assert_output --partial 'Give --overwrite to move the tag'
    run -0 publish --to "oci://127.0.0.1:$BASIC/team/basic"
    assert_equal "$(crane ls "127.0.0.1:$BASIC/team/basic" | grep -cE '^r1(\.[0-9a-f]{12})?$')" 2
    run -0 publish --to "oci://127.0.0.1:$BASIC/team/basic:r1" --overwrite
    assert_artifact "$BASIC/team/basic:r1"
    assert_no_secrets
}

@test "Bearer: a token for the repository, by password and by identity token" {
    run -0 publish --to "oci://127.0.0.1:$BEARER/team/bearer"
    assert_artifact "$BEARER/team/bearer:r1"
    grep -x 'GET tests repository:team/bearer:pull,push' "$STATE/tokens.log"
    jq --arg token "$PASSWORD" '.auths[] = {auth: "", identitytoken: $token}' "$DOCKER_CONFIG/config.json" >"$BATS_TEST_TMPDIR/auth.json"
    REGISTRY_AUTH_FILE=$BATS_TEST_TMPDIR/auth.json run -0 publish --to "oci://127.0.0.1:$BEARER/team/identity"
    grep -x 'POST tests repository:team/identity:pull,push' "$STATE/tokens.log"
    assert_no_secrets
}

@test "back: by tag and by digest, checked" {
    run -0 publish --to "oci://127.0.0.1:$BEARER/team/back"
    run -0 "$ROIBENCH" publish --workspace "$BATS_TEST_TMPDIR/other" --fetch "oci://127.0.0.1:$BEARER/team/back:r1"
    cmp "$BATS_TEST_TMPDIR/other/r1/summary.json" "$W/r1/summary.json"
    run -0 "$ROIBENCH" publish --workspace "$BATS_TEST_TMPDIR/third" --fetch "oci://127.0.0.1:$BEARER/team/back@$(crane digest "127.0.0.1:$BEARER/team/back:r1")"
    run -6 "$ROIBENCH" publish --workspace "$BATS_TEST_TMPDIR/fourth" --fetch "oci://127.0.0.1:$BEARER/team/back:other"
    assert_output --partial 404
}

@test "no credentials, wrong ones, a program that keeps them, an expired token: exit 6, a sentence, no secret" {
    echo '{"credsStore": "desktop"}' >"$DOCKER_CONFIG/config.json"
    run -6 publish --to "oci://127.0.0.1:$BASIC/team/none"
    assert_output --partial 'names the program docker-credential-desktop'
    assert_output --partial 'nothing is executed here'
    log_in "$(printf 'u:wrong-word-2' | base64)"
    run -6 publish --to "oci://127.0.0.1:$BASIC/team/none"
    assert_output --partial "The credentials are those of $DOCKER_CONFIG/config.json"
    refute_output --partial wrong-word-2
    run -6 publish --to "oci://127.0.0.1:$BEARER/team/none"
    assert_output --partial 'UNAUTHORIZED: incorrect user name or password'
    log_in "$(printf '%s:%s' "$USER" "$PASSWORD" | base64)"
    touch "$STATE/expired"
    run -6 publish --to "oci://127.0.0.1:$BEARER/team/none"
    rm "$STATE/expired"
    assert_output --partial 'HTTP 401'
    run -0 publish --to "oci://127.0.0.1:$BEARER/team/none"
    assert_no_secrets
}

@test "OpenShift's own registry gets the account's token, and trusts by the pod's CA; another host and plain http do not get it" {
    wait_for openshift 20 curl --silent --insecure "https://127.0.0.1:$OPENSHIFT/v2/"
    rm "$DOCKER_CONFIG/config.json"
    run -0 in_pod "$ROIBENCH" publish --workspace "$W" --run-id r1 --to "oci://image-registry.openshift-image-registry.svc:$OPENSHIFT/benchmarks/results"
    assert_output --partial "published oci://image-registry.openshift-image-registry.svc:$OPENSHIFT/benchmarks/results:r1"
    run -6 in_pod "$ROIBENCH" publish --workspace "$W" --run-id r1 --to "oci+http://image-registry.openshift-image-registry.svc:$BASIC/benchmarks/results"
    assert_output --partial 'No credentials for'
    run -6 in_pod "$ROIBENCH" publish --workspace "$W" --run-id r1 --to "oci+http://other.svc:$BASIC/benchmarks/results"
    assert_output --partial 'No credentials for'
    run -1 grep -raF account-token-3 "$W"
}

@test "503 with Retry-After and a cut connection: tried again; without tries exit 6, and the next publish finishes it" {
    head -c 100000 /dev/urandom >"$W/r1/noise.bin"
    echo 1 >"$STATE/unavailable"
    run -6 publish --to "oci://127.0.0.1:$FAULTY/team/faulty" --retries 0
    assert_output --partial 'HTTP 503'
    echo 1 >"$STATE/cut"
    run -6 publish --to "oci://127.0.0.1:$FAULTY/team/faulty" --retries 0
    assert_equal "$(cat "$STATE/cut")" 0
    run -0 publish --to "oci://127.0.0.1:$FAULTY/team/faulty" --retries 0
    assert_artifact "$FAULTY/team/faulty:r1"
    echo 1 >"$STATE/unavailable"
    echo 1 >"$STATE/cut"
    echo more >>"$W/r1/noise.bin"
    run -0 publish --to "oci://127.0.0.1:$FAULTY/team/tried"
    assert_equal "$(jq '.destinations[0].tries' "$W/r1/publish.json")" 3
}
