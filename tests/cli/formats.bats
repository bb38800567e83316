#!/usr/bin/env bats
# Every report format of every golden case, looked at by other programs: support/formats.py.

bats_load_library bats-support
bats_load_library bats-assert
load support/run_folder # make_run
bats_require_minimum_version 1.5.0

readonly all=markdown,json,csv,html,yaml,junit,guidellm,guidellm-0.6

setup() {
    W=$BATS_TEST_TMPDIR/workspace
    GOLDEN=$BATS_TEST_DIRNAME/../golden
    OUT=$BATS_TEST_TMPDIR/out
}

formats() {
    python3 "$BATS_TEST_DIRNAME/support/formats.py" "$@"
}

@test "every format of every golden case is what other programs read" {
    local case
    for case in "$GOLDEN"/*/; do
        rm -rf "$W" "$OUT"
        mapfile -t runs < <(formats pack "$case" "$W")
        ((${#runs[@]} > 0))
        "$ROIBENCH" summarize --workspace "$W" --quiet --format "$all" --output-dir "$OUT" "${runs[@]/#/$W/}" >/dev/null
        formats check "${case%/}" "$OUT"
        (($(stat -c %s "$OUT/report.html") < 1000000))
    done
}

@test "the schemas name every member, and allow no other" {
    "$ROIBENCH" summarize --workspace "$W" --quiet --import "levels-csv:$BATS_TEST_DIRNAME/../data/reference-int4.csv" --output-dir "$OUT" >/dev/null
    "$ROIBENCH" summarize --workspace "$W" --quiet --import "levels-csv:$BATS_TEST_DIRNAME/../data/reference-int4.csv" \
        --import "levels-csv:$BATS_TEST_DIRNAME/../data/reference-bf16.csv" --calls-per-turn 3 --output-dir "$OUT" >/dev/null
    local n
    for n in 1 2 3 4 5 6 7 8 9 10; do # a step after five nights: a trend has all its members then
        MODEL=m DATE=$(printf '2026-11-%02d' "$n") make_run "night-$n" $((n <= 5 ? 100 : 200)) 0.85
        "$ROIBENCH" summarize --workspace "$W" --quiet --baseline previous "$W/night-$n" >/dev/null
    done
    rm "$W/night-9/records.jsonl.gz" # judged by other classes, and cannot be judged again
    "$ROIBENCH" summarize --workspace "$W" --quiet --baseline night-9 --sla "$BATS_TEST_DIRNAME/../../docs/sla-example.yaml" "$W/night-10" >/dev/null
    make_run turns 100 0.85
    zcat "$W/turns/records.jsonl.gz" | sed -E 's/"i":([0-9]+),/&"conversation":0,"turn":\1,/' | gzip -n >"$W/turns/new"
    mv "$W/turns/new" "$W/turns/records.jsonl.gz"
    "$ROIBENCH" summarize --workspace "$W" --quiet "$W/turns" >/dev/null
    run -0 formats schemas "$GOLDEN"/*/ "$OUT/summary.json" "$OUT/comparison.json" "$W"/night-*/summary.json "$W/turns/summary.json"
    assert_output ''
}

@test "Tekton results of every golden case fit, each and all together" {
    local case result
    for case in "$GOLDEN"/*/; do
        rm -rf "$W" "$OUT"
        mapfile -t runs < <(formats pack "$case" "$W")
        "$ROIBENCH" summarize --workspace "$W" --quiet --format json --output-dir "$OUT" --tekton-results "$OUT/results" "${runs[@]/#/$W/}" >/dev/null
        if ((${#runs[@]} == 1)); then
            assert_equal "$(find "$OUT/results" -type f -printf '%f\n' | sort | tr '\n' ' ')" \
                'breaking-point max-throughput report-path saturation-point sla sla-bounds sweet-spot throughput-at-sla ttft-p95-ms usd-per-million-tokens verdict '
        fi
        for result in "$OUT/results"/*; do
            (($(stat -c %s "$result") <= 256 && $(stat -c %s "$result") > 0))
        done
        (($(cat "$OUT/results"/* | wc -c) <= 2500))
    done
}

@test "a format of single requests has no form for several runs: said, and nothing is written" {
    mapfile -t runs < <(formats pack "$GOLDEN/comparison" "$W")
    run -0 --separate-stderr "$ROIBENCH" summarize --workspace "$W" --format guidellm --output-dir "$OUT" --tekton-results "$OUT/results" \
        "${runs[@]/#/$W/}"
    [[ $stderr == *"--format guidellm: it has no form for several runs"* ]]
    [ ! -e "$OUT/guidellm.json" ]
    [ ! -e "$OUT/results/report-path" ]
}
