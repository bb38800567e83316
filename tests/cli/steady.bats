#!/usr/bin/env bats
# What a run decides while it runs, and what summarize finds: the same from prepare to the report.

load support/simulator # setup and teardown too

prepare() {
    "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" "$@" 2>errors >/dev/null || {
        cat errors >&2
        return 1
    }
}

run_plan() {
    run --separate-stderr timeout 100 "$ROIBENCH" run --workspace ws "$@"
}

# of_summary FILTER: what jq finds in summary.json
of_summary() {
    "$ROIBENCH" summarize --workspace ws --format json,markdown >/dev/null 2>&1
    jq -r "$1" ws/r/summary.json
}

@test "--find breaking: the reference's levels, then single streams between the last that held and the first that broke" {
    start_simulator --preset l4-int4 --time-scale 20
    prepare --scenario stress --levels concurrent:1,3,5,8,10,15 --find breaking --refine 3 --max-seconds 30 --stream-start together
    run_plan
    assert_success
    run of_summary '.levels | map(.load) | join(" ")'
    assert_output --regexp '^1 3 5 8 6( 7)?$'
    run of_summary '.points.breaking | .held >= 5 and .broke <= 8 and .broke - .held == 1'
    assert_output true
    run of_summary '.notes | join(" ")'
    refute_output --partial 'never reached' # what was not needed is not missing
}

@test "--stop-when-saturated ends a level whose queue grows, and no other" {
    start_simulator --preset l4-int4 --time-scale 20 --max-num-seqs 4 # carries 1.2 a second
    prepare --levels poisson:0.2,4 --max-seconds 120 --drain 5 --stop-when-saturated
    run_plan
    assert_success
    run of_summary '.levels | map(.reason) | join(" ")'
    assert_output 'max_seconds saturated'
    run of_summary '.levels[1] | .window.level_end_s - .window.level_start_s | . >= 30 and . < 115'
    assert_output true
    run of_summary '[.levels[1].classes.ttft, .points.saturation.metric, .points.breaking.held, .points.breaking.broke] | map(tostring) | join(" ")'
    assert_output 'breaking growing_queue 0.2 4'
    grep -q 'queue grew' ws/r/report.md
}

@test "a ceiling of the run is said, and what was measured is kept and told as cut off" {
    start_simulator --preset instant
    prepare --levels constant:50,100 --prompt-tokens 32 --output-tokens 8 --max-seconds 20 --max-tokens-total 4000
    run_plan
    assert_success
    assert_regex "$stderr" 'has used its --max-tokens-total 4000 \(4,[0-9]{3} tokens of prompts and answers\) and ends here'
    run of_summary '.levels | map(.reason) | join(" ")'
    assert_output max_tokens_total
    grep -q 'cut off: the run had used its --max-tokens-total' ws/r/report.md
}

@test "a ceiling that leaves nothing to measure is an error of its own kind" {
    start_simulator --preset instant
    prepare --levels concurrent:1 --prompt-tokens 32 --output-tokens 8 --max-seconds 20 --max-usd 0.000001 --price-per-hour 1000000
    run_plan
    assert_failure 4
    assert_regex "$stderr" 'has used its --max-usd of .*not a single request ended.*prepare with a higher ceiling'
}

@test "--warmup auto and --cooldown auto: what was cut, and why" {
    start_simulator --preset instant
    prepare --profile constant --rate 200 --prompt-tokens 32 --output-tokens 8 --max-requests 300 --warmup auto --cooldown auto
    run_plan
    assert_success
    run of_summary '.levels[0].window | .warmup.rule, .cooldown.rule'
    assert_line --index 0 --regexp '^(mser5|half)$'
    assert_line --index 1 last_request
    grep -Eq '^- 200 req/s: (no )?warm-up .*MSER-5.*; (no )?cool-down' ws/r/report.md
}

@test "what is decided while the load runs is not for shards" {
    start_simulator --preset instant
    local option
    for option in '--find breaking' '--stop-when-saturated' '--min-requests 5' '--max-error-rate 5%' '--max-tokens-total 5000'; do
        rm -rf ws
        # shellcheck disable=SC2086
        prepare --levels poisson:1,2 --max-seconds 1 $option
        run_plan --shard 0/2 --start-at "$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)"
        assert_failure 2
        assert_regex "$stderr" "${option%% *}"
    done
}
