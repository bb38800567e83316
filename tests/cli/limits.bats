#!/usr/bin/env bats
# What makes levels longer or shorter than planned, repeats them, looks for a load, or ends the run: from prepare to the report.

load support/simulator # setup and teardown too

prepare() {
    "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" --prompt-tokens 32 --output-tokens 8 "$@" 2>errors >/dev/null || {
        cat errors >&2
        return 1
    }
}

run_plan() {
    run --separate-stderr timeout 100 "$ROIBENCH" run --workspace ws
}

# level_ends NAME...: of each level_end of the journal, in the order of the run
level_ends() {
    local name expression=''
    for name in "$@"; do expression+="s/.*\"$name\":\"\{0,1\}\([^,\"}]*\).*/\1/p;"; done
    grep '"level_end"' ws/r/journal.jsonl | sed -n "$expression" | xargs
}

@test "each level is run --repeat times" {
    start_simulator --preset instant
    prepare --levels concurrent:1,2,3 --max-requests 10 --repeat 3 --stream-start together
    run_plan
    assert_success
    assert_equal "$(level_ends repeat)" '0 0 0 1 1 1 2 2 2'
    assert_equal "$(level_ends index | tr ' ' '\n' | sort | uniq -c | xargs)" '3 0 3 1 3 2'
    assert_equal "$(zcat ws/r/records.jsonl.gz | grep -c '"outcome":"ok"')" 90
}

@test "a level with fewer than --min-requests goes on, and has them" {
    start_simulator --preset instant
    prepare --profile constant --rate 20 --max-seconds 1 --min-requests 40
    run_plan
    assert_success
    (($(zcat ws/r/records.jsonl.gz | grep -c '"outcome":"ok"') >= 40))
}

@test "--max-tokens-total ends the run" {
    start_simulator --preset instant
    prepare --levels constant:50,100 --max-seconds 20 --max-tokens-total 4000
    SECONDS=0
    run_plan
    assert_success
    assert_equal "$(level_ends reason)" max_tokens_total
    ((SECONDS < 15))
    # 40 a request: after 2 s, and what comes until that is seen
    local requests
    requests=$(zcat ws/r/records.jsonl.gz | grep -c '"outcome":"ok"')
    ((requests >= 99 && requests <= 150))
}

@test "--max-usd ends the run" {
    start_simulator --preset instant
    prepare --levels concurrent:1,2 --max-seconds 20 --max-usd 0.001 --price-per-hour 3.6
    SECONDS=0
    run_plan
    assert_success
    assert_equal "$(level_ends reason)" max_usd
    ((SECONDS < 15))
}

@test "--max-error-rate ends a level, and the next one begins" {
    start_simulator --preset instant
    prepare --levels concurrent:2,3 --max-seconds 20 --max-error-rate 10%
    curl -sSf -d '["status=500:rate=0.5"]' "$SIM/sim/fault"
    SECONDS=0
    run_plan
    assert_equal "$(level_ends reason)" 'max_error_rate max_error_rate'
    ((SECONDS < 30))
}

@test "--find looks for the load at which it breaks" {
    # Two at a time, half a second each: somewhat above eight streams the last in the queue waits for 2 s.
    start_simulator --preset l4-int4 --time-scale 10 --max-num-seqs 2
    prepare --find breaking --refine 1 --max-seconds 20 --max-concurrency 64
    run_plan
    assert_success
    "$ROIBENCH" summarize --workspace ws --run-id r --format markdown >report 2>errors
    assert_equal "$(level_ends index)" '0 1 2 3 4 5'
    assert_equal "$(grep -o '^| *[0-9]* streams |' report | head -n 6 | grep -o '[0-9]*' | xargs)" '1 2 4 8 16 12'
    grep -q 'Breaking point: *(8, 12\] streams: TTFT p95' report
}
