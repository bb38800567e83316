#!/usr/bin/env bats
# roibench publish --fetch: archives back into a workspace, and what is done about those that nobody of us made.
# shellcheck disable=SC2030,SC2031,SC2154  # each test is a shell of its own; set by bats

bats_load_library bats-support
bats_load_library bats-assert
load support/reports # make_comparison
bats_require_minimum_version 1.5.0

setup() {
    W=$BATS_TEST_TMPDIR/workspace
    THERE=$BATS_TEST_TMPDIR/there
    BACK=$BATS_TEST_TMPDIR/back
    make_run run-1
    echo run-1 >"$W/latest"
}

make_run() { # ID
    mkdir -p "$W/$1"
    echo "{\"schema\":\"roibench/plan/v1\",\"run_id\":\"$1\"}" >"$W/$1/plan.json"
    echo '{"schema":"roibench/summary/v1"}' >"$W/$1/summary.json"
    echo "records of $1" | gzip -n >"$W/$1/records.jsonl.gz"
    echo "prompts of $1" | gzip -n >"$W/$1/prompts.jsonl.gz"
}

publish() {
    "$ROIBENCH" publish --workspace "$W" --quiet --to "$THERE" "$@" >/dev/null
}

fetch() {
    run --separate-stderr "$ROIBENCH" publish --workspace "$BACK" --fetch "$@"
    # Whatever came of it: nothing of our own stays.
    [ -z "$(find "$BATS_TEST_TMPDIR" -name '.fetched-*' -o -name '.removed-*')" ]
}

refused() { # TEXT
    assert_failure 6
    [[ $stderr == *"$1"* ]] || { echo "$stderr"; return 1; }
    [ "$(wc -l <<<"$stderr")" -le 2 ]
}

# An archive by tar alone, with a .sha256 that is right: what is inside is all that is wrong with it.
pack() { # NAME TAR-ARGUMENT...
    local name=$1
    shift
    mkdir -p "$THERE"
    tar -czf "$THERE/$name" "$@"
    (cd "$THERE" && sha256sum "$name" >"$name.sha256")
}

@test "the run comes back as it was, from a path and from a URL" {
    publish
    local sum
    sum=$(sha256sum <"$THERE/run-1.tar.gz" | cut -d ' ' -f 1)
    fetch "$THERE/run-1.tar.gz"
    assert_success
    assert_line --index 0 --regexp "^archive of 5 files, .* sha256 $sum$"
    assert_line --index 1 "fetched $BACK/run-1"
    diff -r -x publish.json "$W/run-1" "$BACK/run-1"
    [ ! -e "$BACK/latest" ]
    BACK=$BATS_TEST_TMPDIR/second
    fetch "file://$THERE/run-1.tar.gz"
    assert_success
    diff -r -x publish.json "$W/run-1" "$BACK/run-1"
    # and what was fetched makes the same archive
    run "$ROIBENCH" publish --workspace "$BACK" --run-id run-1 --to "$THERE"
    assert_line --regexp "^already there: $THERE/run-1.tar.gz, "
}

@test "fetched again: the same run is there already" {
    publish
    fetch "$THERE/run-1.tar.gz"
    fetch "$THERE/run-1.tar.gz"
    assert_success
    assert_line "already there: $BACK/run-1"
}

@test "another run of the name is not written over" {
    publish
    mkdir -p "$BACK/run-1"
    echo '{"schema":"roibench/plan/v1","other":1}' >"$BACK/run-1/plan.json"
    fetch "$THERE/run-1.tar.gz"
    refused "$BACK/run-1 is there already, and is another: plan.json differs"
    [ "$(ls "$BACK/run-1")" = plan.json ]
    # the same plan, of which nothing tells what came of it
    cp "$W/run-1/plan.json" "$BACK/run-1/"
    fetch "$THERE/run-1.tar.gz"
    refused "$BACK/run-1 is there already, with another manifest.json"
    [ "$(ls "$BACK/run-1")" = plan.json ]
    rm -r "$BACK/run-1"
    touch "$BACK/run-1"
    fetch "$THERE/run-1.tar.gz"
    refused "$BACK/run-1 is there already, and is no folder"
}

@test "parts have names of their own, and come together again" {
    publish
    publish --include reports
    publish --include records --no-prompts
    publish --include records
    run find "$THERE" -name '*.gz' -printf '%f\n'
    assert_line run-1.reports.tar.gz
    assert_line run-1.records.tar.gz
    assert_line run-1.records.no-prompts.tar.gz
    assert_equal "$(tar -tzf "$THERE/run-1.reports.tar.gz" | xargs)" "run-1/manifest.json run-1/plan.json run-1/summary.json"
    assert_equal "$(tar -tzf "$THERE/run-1.records.no-prompts.tar.gz" | xargs)" "run-1/manifest.json run-1/plan.json run-1/records.jsonl.gz"
    fetch "$THERE/run-1.reports.tar.gz"
    assert_success
    [[ $stderr == *'run-1: not in this archive: prompts.jsonl.gz, records.jsonl.gz'* ]]
    [ ! -e "$BACK/run-1/records.jsonl.gz" ]
    fetch "$THERE/run-1.records.tar.gz"
    assert_success
    assert_line "completed $BACK/run-1"
    diff -r -x publish.json "$W/run-1" "$BACK/run-1"
}

@test "a comparison comes back with its runs" {
    make_run run-2
    make_comparison a-b run-1 run-2
    publish --comparison a-b
    fetch "$THERE/comparison-a-b.tar.gz"
    assert_success
    assert_line "fetched $BACK/comparisons/a-b"
    assert_line "fetched $BACK/run-1"
    assert_line "fetched $BACK/run-2"
    diff -r -x publish.json -x latest "$W" "$BACK"
    make_run run-1
    rm -r "$BACK/run-2" "$BACK/comparisons"
    echo other >"$BACK/run-1/summary.json"
    fetch "$THERE/comparison-a-b.tar.gz"
    refused "$BACK/run-1 is there already, and is another"
    # all or nothing
    [ ! -e "$BACK/run-2" ] && [ ! -e "$BACK/comparisons" ]
}

@test "bytes that are not those of the checksum" {
    publish
    printf x >>"$THERE/run-1.tar.gz"
    fetch "$THERE/run-1.tar.gz"
    refused 'what came is not the archive that was published'
    truncate -s -20 "$THERE/run-1.tar.gz"
    fetch "$THERE/run-1.tar.gz"
    refused 'what came is not the archive that was published'
    rm "$THERE/run-1.tar.gz.sha256"
    fetch "$THERE/run-1.tar.gz"
    refused 'is no whole tar.gz: '
    head -c 1000 /dev/urandom >"$THERE/run-1.tar.gz"
    fetch "$THERE/run-1.tar.gz"
    refused 'is no whole tar.gz: '
    : >"$THERE/run-1.tar.gz"
    fetch "$THERE/run-1.tar.gz"
    assert_failure 6
    [ ! -e "$BACK/run-1" ]
}

@test "without a checksum beside it the manifest inside is what is checked" {
    publish
    rm "$THERE/run-1.tar.gz.sha256"
    fetch "$THERE/run-1.tar.gz"
    assert_success
    [[ $stderr == *'there is no .sha256 beside the archive: it is checked only by the manifest inside'* ]]
}

@test "files that are not what the manifest inside says" {
    publish
    mkdir "$BATS_TEST_TMPDIR/made"
    cd "$BATS_TEST_TMPDIR/made"
    tar -xzf "$THERE/run-1.tar.gz"
    echo changed >run-1/summary.json
    pack changed.tar.gz run-1/manifest.json run-1/plan.json run-1/summary.json
    fetch "$THERE/changed.tar.gz"
    refused 'run-1/summary.json is not what the manifest says'
    echo more >run-1/more.txt
    pack more.tar.gz run-1/manifest.json run-1/plan.json run-1/more.txt
    fetch "$THERE/more.tar.gz"
    refused 'run-1/more.txt is not in the manifest'
    pack none.tar.gz run-1/plan.json
    fetch "$THERE/none.tar.gz"
    refused 'run-1/manifest.json'
    jq '.files["plan.json"].size = 1' run-1/manifest.json >other && mv other run-1/manifest.json
    pack size.tar.gz run-1/manifest.json run-1/plan.json
    fetch "$THERE/size.tar.gz"
    refused 'run-1/plan.json is not what the manifest says'
    jq 'del(.files["plan.json"])' run-1/manifest.json >other && mv other run-1/manifest.json
    pack identity.tar.gz run-1/manifest.json
    fetch "$THERE/identity.tar.gz"
    refused 'identity: is not that of the files that it lists'
    [ -z "$(ls "$BACK")" ]
}

@test "members that no archive of ours has" {
    mkdir -p "$BATS_TEST_TMPDIR/made/run-1/inner" "$BATS_TEST_TMPDIR/made/latest"
    cd "$BATS_TEST_TMPDIR/made"
    cp "$W/run-1/plan.json" run-1/
    cp run-1/plan.json run-1/inner/
    cp run-1/plan.json latest/
    cp run-1/plan.json run-1/publish.json
    cp run-1/plan.json run-1/x.tmp
    cp run-1/plan.json run-1/.hidden
    cp run-1/plan.json "$(printf 'run-1/a\nb')"
    ln -s /etc/passwd run-1/link
    ln run-1/plan.json run-1/same
    mkfifo run-1/pipe
    pack link.tar.gz run-1/link
    fetch "$THERE/link.tar.gz"
    refused "the member 'run-1/link' is a link"
    pack hard.tar.gz run-1/plan.json run-1/same
    fetch "$THERE/hard.tar.gz"
    refused "the member 'run-1/same' is a link"
    pack pipe.tar.gz run-1/pipe
    fetch "$THERE/pipe.tar.gz"
    refused "the member 'run-1/pipe' is no regular file"
    pack folder.tar.gz run-1
    fetch "$THERE/folder.tar.gz"
    refused "the member 'run-1/' is no regular file"
    pack twice.tar.gz run-1/plan.json run-1/plan.json --hard-dereference
    fetch "$THERE/twice.tar.gz"
    refused "is there twice"
    local name as
    for name in inner/plan.json publish.json x.tmp .hidden "$(printf 'a\nb')"; do
        pack name.tar.gz "run-1/$name"
        fetch "$THERE/name.tar.gz"
        refused 'has a name that is not <run-id>/<file>'
    done
    for as in ../plan.json /tmp/x/plan.json ./plan.json plan.json run-1/../plan.json comparisons/plan.json ../../x .x/plan.json; do
        pack as.tar.gz -P --transform "s,.*,$as," run-1/plan.json
        fetch "$THERE/as.tar.gz"
        refused 'has a name that is not <run-id>/<file>'
    done
    pack latest.tar.gz latest/plan.json
    fetch "$THERE/latest.tar.gz"
    refused "the run-id 'latest' is a name that the workspace itself uses"
    [ -z "$(ls "$BACK")" ]
}

@test "an archive that unpacks to far more than its size" {
    mkdir -p "$BATS_TEST_TMPDIR/made/run-1"
    cd "$BATS_TEST_TMPDIR/made"
    truncate -s 300M run-1/zeros
    pack bomb.tar.gz run-1/zeros
    fetch "$THERE/bomb.tar.gz"
    refused 'which no archive of its size does'
    [ -z "$(ls "$BACK")" ]
}

@test "a disk that is full while fetching: one sentence, and nothing stays" {
    head -c 3000000 /dev/urandom >"$W/run-1/metrics.jsonl.gz"
    publish
    run --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 1000; exec "$@"' x "$ROIBENCH" publish --workspace "$BACK" --fetch "$THERE/run-1.tar.gz"
    refused 'File too large'
    [ -z "$(ls -A "$BACK")" ]
}

@test "what is not there, and options that do not go with it" {
    fetch "$THERE/nothing.tar.gz"
    refused "cannot open $THERE/nothing.tar.gz: No such file or directory"
    fetch "$W"
    refused "$W is no regular file"
    fetch http://127.0.0.1:1/run-1.tar.gz
    refused 'GET http://127.0.0.1:1/run-1.tar.gz'
    fetch ftp://host/x
    assert_failure 2
    fetch "$THERE/x" --to "$THERE"
    assert_failure 2
    [[ $stderr == *'--fetch and --to exclude each other'* ]]
    fetch "$THERE/x" --run-id run-1
    assert_failure 2
}
