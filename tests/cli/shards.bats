#!/usr/bin/env bats
# Several processes that carry out one plan, in one folder: what they record together, and what is said when one of them is missing.

load support/simulator # setup and teardown too

prepare() {
    "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" --prompt-tokens 64 --output-tokens 16 "$@" >/dev/null 2>&1
}

# start_shards N SECONDS_AHEAD: sets PIDS
start_shards() {
    local shard start
    start=$(date -u -d "+$2 seconds" +%FT%T.%3NZ)
    PIDS=()
    for ((shard = 0; shard < $1; shard++)); do
        "$ROIBENCH" run --workspace ws --run-id r --shard "$shard/$1" --start-at "$start" >"out.$shard" 2>&1 3>&- &
        PIDS+=($!)
    done
}

wait_for_shards() {
    local pid
    for pid in "${PIDS[@]}"; do
        if ! wait "$pid"; then
            cat out.*
            return 1
        fi
    done
}

records() {
    local file
    for file in ws/r/records-*.jsonl.gz; do zcat "$file" | grep '"outcome"' || true; done
}

summarize() {
    run --separate-stderr "$ROIBENCH" summarize --workspace ws --run-id r
}

# One number of what the simulator really did; the first of that name.
truth() {
    curl -sS "$SIM/sim/truth" | grep -o "\"$1\":[0-9]*" | head -n 1 | grep -o '[0-9]*$'
}

notes() {
    jq --raw-output '.notes[]' ws/r/summary.json
}

reasons() { # LEVEL
    jq --raw-output ".levels[$1].validity.reasons[]" ws/r/summary.json
}

# A busy machine makes a client late: that is no concern of these tests.
tell_of_shards() { # LEVEL
    reasons "$1" | grep -E 'never came|did not live|measured together|at work'
}

# A request takes some 50 ms of the wall; the plan's seconds are twenty to one of the wall.
simulate_and_prepare() {
    local start=(--stream-start together)
    [[ $* != *poisson* ]] || start=() # an open loop has no streams
    start_simulator --preset l4-int4 --time-scale 20
    prepare "${start[@]}" --drain 20 "$@"
    BEFORE=$(truth completed)
}

@test "four processes carry out one plan: every request is there once, as the server counted it, in one report" {
    simulate_and_prepare --levels concurrent:4,6 --max-seconds 20
    start_shards 4 3
    wait_for_shards
    records >all
    assert_equal "$(wc -l <all)" "$(($(truth completed) - BEFORE))"
    assert_equal "$(grep -o '"id":"[^"]*"' all | sort | uniq -d)" ''
    assert_equal "$(grep -o '"level":1,.*"stream":[0-9]*' all | grep -o '[0-9]*$' | sort -u | xargs)" '0 1 2 3 4 5'
    # shard i has the streams i, i + 4
    assert_equal "$(grep -o '"level":1,.*"shard":1,"stream":[0-9]*' all | grep -o '[0-9]*$' | sort -u | xargs)" '1 5'
    summarize
    assert_success
    assert_output --partial '4 shards carried out this plan together; by the target'
    assert_equal "$(jq '[.levels[].load] | join(" ")' ws/r/summary.json)" '"4 6"'
    # members of the window and what was under way at its end: all of them, whoever sent them
    local level counted
    for level in 0 1; do
        counted=$(jq "[.levels[$level].requests | .ok, .error, .incomplete] | add" ws/r/summary.json)
        assert_equal "$counted" "$(grep -c "\"level\":$level," all)"
        run ! tell_of_shards $level
    done
    # The clocks are one machine's. What is told is an upper bound: it grows by what a process waited for a CPU.
    run -0 grep -oE 'at most [0-9.]+ ms apart' <(notes)
    assert [ "$(grep -oE 'at most [0-9]+' <(notes) | grep -o '[0-9]*$')" -lt 10000 ]
}

@test "the manifest has a row of each shard and vouches for all files; the archive holds them" {
    simulate_and_prepare --levels concurrent:4 --max-seconds 10
    start_shards 4 3
    wait_for_shards
    assert_equal "$(jq --raw-output '[.steps[] | select(.exit_code == 0) | .step] | sort | join(" ")' ws/r/manifest.json)" \
        'prepare run-0 run-1 run-2 run-3'
    local file
    for file in records-{0..3}.jsonl.gz tokens-{0..3}.bin.gz metrics-{0..3}.jsonl.gz journal-{0..3}.jsonl plan.json; do
        assert_equal "$(jq --raw-output ".files[\"$file\"].sha256" ws/r/manifest.json)" "$(sha256sum <"ws/r/$file" | cut -d ' ' -f 1)"
    done
    run --separate-stderr "$ROIBENCH" publish --workspace ws --run-id r
    assert_success
    [[ $stderr != *"not what its manifest"* ]]
    assert_equal "$(tar -tzf ws/archives/r.tar.gz | grep -cE '^r/(records|tokens|metrics|journal)-[0-3]\.')" 16
}

@test "a shard that was killed: its levels are measured until then, those after it lack a part of their load" {
    simulate_and_prepare --levels concurrent:4,8 --max-seconds 40
    start_shards 2 3
    wait_until grep -qs level_start ws/r/journal-1.jsonl
    sleep 1.3 # what was flushed is kept
    run -2 --separate-stderr "$ROIBENCH" run --workspace ws --run-id r --shard 0/2 --start-at "$(date -u -d '+60 seconds' +%FT%TZ)"
    [[ $stderr == *"records-0.jsonl.gz is being written by another run"* ]]
    run -6 --separate-stderr "$ROIBENCH" publish --workspace ws --run-id r
    kill -9 "${PIDS[1]}"
    wait "${PIDS[1]}" || true
    wait "${PIDS[0]}"
    summarize
    assert_success
    assert_equal "$(jq --raw-output '.levels[1].validity.verdict' ws/r/summary.json)" invalid
    run -0 reasons 0
    assert_output --partial 'cut off: 1 of 2 shards did not live to end this level; it is measured until then'
    run -0 reasons 1
    assert_output --partial '1 of 2 shards never came to this level: a part of its load was missing'
    # only the last shard's files are not in the manifest; publish adds them
    run --separate-stderr "$ROIBENCH" publish --workspace ws --run-id r
    assert_success
    assert_equal "$(jq --raw-output '.files | has("records-1.jsonl.gz")' ws/r/manifest.json)" true
}

@test "a shard that never ran is missed; it may still run when nobody did better" {
    simulate_and_prepare --levels concurrent:3 --max-seconds 10
    start_shards 2 2
    wait_for_shards
    rm ws/r/*-1.*
    summarize
    assert_success
    run -0 notes
    assert_output --partial 'shard 1 of 2 left no records: its share of every level is missing'
    assert_equal "$(jq --raw-output '.levels[0].validity.verdict' ws/r/summary.json)" invalid
    # neither over what was measured, nor with another division, nor alone
    local later
    later=$(date -u -d '+60 seconds' +%FT%TZ)
    run -2 --separate-stderr "$ROIBENCH" run --workspace ws --run-id r --shard 0/2 --start-at "$later"
    [[ $stderr == *"records-0.jsonl.gz is there already: this plan was run"* ]]
    run -2 --separate-stderr "$ROIBENCH" run --workspace ws --run-id r --shard 2/3 --start-at "$later"
    [[ $stderr == *"records-0.jsonl.gz is there already: this plan was begun in 2 shards"* ]]
    run -2 --separate-stderr "$ROIBENCH" run --workspace ws --run-id r
    [[ $stderr == *"records-0.jsonl.gz is there already: this plan was begun in 2 shards"* ]]
    [ ! -e ws/r/records.jsonl.gz ]
}

@test "more shards than streams: those without one end well, and none of them is missed" {
    simulate_and_prepare --levels concurrent:2 --max-seconds 10
    start_shards 3 2
    wait_for_shards
    grep -q 'no level has a stream for shard 2 of 3' out.2
    summarize
    assert_success
    run ! tell_of_shards 0
}

@test "shards cannot share fewer requests than there are shards" {
    simulate_and_prepare --levels concurrent:4 --max-seconds 20 --max-requests 3
    run -2 --separate-stderr "$ROIBENCH" run --workspace ws --run-id r --shard 0/4 --start-at "$(date -u -d '+60 seconds' +%FT%TZ)"
    [[ $stderr == *"4 shards cannot share --max-requests 3"* ]]
}

@test "an open loop in shards: every arrival has its record, and the rate is the whole's" {
    simulate_and_prepare --levels poisson:2,4 --max-seconds 40
    start_shards 3 3
    wait_for_shards
    records >all
    summarize
    assert_success
    local level drawn
    for level in 0 1; do
        drawn=$(cat ws/r/journal-*.jsonl | grep "\"level_end\":{\"index\":$level," | grep -o '"drawn":[0-9]*' | awk -F: '{ n += $2 } END { print n }')
        assert_equal "$(grep -c "\"level\":$level," all)" "$drawn"
        # 0 .. drawn - 1, each once
        assert_equal "$(grep "\"level\":$level," all | grep -o '"i":[0-9]*' | cut -d : -f 2 | sort -n | xargs)" "$(seq 0 $((drawn - 1)) | xargs)"
    done
    assert_equal "$(jq '.levels[0].offered_rps' ws/r/summary.json)" 2
}
