#!/usr/bin/env bats
# roibench summarize of two runs: what is told beside the measurements, and levels that took turns. The numbers: tests/golden/referee_comparison.py.

load support/simulator # setup and teardown too

# prepare ID OPTIONS...: a plan of the workspace ws on the simulator
prepare() {
    "$ROIBENCH" prepare --workspace ws --run-id "$1" --target "$SIM/v1" --prompt-tokens 32 --output-tokens 8 --profile concurrent --rate 1,2 \
        --max-requests 6 --gpus 1 --price-per-hour "${PRICE:-1}" "${@:2}" >/dev/null 2>&1
}

# two_runs OPTIONS...: a for 1 $, b for 2 $
two_runs() {
    start_simulator --preset instant
    PRICE=1 prepare a "$@"
    PRICE=2 prepare b "$@"
    timeout 60 "$ROIBENCH" run ws/a ws/b --interleave --quiet
}

summarize() {
    run --separate-stderr "$ROIBENCH" summarize --workspace ws "$@"
}

value() { # FILTER
    jq -c "$1" ws/comparisons/a-vs-b/comparison.json
}

# Their intervals are those of tests/golden/interleaved: on a busy machine a level may be invalid, and then is left out.
@test "levels that took turns are told, and ratios have no interval with fewer than three repeats" {
    two_runs --repeat 2
    summarize a b
    assert_success
    assert_output --partial 'The levels of a and b took turns: repeats are compared pair by pair.'
    assert_output --partial '## At the same load'
    assert_output --partial 'no interval is printed on a ratio of such figures'
    refute_output --partial 'from run to run'
    assert_equal "$(value '.runs[].run.pair_id' | sort -u)" '"a+b"'
    assert_equal "$(value '.roi.ratios.held.interval_95, .roi.rows[0].held.repeats')" $'{}\n1'
    rm -r ws/b
    prepare b
    "$ROIBENCH" run --workspace ws --run-id b --quiet
    summarize a b
    refute_output --partial 'took turns'
}

@test "the conclusion is two sentences, and what speaks against it comes before the ratio" {
    two_runs
    summarize a b
    assert_success
    # shellcheck disable=SC2016
    [[ $(value .conclusion) == *'times as many tokens a dollar as'*' for the price of one b serve'* ]]
    [[ ${lines[1]} == '**'*'.**' ]]
    sed -i 's/"scenario": *null/"scenario":"chat"/' ws/b/plan.json
    summarize a b
    [[ ${lines[1]} == '**Take this with care, for the runs were not measured alike'* ]]
}

@test "--quality is printed as supplied" {
    two_runs
    summarize a b --quality 'a=98.9 %' --quality-source 'a leaderboard, 2026'
    assert_success
    assert_line -- '- a: 98.9 % (a leaderboard, 2026)'
    assert_line -- '- b: not told'
    assert_equal "$(value '[.runs[].run | .quality, .quality_source]')" '["98.9 %","a leaderboard, 2026",null,null]'
    summarize a --quality a=0.989
    assert_line -- '- Quality:  0.989 (source not told), as supplied: it was not measured here'
    summarize a --quality-source nobody
    assert_failure 2
    [[ $stderr == *'--quality-source: there is no --quality'* ]]
    summarize a --quality a=
    assert_failure 2
    summarize a --quality $'a=\e[31m'
    assert_failure 2
    summarize a --quality c=1
    assert_failure 2
    [[ $stderr == *'--quality c=1: no run has this run-id, model or hardware; the first has the run-id a'* ]]
}

@test "--claim: a published figure is looked for among the levels" {
    two_runs
    summarize a b --claim a=1e9 --claim b=0.001
    assert_success
    # shellcheck disable=SC2016
    assert_line --partial -- '- 1000000000 tok/s per $/h, as published for a, is 1,000,000,000 tok/s at $1.00, which is more than any load gave: at most'
    # shellcheck disable=SC2016
    assert_line --partial -- 'as published for b, is 0 tok/s at $2.00, which is less than the lowest load gave: 1 stream'
    assert_line --partial 'they are not of one operating point'
    assert_equal "$(value '.roi.footnotes | length >= 3')" true
    summarize a --claim a=5
    assert_failure 2
    [[ $stderr == *'--claim: a published figure is looked for in a comparison'* ]]
    for bad in a=0 a=x a=-1 a=inf; do
        summarize a b --claim "$bad"
        assert_failure 2
    done
}

@test "--calls-per-turn: loads in conversations" {
    two_runs
    summarize a b --calls-per-turn 4
    assert_success
    assert_output --partial '## Where a turn makes 4 calls'
    assert_equal "$(value '.roi.rows[0].held | (.conversations | .calls_per_turn, .at_once * 4), .load' | xargs)" '4 2 2'
    assert_equal "$(value '.runs[0] | (.conversations[1].turns_per_s * 4 / .levels[1].request_rps * 1000 | round)')" 1000
    summarize a --calls-per-turn 0
    assert_failure 2
    summarize a --calls-per-turn 1
    refute_output --partial 'Where a turn makes'
}

# What docs/results/reference-roi.md shows; REFERENCE_PAGE=1 writes it anew.
@test "the reference's tables, their prices and what was published of them" {
    local data=$BATS_TEST_DIRNAME/../data page=$BATS_TEST_DIRNAME/../../docs/results/reference-roi.md
    summarize --import "levels-csv:$data/reference-int4.csv" --price reference-int4=0.85 --gpus reference-int4=1 --claim reference-int4=353 \
        --import "levels-csv:$data/reference-bf16.csv" --price reference-bf16=3.40 --gpus reference-bf16=4 --claim reference-bf16=206
    assert_success
    local comparison=ws/comparisons/reference-int4-vs-reference-bf16/comparison.json
    assert_equal "$(jq -c '[.roi.rows[] | [.peak, .broke, .held, .under_1s | .total_tps_per_usd_hour | round]]' "$comparison")" \
        '[[515,331,244,159],[204,174,129,47]]'
    assert_equal "$(jq -c '[.roi.rows[1] | .peak, .broke, .held, .under_1s | .best_to_this * 10 | round / 10]' "$comparison")" '[2.5,1.9,1.9,3.4]'
    assert_equal "$(jq -c '.roi.replicas[0] | [.replicas, (.broke, .held, .under_1s | .cheap_load, .dear_load)]' "$comparison")" '[4,32,20,20,15,12,5]'
    assert_equal "$(jq -c '[.runs[].points.breaking.text]' "$comparison")" '["(5, 8] streams","(15, 20] streams"]'
    {
        sed -n '1,/^<!-- written by/p' "$page"
        echo
        sed -n '3p' <<<"$output"
        echo
        sed -n '/^## What a dollar buys/,/^## Throughput against/p' <<<"$output" | sed '$d' | sed '$d'
    } >page.md
    [ -z "${REFERENCE_PAGE:-}" ] || cp page.md "$page"
    diff "$page" page.md
}
