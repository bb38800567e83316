#!/usr/bin/env bats
# roibench publish when something is wrong on the way: one sentence, exit 6, and a later publish that finishes what is left.
# shellcheck disable=SC2154  # set by bats

bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.5.0

setup() {
    W=$BATS_TEST_TMPDIR/workspace
    SERVER=$BATS_TEST_TMPDIR/server
    SERVER_PID=
    mkdir -p "$W/run-1" "$SERVER"
    echo run-1 >"$W/latest"
    echo '{"schema":"roibench/plan/v1"}' >"$W/run-1/plan.json"
    echo '{"schema":"roibench/summary/v1"}' >"$W/run-1/summary.json"
    head -c 3000000 /dev/urandom >"$W/run-1/tokens.bin.gz" # no gzip, and not to be squeezed
}

teardown() {
    stop_server
}

start_server() { # FAULT...
    local tries
    "$BATS_TEST_DIRNAME/support/put_server.pl" "$SERVER" "$@" 2>"$SERVER/log" 3>&- &
    SERVER_PID=$!
    for ((tries = 0; tries < 200; tries++)); do
        [[ -s $SERVER/port ]] && break
        sleep 0.05
    done
    TO=http://127.0.0.1:$(<"$SERVER/port")/there/
}

stop_server() {
    [[ $SERVER_PID ]] || return 0
    kill "$SERVER_PID"
    wait "$SERVER_PID" || true
    SERVER_PID=
}

publish() {
    run --separate-stderr "$ROIBENCH" publish --workspace "$W" --quiet "$@"
}

failed() { # TEXT
    assert_failure 6
    [[ $stderr == *"$1"* ]] || { echo "$stderr"; return 1; }
    assert_equal "$(wc -l <<<"$stderr")" 1
    [ -z "$(find "$BATS_TEST_TMPDIR" -name '*.tmp')" ]
}

# What the server has is what sha256sum and the receipt say.
assert_kept() {
    (cd "$SERVER/kept" && sha256sum --check --strict --quiet run-1.tar.gz.sha256)
    assert_equal "$(jq -r .archive.sha256 "$W/run-1/publish.json")" "$(sha256sum <"$SERVER/kept/run-1.tar.gz" | cut -d ' ' -f 1)"
    tar -xzOf "$SERVER/kept/run-1.tar.gz" run-1/tokens.bin.gz | cmp - "$W/run-1/tokens.bin.gz"
}

requests_of() { # METHOD
    grep -c "^$1 run-1.tar.gz$" "$SERVER/requests"
}

@test "503 with Retry-After, then a connection that is cut: tried again, and each try is counted" {
    start_server status=503:2 cut=1000000 none
    local before=$SECONDS
    run --separate-stderr "$ROIBENCH" publish --workspace "$W" --to "$TO"
    assert_success
    ((SECONDS - before >= 2))
    [[ $stderr == *'HTTP 503: come again; trying again in 2.0 s'*'trying again in 2.0 s'* ]] || { echo "$stderr"; return 1; }
    assert_kept
    assert_equal "$(jq -c '.destinations[0] | [.tries, .status, .error]' "$W/run-1/publish.json")" '[3,201,null]'
}

@test "429 as long as it lasts: given up after --retries, and the next publish has it" {
    start_server status=429:0 status=429:0 status=429:0
    publish --to "$TO" --retries 2
    failed 'run-1.tar.gz: HTTP 429: come again'
    assert_equal "$(jq -c '.destinations[0] | [.tries, .error != null]' "$W/run-1/publish.json")" '[3,true]'
    publish --to "$TO"
    assert_success
    assert_kept
}

@test "told to wait for an hour: said at once" {
    start_server status=503:3600
    local before=$SECONDS
    publish --to "$TO"
    failed 'HTTP 503'
    ((SECONDS - before < 30))
    assert_equal "$(jq '.destinations[0].tries' "$W/run-1/publish.json")" 1
}

@test "a signal ends the waiting, and the next publish goes on" {
    start_server status=503:60
    "$ROIBENCH" publish --workspace "$W" --to "$TO" 2>"$BATS_TEST_TMPDIR/log" 3>&- &
    local pid=$! tries status=0
    for ((tries = 0; tries < 400; tries++)); do
        grep -q 'trying again in' "$BATS_TEST_TMPDIR/log" && break
        sleep 0.05
    done
    kill -TERM $pid
    wait $pid || status=$?
    assert_equal $status 143
    assert_equal "$(jq '.destinations[0].tries' "$W/run-1/publish.json")" 1
    publish --to "$TO"
    assert_success
    assert_kept
}

@test "what no waiting mends is not tried again" {
    start_server status=403:0
    publish --to "$TO"
    failed 'HTTP 403: come again. The server wants credentials, or does not let this URL be written'
    assert_equal "$(requests_of PUT)" 1
}

@test "cut anywhere: one sentence, and the next publish finishes it without --overwrite" {
    local at
    for at in 0 1 65536 1500000 3000000; do
        start_server "cut=$at"
        publish --to "$TO" --retries 0
        failed 'run-1.tar.gz'
        publish --to "$TO"
        assert_success
        assert_line --partial "published $TO"
        assert_kept
        stop_server
        rm -r "$SERVER" && mkdir "$SERVER"
    done
}

@test "what is there is not sent again: a later publish sends the rest alone" {
    start_server
    touch "$BATS_TEST_TMPDIR/taken"
    publish --to "$TO" --to "$BATS_TEST_TMPDIR/taken"
    assert_failure 6
    assert_line --partial "published ${TO}run-1.tar.gz"
    [[ $stderr == *"1 of 2 destinations did not take the archive"* ]]
    rm "$BATS_TEST_TMPDIR/taken"
    publish --to "$TO" --to "$BATS_TEST_TMPDIR/taken"
    assert_success
    assert_line --partial "already there: ${TO}run-1.tar.gz"
    assert_line --partial "published $BATS_TEST_TMPDIR/taken/run-1.tar.gz"
    assert_equal "$(requests_of PUT)" 1
    cmp "$SERVER/kept/run-1.tar.gz" "$BATS_TEST_TMPDIR/taken/run-1.tar.gz"
    assert_equal "$(jq -c '[.destinations[] | [.already_there, .error]]' "$W/run-1/publish.json")" '[[true,null],[false,null]]'
}

@test "--verify reads back: what the server keeps is another archive, or the same" {
    start_server change none
    publish --to "$TO" --verify
    failed "${TO}run-1.tar.gz gives back "
    publish --to "$TO" --verify --overwrite
    assert_success
    assert_line --regexp '^published .*, verified$'
    assert_equal "$(jq '.destinations[0].verified' "$W/run-1/publish.json")" true
    publish --to "$BATS_TEST_TMPDIR/folder" --verify
    assert_line --regexp '^published .*, verified$'
}

@test "--fetch over HTTP brings it back, and tells what does not come whole" {
    start_server
    publish --to "$TO"
    run --separate-stderr "$ROIBENCH" publish --workspace "$BATS_TEST_TMPDIR/back" --fetch "${TO}run-1.tar.gz"
    assert_success
    diff -r -x publish.json "$W/run-1" "$BATS_TEST_TMPDIR/back/run-1"
    truncate -s 1000000 "$SERVER/kept/run-1.tar.gz"
    run --separate-stderr "$ROIBENCH" publish --workspace "$BATS_TEST_TMPDIR/back" --fetch "${TO}run-1.tar.gz"
    failed 'what came is not the archive that was published: 1000000 bytes'
    run --separate-stderr "$ROIBENCH" publish --workspace "$BATS_TEST_TMPDIR/back" --fetch "${TO}run-2.tar.gz"
    failed 'run-2.tar.gz: HTTP 404'
}

@test "a disk that is full: said with the way out, and nothing stays of it" {
    # a file system of 1 MB, in a name space of its own
    mkdir "$BATS_TEST_TMPDIR/small"
    if ! unshare --user --map-root-user --mount true 2>/dev/null; then skip "no mount name space"; fi
    # shellcheck disable=SC2016  # the other shell expands it
    run --separate-stderr unshare --user --map-root-user --mount bash -c '
        mount -t tmpfs -o size=1m tmpfs "$1" || exit 99
        "$2" publish --workspace "$3" --quiet --to "$1"
        status=$?
        ls -A "$1"
        exit $status' x "$BATS_TEST_TMPDIR/small" "$(realpath "$ROIBENCH")" "$W"
    failed "No space left on device. Free some space there"
    assert_output --regexp '^archive [^
]*$'
}

@test "the longest run-id has room for all that archives are called" {
    local id
    id=$(printf 'r%.0s' {1..200})
    mv "$W/run-1" "$W/$id"
    echo "$id" >"$W/latest"
    publish --to "$BATS_TEST_TMPDIR/out" --include records --no-prompts
    assert_success
    echo '{"schema":"roibench/plan/v1","x":1}' >"$W/$id/plan.json"
    publish --to "$BATS_TEST_TMPDIR/out" --include records --no-prompts
    assert_success
    assert_line --regexp "^published .*/$id\.records\.no-prompts\.[0-9a-f]{12}\.tar\.gz, "
    (cd "$BATS_TEST_TMPDIR/out" && sha256sum --check --strict --quiet ./*.sha256)
}

@test "names that are too long, and what is no file" {
    local long
    long=$(printf 'x%.0s' {1..256})
    publish --to "$BATS_TEST_TMPDIR/$long"
    failed "File name too long"
    mkfifo "$W/run-1/pipe"
    publish --to "$BATS_TEST_TMPDIR/out"
    failed "run-1/pipe is no regular file: only regular files are published. Remove it, or replace it by a copy"
    rm "$W/run-1/pipe"
    perl -MIO::Socket::UNIX -e 'chdir shift; IO::Socket::UNIX->new(Local => "socket", Listen => 1) or die' "$W/run-1"
    publish --to "$BATS_TEST_TMPDIR/out"
    failed "run-1/socket is no regular file"
    rm "$W/run-1/socket"
    ln -s plan.json "$W/run-1/link"
    publish --to "$BATS_TEST_TMPDIR/out"
    failed "run-1/link is a symbolic link"
    [ ! -e "$BATS_TEST_TMPDIR/out" ]
}

@test "the same bytes in any locale, with any name" {
    echo x >"$W/run-1/Bericht-Größe-日本.txt"
    echo x >"$W/run-1/$(printf 'n%.0s' {1..200}).txt"
    publish --to "$BATS_TEST_TMPDIR/a"
    local where
    for where in LC_ALL=C LC_ALL=de_DE.ISO-8859-1 LOCPATH=/nowhere TZ=Asia/Tokyo; do
        run env "$where" "$ROIBENCH" publish --workspace "$W" --quiet --to "$BATS_TEST_TMPDIR/a"
        assert_line --partial 'already there:'
    done
    run env LC_ALL=C.UTF-8 tar --quoting-style=literal -tzf "$BATS_TEST_TMPDIR/a/run-1.tar.gz"
    assert_line 'run-1/Bericht-Größe-日本.txt'
    assert_line "run-1/$(printf 'n%.0s' {1..200}).txt"
    run env LOCPATH=/nowhere "$ROIBENCH" publish --workspace "$BATS_TEST_TMPDIR/back" --fetch "$BATS_TEST_TMPDIR/a/run-1.tar.gz"
    assert_success
    diff -r -x publish.json "$W/run-1" "$BATS_TEST_TMPDIR/back/run-1"
}
