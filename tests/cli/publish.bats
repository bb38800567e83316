#!/usr/bin/env bats
# roibench publish, on run folders made by hand. PUT: tests/unit/ship/destination_http_test.c and tests/e2e.

bats_load_library bats-support
bats_load_library bats-assert
load support/reports # make_comparison
bats_require_minimum_version 1.5.0

setup() {
    W=$BATS_TEST_TMPDIR/workspace
    make_run run-1
    echo run-1 >"$W/latest"
}

make_run() { # ID
    mkdir -p "$W/$1"
    echo '{"schema":"roibench/plan/v1"}' >"$W/$1/plan.json"
    echo '{"schema":"roibench/summary/v1"}' >"$W/$1/summary.json"
    echo "records of $1" | gzip -n >"$W/$1/records.jsonl.gz"
    cat >"$W/$1/manifest.json" <<END
{"schema":"roibench/manifest/v1","tool":{"name":"roibench","version":"1"},"identity":"x","files":{},
 "steps":[{"step":"prepare","version":"1","host":"h","started":"2026-11-24T04:06:51Z","ended":"2026-11-24T04:06:52Z","exit_code":0}]}
END
}

publish() {
    run --separate-stderr "$ROIBENCH" publish --workspace "$W" --quiet "$@"
}

# Another user, for whom permissions count; the shell itself when it is one.
as_nobody() {
    if (($(id -u) == 0)); then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}

# No temporary file stays behind, whatever happened.
assert_clean() {
    run find "$BATS_TEST_TMPDIR" -name '*.tmp'
    assert_output ''
}

@test "the current run goes to the workspace's archives" {
    publish
    assert_success
    [ -z "$stderr" ]
    cd "$W/archives"
    local size sum
    size=$(stat -c %s run-1.tar.gz)
    sum=$(sha256sum run-1.tar.gz | cut -d ' ' -f 1)
    assert_line --index 0 --regexp "^archive run-1.tar.gz: 4 files, $size B$"
    assert_line --index 1 "published $W/archives/run-1.tar.gz, $size bytes, sha256 $sum"
    sha256sum --check --strict --quiet run-1.tar.gz.sha256
    run tar -tzf run-1.tar.gz
    assert_output "run-1/manifest.json
run-1/plan.json
run-1/records.jsonl.gz
run-1/summary.json"
    TZ=UTC run tar -tvzf run-1.tar.gz --numeric-owner --full-time run-1/plan.json
    assert_output --regexp '^-rw-r--r-- 0/0 +30 2026-11-24 04:06:51 run-1/plan.json$'
    assert_clean
}

@test "what is unpacked is what was there" {
    publish
    mkdir "$BATS_TEST_TMPDIR/unpacked"
    tar -xzf "$W/archives/run-1.tar.gz" -C "$BATS_TEST_TMPDIR/unpacked"
    run diff -r -x publish.json "$W/run-1" "$BATS_TEST_TMPDIR/unpacked/run-1"
    assert_success
}

@test "the receipt lies in the run's folder" {
    publish --to "$BATS_TEST_TMPDIR/a"
    local receipt identity name
    receipt=$(cat "$W/run-1/publish.json")
    identity=$(cd "$W/run-1" && for name in plan.json records.jsonl.gz summary.json; do
        echo "$name $(sha256sum <"$name" | cut -d ' ' -f 1)"
    done | sha256sum | cut -d ' ' -f 1)
    [[ $receipt == *'"schema": "roibench/publish/v1"'* ]]
    [[ $receipt == *"\"identity\": \"$identity\""* ]]
    [[ $receipt == *"\"to\": \"$BATS_TEST_TMPDIR/a/run-1.tar.gz\""* ]]
    [[ $receipt == *"\"sha256\": \"$(sha256sum "$BATS_TEST_TMPDIR/a/run-1.tar.gz" | cut -d ' ' -f 1)\""* ]]
    [[ $receipt == *'"error": null'* ]]
}

@test "publishing again finds the same archive there" {
    publish
    publish
    assert_success
    assert_line --regexp "^already there: $W/archives/run-1.tar.gz, "
}

@test "other content gets a new name, and is not replaced without --overwrite" {
    publish
    echo changed >"$W/run-1/plan.json"
    local before
    before=$(sha256sum <"$W/archives/run-1.tar.gz")
    publish
    assert_success
    assert_line --regexp "^published $W/archives/run-1\.[0-9a-f]{12}\.tar\.gz, "
    [ "$(sha256sum <"$W/archives/run-1.tar.gz")" = "$before" ]
    publish
    assert_line --regexp "^already there: $W/archives/run-1\.[0-9a-f]{12}\.tar\.gz, "
    publish --overwrite
    assert_success
    assert_output --partial "published $W/archives/run-1.tar.gz"
    [ "$(tar -xzOf "$W/archives/run-1.tar.gz" run-1/plan.json)" = changed ]
    assert_clean
}

@test "each of several destinations has its own outcome" {
    touch "$BATS_TEST_TMPDIR/file"
    publish --to "$BATS_TEST_TMPDIR/a" --to "$BATS_TEST_TMPDIR/file" --to "file://$BATS_TEST_TMPDIR/b"
    assert_failure 6
    assert_line --index 1 --partial "published $BATS_TEST_TMPDIR/a/run-1.tar.gz"
    assert_line --index 2 --partial "published $BATS_TEST_TMPDIR/b/run-1.tar.gz"
    [[ $stderr == *"$BATS_TEST_TMPDIR/file"* ]]
    [[ $stderr == *"1 of 3 destinations did not take the archive"* ]]
    cmp "$BATS_TEST_TMPDIR/a/run-1.tar.gz" "$BATS_TEST_TMPDIR/b/run-1.tar.gz"
    [ "$(grep -c '"to"' "$W/run-1/publish.json")" -eq 3 ]
    [ "$(grep -c '"error": null' "$W/run-1/publish.json")" -eq 2 ]
}

@test "a server that is not there is a failed destination" {
    publish --to http://127.0.0.1:1/x/ --retries 0
    assert_failure 6
    [[ $stderr == *'http://127.0.0.1:1/x/run-1.tar.gz'* ]]
    assert_clean
}

@test "an unknown scheme names the known ones, before anything is written" {
    publish --to "$BATS_TEST_TMPDIR/a" --to ftp://host/x
    assert_failure 2
    [[ $stderr == *"'ftp://'. Known: file://, http://, https://, "* ]]
    [ ! -e "$BATS_TEST_TMPDIR/a" ]
    [ ! -e "$W/run-1/publish.json" ]
}

@test "a run without summary is published with a warning" {
    rm "$W/run-1/summary.json"
    publish
    assert_success
    [[ $stderr == *'run-1 has no summary.json'* ]]
}

@test "a comparison brings its runs along" {
    make_run run-2
    make_comparison int4-bf16 run-1 run-2 run-gone run-1
    publish --comparison int4-bf16
    assert_success
    [[ $stderr == *'run-gone is not in the workspace: left out'* ]]
    run tar -tzf "$W/archives/comparison-int4-bf16.tar.gz"
    assert_line comparisons/int4-bf16/comparison.json
    assert_line run-1/plan.json
    assert_line run-2/records.jsonl.gz
    assert_line comparisons/int4-bf16/manifest.json
    [ "${#lines[@]}" -eq 10 ]
    [ -e "$W/comparisons/int4-bf16/publish.json" ]
    [ ! -e "$W/run-1/publish.json" ]
}

@test "a comparison that names a path instead of a run is refused" {
    make_comparison evil ../../etc
    publish --comparison evil
    assert_failure 2
    [[ $stderr == *"comparison.json: runs[0].run.run_id: the run-id '../../etc' begins with '.'"* ]]
}

@test "ids that are no folder names, or name no folder" {
    publish --run-id ../run-1
    assert_failure 2
    publish --run-id nothing
    assert_failure 2
    [[ $stderr == *'there is no run nothing'* ]]
    publish --comparison nothing
    assert_failure 2
    [[ $stderr == *'there is no comparison nothing'* ]]
    publish --comparison x --run-id run-1
    assert_failure 2
    rm "$W/latest"
    publish
    assert_failure 2
    [[ $stderr == *'prepare first'* ]]
    [ ! -e "$W/archives" ]
}

@test "links are not followed" {
    ln -s /etc/passwd "$W/run-1/notes"
    publish
    assert_failure 6
    [[ $stderr == *'run-1/notes is a symbolic link: only regular files are published'* ]]
    [ ! -e "$W/archives/run-1.tar.gz" ]
    assert_clean
}

# Its files as the manifest would have them.
recorded() { # FOLDER
    (cd "$1" && for name in *; do
        case $name in manifest.json | publish.json) ;; *) echo "$name $(sha256sum <"$name" | cut -d ' ' -f 1)" ;; esac
    done)
}

listed() { # MANIFEST
    jq -r '.files | to_entries | sort_by(.key)[] | .key + " " + .value.sha256' "$1"
}

@test "the archive's manifest has every file and the step, also when the run could not write it" {
    publish
    assert_success
    tar -xzf "$W/archives/run-1.tar.gz" -C "$BATS_TEST_TMPDIR"
    local unpacked=$BATS_TEST_TMPDIR/run-1
    assert_equal "$(listed "$unpacked/manifest.json")" "$(recorded "$unpacked")"
    assert_equal "$(jq -r '[.steps[].step] | join(" ")' "$unpacked/manifest.json")" "prepare publish"
    assert_equal "$(jq -r .identity "$unpacked/manifest.json")" "$(recorded "$unpacked" | sha256sum | cut -d ' ' -f 1)"
}

@test "what was changed behind the manifest's back is named, and the manifest bears witness" {
    publish
    local before
    before=$(listed "$W/run-1/manifest.json")
    echo changed >"$W/run-1/plan.json"
    rm "$W/run-1/summary.json"
    echo more >"$W/run-1/notes.txt"
    publish --overwrite
    assert_success
    [[ $stderr == *"$W/run-1: not what its manifest.json says: plan.json, summary.json. Published as they are"* ]]
    assert_equal "$(listed "$W/run-1/manifest.json" | grep -v notes.txt)" "$before"
    listed "$W/run-1/manifest.json" | grep -q notes.txt
}

@test "into the folder that is published: refused before anything is written" {
    local to
    for to in "$W/run-1" "$W/run-1/archives" "file://$W/run-1/a/b" "$W/x/../run-1/out"; do
        mkdir -p "$W/x"
        publish --to "$BATS_TEST_TMPDIR/fine" --to "$to"
        assert_failure 2
        [[ $stderr == *"$to lies in $W/run-1, which is to be published"* ]]
    done
    [ ! -e "$BATS_TEST_TMPDIR/fine" ]
    [ ! -e "$W/run-1/publish.json" ]
    publish --to "$W/run-10"
    assert_success
}

@test "a run that is still going on is not published, and summarized with a warning" {
    flock "$W/run-1/records.jsonl.gz" sleep 20 3>&- &
    local holder=$!
    until ! flock -n "$W/run-1/records.jsonl.gz" true; do sleep 0.01; done
    publish
    assert_failure 6
    [[ $stderr == *"$W/run-1: roibench run is still writing into it. Publish it when the run is over"* ]]
    run "$ROIBENCH" summarize --workspace "$W"
    assert_output --partial "roibench run is still writing into it"
    kill "$holder" && wait "$holder" || true
    [ ! -e "$W/archives" ]
}

@test "a workspace that cannot be written is published elsewhere, without receipt" {
    local open
    open=$(mktemp -d /tmp/roibench-publish.XXXXXX)
    cp -r "$W" "$ROIBENCH" "$open"
    mkdir "$open/out"
    chmod -R a+rX "$open"
    chmod a+w "$open/out"
    run --separate-stderr as_nobody env TMPDIR="$open/out" "$open/roibench" publish --workspace "$open/workspace" --to "$open/out"
    tar -tzf "$open/out/run-1.tar.gz" >"$BATS_TEST_TMPDIR/list"
    find "$open/out" -name '*.tmp' >"$BATS_TEST_TMPDIR/left"
    assert_success
    [[ $stderr == *"run-1 cannot be written: its manifest.json stays as it is"* ]]
    [[ $stderr == *"run-1 cannot be written: no receipt there"* ]]
    grep -q run-1/records.jsonl.gz "$BATS_TEST_TMPDIR/list"
    [ ! -s "$BATS_TEST_TMPDIR/left" ]
    run --separate-stderr as_nobody "$open/roibench" publish --workspace "$open/workspace"
    rm -rf "$open"
    assert_failure 6
    [[ $stderr == *"$open/workspace/archives"*"Permission denied"* ]]
}

@test "subfolders stay behind, and that is said" {
    mkdir "$W/run-1/inner"
    publish
    assert_success
    [[ $stderr == *'1 subfolder'*'left out'* ]]
}

@test "what is not an option or an argument" {
    publish --include everything
    assert_failure 2
    publish run-1
    assert_failure 2
    [[ $stderr == *"unexpected argument 'run-1'"* ]]
}
