#!/usr/bin/env bats
# numpy and scipy compute every number of a run anew: percentiles are the very samples, moments and rates agree to 1e-9.
# shellcheck disable=SC2154  # set by bats and the file loaded here
load support

teardown() {
    stop_process simulator
}

# measure SIMULATOR_OPTION... -- PREPARE_OPTION...: a run on the simulator, summarized; leaves its folder in $folder.
measure() {
    local port simulator=()
    while [[ $1 != -- ]]; do
        simulator+=("$1")
        shift
    done
    shift
    port=$(free_port)
    start_process simulator "$ROIBENCH" simulate --model tiny --listen "127.0.0.1:$port" "${simulator[@]}"
    wait_for simulator 30 answers "http://127.0.0.1:$port/sim/truth"
    folder=$(prepare_run "$BATS_TEST_TMPDIR/ws" --target "http://127.0.0.1:$port/v1" --prompt-tokens 64 --output-tokens 32 "$@")
    "$ROIBENCH" run --workspace "$BATS_TEST_TMPDIR/ws" --quiet
    "$ROIBENCH" summarize --workspace "$BATS_TEST_TMPDIR/ws" --quiet >"$BATS_TEST_TMPDIR/report"
    stop_process simulator
}

assert_agrees() {
    run -0 "$E2E_CACHE/venv-statistics/bin/python" "$BATS_TEST_DIRNAME/statistics_referee.py" "$folder"
    echo "# $output" >&3
    assert_output --partial "percentiles 0 ("
    assert_output --partial "their intervals 0 ("
}

@test "streams, with a warm-up, repeats and requests that fail" {
    measure --preset l4-int4 --time-scale 20 --fault status=503:rate=0.03 --fault stall:rate=0.02 -- \
        --levels concurrent:2,8,24 --max-seconds 60 --warmup 10% --repeat 2 --stall-timeout 20s
    assert_agrees
}

@test "an open loop, several tokens at a time" {
    measure --preset l4-int4 --time-scale 20 --stream-interval 3 -- --profile poisson --rate 1,4 --max-seconds 90
    assert_agrees
}

@test "real time, to the nanosecond" {
    measure --preset instant -- --levels concurrent:4,16 --max-seconds 4
    assert_agrees
}
