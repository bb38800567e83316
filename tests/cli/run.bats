#!/usr/bin/env bats
# roibench run against the simulator: what is recorded, and what is kept when things go wrong.

bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.5.0
load support/simulator

setup() {
    unset ROIBENCH_API_KEY
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_simulators
}

# prepare OPTIONS...: run "r" of workspace ws on the simulator
prepare() {
    "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" --prompt-tokens 64 --output-tokens 16 "$@" >/dev/null 2>&1
}

run_plan() {
    run --separate-stderr timeout 100 "$ROIBENCH" run --workspace ws "$@"
}

records() { # counts lines with the text
    zcat ws/r/records.jsonl.gz 2>/dev/null | grep -c -- "$1" || true
}

ends_with() { # STATUS PID
    local status=0
    wait "$2" || status=$?
    assert_equal "$status" "$1"
}

# One number of the simulator's /metrics.
metric() {
    curl -sS "$SIM/metrics" | sed -n "s/^vllm:$1{[^}]*} \([0-9]*\)\.0$/\1/p"
}

@test "every request has a record, and the tokens are those that the server counted" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 1,4 --max-requests 20 --stream-start together
    local asked answered
    asked=$(metric prompt_tokens_total) answered=$(metric generation_tokens_total)
    run_plan
    assert_success
    assert_equal "$(records '"outcome":"ok"')" 40
    assert_equal "$(records '"prompt_tokens":64,"output_tokens":16')" 40
    assert_equal "$(records '"chunk_tokens":"exact"')" 40
    assert_equal "$(records level_end)" 2
    assert_equal $(($(metric prompt_tokens_total) - asked)) $((40 * 64))
    assert_equal $(($(metric generation_tokens_total) - answered)) $((40 * 16))
    assert_equal "$(grep -c '"reason":"max_requests"' ws/r/journal.jsonl)" 2
    [ -s ws/r/tokens.bin.gz ]
    zcat ws/r/metrics.jsonl.gz | grep -q num_requests_running
    # Connections are kept: five were opened at most, one more for each level's start.
    (($(records '"reused":false') <= 5))
}

@test "open loop: requests are sent when they are due" {
    start_simulator --preset instant --model tiny
    prepare --profile constant --rate 50 --max-seconds 1
    run_plan
    assert_success
    assert_equal "$(records '"outcome":"ok"')" 49
    assert_equal "$(records '"stream"')" 0
}

@test "a sweep finds its own levels" {
    start_simulator --preset instant --model tiny --time-scale 1
    prepare --profile sweep --rate 3 --max-concurrency 4 --max-requests 10
    run_plan
    assert_success
    assert_equal "$(records level_end)" 3
    assert_equal "$(records '"kind":"poisson"')" 1
}

@test "SIGTERM in the middle: everything is recorded, exit 143" {
    start_simulator --preset l4-int4 --model tiny
    prepare --profile concurrent --rate 3 --max-seconds 60 --stream-start together
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until test -s ws/r/journal.jsonl
    sleep 2
    kill -TERM $pid
    ends_with 143 $pid
    assert_equal "$(records '"stopped"')" 0
    assert_equal "$(grep -c '"reason":"stopped"' ws/r/journal.jsonl)" 1
    assert_equal "$(records level_end)" 1
    (($(records cancelled) >= 1))
}

@test "kill -9: what was measured can be read" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 3 --max-seconds 60
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until test -s ws/r/journal.jsonl
    sleep 2
    kill -KILL $pid
    ends_with 137 $pid
    (($(records '"outcome":"ok"') > 3))
}

@test "the server dies: one sentence, exit 3, and what came before is kept" {
    start_simulator --preset instant --model tiny
    prepare --profile sweep --levels concurrent:1,2,3 --max-seconds 1
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until test -s ws/r/journal.jsonl
    sleep 0.5
    kill -KILL "$SIM_PID"
    ends_with 3 $pid
    grep -q 'could not be reached during the whole of level 1' log
    (($(records '"outcome":"ok"') > 0))
}

@test "a wrong key: the server's own words, exit 3" {
    printf right >key
    printf wrong >other
    start_simulator --preset instant --model tiny --api-key-file key
    prepare --api-key-file key --profile concurrent --rate 2 --max-seconds 2
    run_plan --api-key-file other
    assert_failure 3
    [[ $stderr == *"HTTP 401"* ]]
    run ! grep -rq right ws
}

@test "a file that may not grow: path, reason, exit 1, and the files can be read" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 8 --max-seconds 60
    run --separate-stderr bash -c "ulimit -f 64; exec timeout 100 '$ROIBENCH' run --workspace ws"
    assert_failure 1
    [[ $stderr == *ws/r/*"arge"* ]]
    (($(records '"outcome":"ok"') > 0))
}

@test "plans that cannot be run: exit 2 and what to do" {
    run_plan
    assert_failure 2
    [[ $stderr == *prepare* ]]
    mkdir -p ws/r
    echo r >ws/latest
    echo '{"schema":"roibench/plan/v1","run_id":"r","created":"x"}' >ws/r/plan.json
    run_plan
    assert_failure 2
    [[ $stderr == *"ws/r/plan.json: created: expected a date"* ]]
}

@test "a plan is run once" {
    start_simulator --preset instant --model tiny
    prepare --profile synchronous --max-requests 2
    run_plan
    assert_success
    run_plan
    assert_failure 2
    [[ $stderr == *"this plan was run"* ]]
}
