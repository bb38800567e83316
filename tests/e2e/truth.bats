#!/usr/bin/env bats
# The simulator's truth against a packet capture: the time that it reads behind send() is the time when the packet left.
# Everything is in a network namespace of its own, so that nothing else is on lo.
# shellcheck disable=SC2016,SC2034,SC2154  # the inner shell expands; used by, or set by, bats and the files loaded here
load support

# measure NAME STREAMS SIMULATE_OPTIONS...: sets tokens, p50, p99, max, min (us)
measure() {
    local name=$1 streams=$2
    shift 2
    export CAPTURED=$BATS_TEST_TMPDIR/captured TRUTH=$BATS_TEST_TMPDIR/truth STREAMS=$streams OUT=$BATS_TEST_TMPDIR
    run unshare --net bash -euc '
        ip link set lo up
        "$ROIBENCH" simulate --quiet --listen 127.0.0.1:18000 --model tiny --truth-file "$TRUTH" "$@" &
        simulator=$!
        /usr/bin/python3 tests/e2e/capture.py take 18000 "$CAPTURED" >"$OUT/log" 2>&1 &
        capture=$!
        trap "kill $simulator $capture" EXIT
        for _ in {1..100}; do
            if grep -qs capturing "$OUT/log" && curl -sf http://127.0.0.1:18000/health; then break; fi
            sleep 0.1
        done
        "$ROIBENCH" prepare --workspace "$OUT/workspace" --target http://127.0.0.1:18000/v1 --profile concurrent \
            --rate "$STREAMS" --warmup 0 --prompt-tokens 32 --output-tokens 100 --max-requests $((2 * STREAMS)) >"$OUT/log-run"
        "$ROIBENCH" run --workspace "$OUT/workspace" >>"$OUT/log-run" 2>&1
        trap - EXIT
        kill $simulator
        wait $simulator || true
        kill $capture
        wait $capture
    ' bash "$@" 3>&-
    assert_success
    run /usr/bin/python3 tests/e2e/capture.py compare "$CAPTURED" "$TRUTH"
    assert_success
    read -r tokens p50 p99 max min <<<"$output"
    echo "# $name: $tokens tokens; the truth is later than the packet by $p50 us (p50), $p99 (p99), $max (max), $min (min)" >&3
}

# is NUMBER OPERATOR NUMBER
is() { awk -v a="$1" -v b="$3" "BEGIN { exit !(a $2 b) }"; }

@test "one stream: the truth is the time when the packet left" {
    measure "1 stream" 1 --preset l4-int4 --time-scale 10
    is "$tokens" '>=' 200
    is "$min" '>' -20 # not before it; the two clocks were read one after the other at the start
    is "$p50" '<' 200
}

@test "32 streams: every token of a step has its own time" {
    measure "32 streams" 32 --preset l4-int4 --time-scale 5
    is "$tokens" '>=' 6400
    is "$min" '>' -20
    is "$p50" '<' 200
    is "$p99" '<' 5000
}

@test "eight tokens a write: the time is that of the write" {
    measure "instant, 32 streams" 32 --preset instant
    is "$tokens" '>=' 6400
    is "$min" '>' -20
    is "$p50" '<' 200
}
