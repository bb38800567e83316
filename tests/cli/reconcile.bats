#!/usr/bin/env bats
# The server's word beside ours, of real runs against the simulator. The cases in detail: tests/unit/stats/reconcile_test.c.

load support/simulator

measure() { # PREPARE-OPTION...
    run --separate-stderr "$ROIBENCH" prepare --workspace ws --target "$SIM/v1" --profile concurrent --max-seconds 40 --prompt-tokens 24 --output-tokens 16 --quiet "$@"
    assert_success
    FOLDER=ws/$output
    run --separate-stderr "$ROIBENCH" run --workspace ws --quiet
    assert_success
    run --separate-stderr "$ROIBENCH" summarize --workspace ws --quiet
    assert_success
}

reconciled() { # WHAT, of the first level: agreement
    jq --raw-output ".levels[0].server.reconciled[] | select(.what == \"$1\") | .agreement" "$FOLDER/summary.json"
}

@test "requests and tokens are the same to the token, and no mean differs" {
    start_simulator --preset l4-int4 --time-scale 20
    measure --rate 3
    assert_line '## The server'"'"'s own word'
    assert_equal "$(reconciled requests)" agrees
    jq --exit-status '.levels[0].server.reconciled | map(select(.over == "level" and (.what | test("tokens")))) | length == 2 and
        all(.agreement != "differs" and (.server - .client | fabs) <= 3 * 40)' "$FOLDER/summary.json"
    jq --exit-status '.levels[0].server.sums | .ttft_mean_ms > 30 and .e2e_mean_ms > 100 and .queue_time_mean_ms >= 0 and .preemptions == 0' "$FOLDER/summary.json"
    jq --exit-status '.timeline | (.running | max) >= 1 and (.ttft_p50_ms | length) == (.start_s | length)' "$FOLDER/summary.json"
}

@test "somebody else's requests are found, and make the level suspect" {
    start_simulator --preset l4-int4 --time-scale 20
    # Six at a time, until the run is over.
    (trap 'exit 0' TERM
        while :; do
            for _ in 1 2 3 4 5 6; do
                curl --silent --max-time 5 "$SIM/v1/completions" --json '{"model":"'"$(curl --silent "$SIM/v1/models" | jq --raw-output '.data[0].id')"'","prompt":"a b c","max_tokens":20}' >/dev/null &
            done
            wait
        done) 3>&- &
    SIM_PIDS+=($!)
    measure --rate 2
    jq --exit-status '.levels[0].validity | .verdict != "valid" and any(.reasons[]; test("the server had traffic beside ours: .* requests .* that are not ours"))' \
        "$FOLDER/summary.json"
    assert_output --partial 'other traffic'
    assert_equal "$(reconciled requests)" differs
}

@test "several targets are one server to the report" {
    start_simulator --preset l4-int4 --time-scale 20
    local first=$SIM
    start_simulator --preset l4-int4 --time-scale 20
    measure --rate 4 --target "$first/v1"
    assert_equal "$(reconciled requests)" agrees
    jq --exit-status '.levels[0].server | .queue_depth.covered > 0.9 and .running.mean > 1' "$FOLDER/summary.json"
    assert_equal "$(zcat "$FOLDER/metrics.jsonl.gz" | jq --slurp --compact-output 'map(.target) | unique')" '[0,1]'
}
