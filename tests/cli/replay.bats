#!/usr/bin/env bats
# A trace of somebody's traffic, from prepare to the records.

load support/simulator # setup and teardown too

prepare() {
    run --separate-stderr timeout 60 "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" --prompt-tokens 32 --output-tokens 8 \
        --profile replay "$@"
}

run_plan() {
    run --separate-stderr timeout 60 "$ROIBENCH" run --workspace ws "$@"
}

# When each request was due, ms from the level's start, in the order of their numbers.
due_ms() {
    local start
    start=$(zcat ws/r/records.jsonl.gz | sed -n 's/.*"level_end":{.*"start":\([0-9]*\).*/\1/p')
    zcat ws/r/records.jsonl.gz | grep '"outcome"' |
        sed 's/.*"i":\([0-9]*\),.*"intended":\([0-9]*\).*/\1 \2/' | sort -n | awk -v start="$start" '{ print ($2 - start) / 1e6 }' | xargs
}

mooncake() {
    printf '{"timestamp": %s, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}\n' "$@"
}

@test "requests are due when those of a Mooncake trace were, and the level ends with it" {
    start_simulator --preset instant
    mooncake 1000 1300 1300 2500 2100 >trace.jsonl
    prepare --replay-file trace.jsonl
    assert_success
    [[ $stderr == *"load: replay 3.333 req/s, trace.jsonl at 1 times its speed;"*"at most 5 requests"* ]]
    rm trace.jsonl # run needs it no more
    for workers in 1 3; do
        run_plan --workers $workers
        assert_success
        assert_equal "$(due_ms)" '0 300 300 1100 1500'
        grep -q '"reason":"max_requests"' ws/r/journal.jsonl
        cp ws/r/plan.json ws/r/prompts.jsonl.gz ws/r/arrivals.jsonl.gz . && rm -r ws/r && mkdir ws/r && mv plan.json prompts.jsonl.gz arrivals.jsonl.gz ws/r
    done
}

@test "a CSV, faster, and cut off by time" {
    start_simulator --preset instant
    printf 'Timestamp,Model\n5,a\n7,b\n9,c\n30,d\n' >trace.csv
    prepare --replay-file "$PWD/trace.csv" --replay-speed 10 --max-seconds 1 --repeat 2
    assert_success
    run_plan
    assert_success
    assert_equal "$(zcat ws/r/records.jsonl.gz | grep -c '"outcome":"ok"')" 6
    grep -q '"reason":"max_seconds"' ws/r/journal.jsonl
    run --separate-stderr "$ROIBENCH" summarize --workspace ws --format markdown
    [[ $output == *"replay, 1.0 s or 4 requests a level"*"2 times each"*"trace.csv at 10 times its speed"* ]]
}

@test "what cannot be replayed is said before the server is asked" {
    SIM=http://127.0.0.1:1
    mooncake 1000 >one.jsonl
    mooncake 0 500 >two.jsonl
    printf 'time\n1\n2\n' >other.csv
    printf 'timestamp\n1\nsoon\n' >wrong.csv
    while IFS='|' read -r options said; do
        # shellcheck disable=SC2086 # several words
        prepare --wait 1 $options
        assert_failure 2
        [[ $stderr == *$said* ]]
    done <<'OPTIONS'
|--replay-file
--replay-file nowhere.csv|nowhere.csv
--replay-file one.jsonl|two are needed
--replay-file other.csv|expected a member or column timestamp
--replay-file wrong.csv|wrong.csv: line 3, column 1: 'soon'
--replay-file two.jsonl --rate 5|takes no --rate
--replay-file two.jsonl --replay-speed 0|--replay-speed
--replay-file two.jsonl --replay-unit h|--replay-unit
--replay-file two.jsonl --max-requests 1|leave 1 request
--replay-file two.jsonl --think-time 2s|--think-time
--replay-file two.jsonl --find breaking|--find
OPTIONS
    run --separate-stderr "$ROIBENCH" prepare --target "$SIM/v1" --profile poisson --rate 1 --replay-speed 2
    assert_failure 2
    [[ $stderr == *"--replay-speed is for replay levels only"* ]]
}

@test "arrivals that were lost or changed since" {
    start_simulator --preset instant
    mooncake 0 500 900 >trace.jsonl
    prepare --replay-file trace.jsonl
    assert_success
    mv ws/r/arrivals.jsonl.gz whole.gz
    run_plan
    [ "$status" -ne 0 ]
    [[ $stderr == *arrivals.jsonl.gz* ]]
    zcat whole.gz | head -n 3 | gzip >ws/r/arrivals.jsonl.gz
    run_plan
    assert_failure 2
    [[ $stderr == *"holds 2 arrivals of 3"* ]]
}
