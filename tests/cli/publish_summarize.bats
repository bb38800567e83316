#!/usr/bin/env bats
# roibench publish --summarize-missing: what a pipeline's last step does, whatever became of those before it.
# shellcheck disable=SC2154  # set by bats and the files loaded here

load support/simulator

prepare() {
    start_simulator --preset instant --model tiny
    "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" --prompt-tokens 16 --output-tokens 8 --profile concurrent "$@" >/dev/null 2>&1
}

has_records() {
    (($(zcat ws/r/records.jsonl.gz 2>/dev/null | wc -l) > 10))
}

publish() {
    run --separate-stderr "$ROIBENCH" publish --workspace ws --to out "$@"
}

@test "a run that was killed gets its report before it leaves" {
    prepare --rate 3 --max-seconds 60
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until has_records
    kill -KILL $pid
    wait $pid || true
    publish
    assert_success
    [[ $stderr == *'ws/r has no summary.json: published as it is. --summarize-missing makes one'* ]]
    run tar -tzf out/r.tar.gz
    refute_line r/summary.json
    publish --summarize-missing
    assert_success
    [[ $stderr == *'ws/r had no summary.json: summarized'* ]]
    # of the archive alone: the report is not printed here
    assert_line --index 0 --regexp '^archive r.tar.gz: '
    assert_line --index 1 --regexp '^published out/r\.[0-9a-f]{12}\.tar\.gz, '
    assert_equal "${#lines[@]}" 2
    run tar -xzOf out/r.*.tar.gz r/summary.json
    assert_equal "$(jq -r .schema <<<"$output")" roibench/summary/v1
    assert_equal "$(tar -xzOf out/r.*.tar.gz r/manifest.json | jq -r '[.steps[].step] | join(" ")')" 'prepare publish summarize'
    # made once
    publish --summarize-missing
    assert_success
    assert_line --partial 'already there: out/r.'
    [[ $stderr != *summarized* ]]
}

@test "a run that was summarized again is the same run, and is not sent again" {
    prepare --rate 1 --max-requests 4
    "$ROIBENCH" run --workspace ws --quiet
    "$ROIBENCH" summarize --workspace ws --quiet >/dev/null
    publish
    assert_success
    "$ROIBENCH" summarize --workspace ws --quiet >/dev/null
    publish
    assert_success
    assert_line --partial 'already there: out/r.tar.gz'
}

@test "a run that measured nothing is published as it is" {
    prepare --rate 1 --max-requests 2
    publish --summarize-missing
    assert_success
    [[ $stderr == *'ws/r has no summary.json, and none can be made: '*'. Published as it is'* ]]
    run tar -tzf out/r.tar.gz
    assert_line r/plan.json
    refute_line r/summary.json
}
