#!/usr/bin/env bats
# roibench summarize --import. The numbers in detail: tests/unit/import.

bats_load_library bats-support
bats_load_library bats-assert
load support/reports # assert_json
bats_require_minimum_version 1.5.0

setup() {
    W=$BATS_TEST_TMPDIR/workspace
    DATA=$BATS_TEST_DIRNAME/../data
    unset ROIBENCH_PRICE ROIBENCH_GPUS ROIBENCH_IMPORT
    mkdir -p "$W"
}

summarize() {
    run --separate-stderr "$ROIBENCH" summarize --workspace "$W" "$@"
}

@test "a table of levels is a run: reports in its own folder, nothing of it invented" {
    summarize --import "levels-csv:$DATA/reference-int4.csv"
    assert_success
    assert_line --regexp '^\| +5 streams \| +1,489 \| +54.4 \| +60.0 \| +18.4 \| +207.0 \| +103.5 \| +- \| +- \| +degraded'
    assert_line --regexp 'Breaking point: +\(5, 8\] streams'
    assert_line --partial 'derived, not measured: tpot_ms = (output_tokens x tpot_with_first - ttft)'
    local summary=$W/reference-int4/summary.json
    assert_json "$summary" '[.run.imported.format, .run.imported.files[0].name, .run.plan, .run.simulated, .run.target]' \
        '["levels-csv","reference-int4.csv",null,null,null]'
    assert_json "$summary" '.levels[2] | [.requests.members, .e2e_ms, .error_rate, .ttft_ms.p95, .ttft_ms.count, .server.queue_depth]' \
        '[null,null,null,1489,null,null]'
    assert_json "$summary" '.levels[2].derived | keys' '["output_tps","tpot_ms","ttft_censored_ms"]'
    assert_json "$summary" '[.levels[] | .missing["*"]] | unique' '["a table of levels does not tell it"]'
    assert_json "$W/reference-int4/manifest.json" '.files | has("summary.json")' true
}

# docs/metrics.md's last paragraph on ROI has these numbers.
@test "two tables and their prices: what a dollar buys" {
    summarize --import "levels-csv:$DATA/reference-int4.csv" --import "levels-csv:$DATA/reference-bf16.csv" \
        --price reference-int4=0.85 --gpus reference-int4=1 --price reference-bf16=3.40 --gpus reference-bf16=4
    assert_success
    assert_line --partial '4 x reference-int4 for the price of one reference-bf16 serve 20 against 15 streams'
    local comparison=$W/comparisons/reference-int4-vs-reference-bf16/comparison.json
    assert_json "$comparison" '[.roi.rows[] | [.peak, .broke, .held, .under_1s | .total_tps_per_usd_hour | round]]' \
        '[[515,331,244,159],[204,174,129,47]]'
    assert_json "$comparison" '.differences | length' 1
    assert_json "$comparison" '.differences[0] | startswith("not known to be alike")' true
}

@test "an imported run beside one that was measured" {
    cat >"$BATS_TEST_TMPDIR/run-a.csv" <<END
load,unit,prompt_tokens,output_tokens,ttft_p95_ms,tpot_with_first_p95_ms,total_tps
1,streams,10,11,90,50,20
END
    mkdir -p "$W/run-a"
    cp "$BATS_TEST_DIRNAME/../golden/sweep/quick/plan.json" "$W/run-a/"
    sed -i 's/"run_id": *"[^"]*"/"run_id": "run-a"/' "$W/run-a/plan.json"
    gzip -nc "$BATS_TEST_DIRNAME/../golden/sweep/quick/records.jsonl" >"$W/run-a/records.jsonl.gz"
    summarize run-a --import "levels-csv:$BATS_TEST_TMPDIR/run-a.csv"
    assert_success
    [[ $stderr == *"not known to be alike"* ]]
    assert_json "$W/comparisons/run-a-vs-run-a-imported/comparison.json" '[.runs[].run.run_id]' '["run-a","run-a-imported"]'
    summarize --import "levels-csv:$BATS_TEST_TMPDIR/run-a.csv" --import "levels-csv:$BATS_TEST_TMPDIR/run-a.csv"
    assert_success
    assert_json "$W/comparisons/run-a-imported-vs-run-a-imported-2/comparison.json" '.runs | length' 2
    assert [ ! -e "$W/run-a/summary.json" ]
}

@test "GuideLLM's report and vllm bench's beside each other" {
    summarize --import "guidellm:$DATA/import/guidellm-0.8.1-concurrent.json" --import "vllm-bench:$DATA/import/vllm-bench-0.32.json"
    assert_success
    assert_line --partial 'GuideLLM 0.8.1, guidellm-0.8.1-concurrent.json'
    local comparison=$W/comparisons/guidellm-0.8.1-concurrent-vs-vllm-bench-0.32/comparison.json
    assert_json "$comparison" '[.runs[].run.imported.tool]' '["GuideLLM 0.8.1","vllm bench"]'
    assert_json "$comparison" '[.differences[] | select(startswith("limits of a level differs"))] | length' 1
}

@test "what cannot be imported is named, with the line" {
    summarize --import "levels-csv:$DATA/nowhere.csv"
    assert_failure 2
    [[ $stderr == *"nowhere.csv"* ]]
    summarize --import excel:x.xls
    assert_failure 2
    [[ $stderr == *"formats are levels-csv, guidellm, vllm-bench"* ]]
    printf 'load,unit,ttft_p95_ms\n1,streams,fast\n' >"$BATS_TEST_TMPDIR/t.csv"
    summarize --import "levels-csv:$BATS_TEST_TMPDIR/t.csv"
    assert_failure 2
    [[ $stderr == *"t.csv: line 2: ttft_p95_ms: expected a number from 0 to 10^12, got fast"* ]]
    summarize --import "levels-csv:$DATA/reference-int4.csv,$DATA/reference-int4.csv"
    assert_failure 2
    [[ $stderr == *"the same bytes as reference-int4.csv, which is in this run already"* ]]
    printf 'load,unit\n1,streams\n' >"$BATS_TEST_TMPDIR/t.csv"
    summarize --import "levels-csv:$BATS_TEST_TMPDIR/t.csv"
    assert_failure
    [[ $stderr == *"t.csv: no level tells a request that ended, a TTFT or a throughput"* ]]
}

@test "elsewhere, as one format, with results for Tekton" {
    summarize --import "levels-csv:$DATA/reference-bf16.csv" --output-dir "$BATS_TEST_TMPDIR/out" --format json --tekton-results "$BATS_TEST_TMPDIR/results"
    assert_success
    assert [ -s "$BATS_TEST_TMPDIR/out/summary.json" ]
    assert [ ! -e "$W/reference-bf16" ]
    assert_equal "$(cat "$BATS_TEST_TMPDIR/results/breaking-point")" 15..20
    assert_equal "$(cat "$BATS_TEST_TMPDIR/results/max-throughput")" 694.0
}

@test "every format of every imported report is what other programs read, and no null is without a reason" {
    local file spec
    for file in "$DATA/reference-int4.csv" "$DATA"/import/*.json; do
        case ${file##*/} in
        *.csv) spec=levels-csv:$file ;;
        aiperf-*) spec=aiperf:$file,${file}l ;;
        *) spec=${file##*/} && spec=${spec%%-[0-9]*}:$file ;;
        esac
        rm -rf "$W/out"
        "$ROIBENCH" summarize --workspace "$W" --quiet --import "$spec" --format markdown,json,csv,html,yaml,junit --output-dir "$W/out" >/dev/null
        run -0 python3 "$BATS_TEST_DIRNAME/support/formats.py" imported "$W/out"
        assert_output --partial 'schema=1'
    done
}

# What GuideLLM can hold of a run, by our own writer of its reports: requests and their times to a millionth of a second.
@test "our GuideLLM reports say the same when they are imported" {
    local case format
    for case in sweep open-loop; do
        rm -rf "$W" "$BATS_TEST_TMPDIR/out"
        mapfile -t runs < <(python3 "$BATS_TEST_DIRNAME/support/formats.py" pack "$BATS_TEST_DIRNAME/../golden/$case" "$W")
        "$ROIBENCH" summarize --workspace "$W" --quiet --format json,guidellm,guidellm-0.6 --output-dir "$BATS_TEST_TMPDIR/out" "$W/${runs[0]}" >/dev/null
        for format in guidellm guidellm-0.6; do
            "$ROIBENCH" summarize --workspace "$W" --quiet --import "guidellm:$BATS_TEST_TMPDIR/out/$format.json" --format json \
                --output-dir "$BATS_TEST_TMPDIR/again" >/dev/null
            run jq --null-input --raw-output --slurpfile a "$BATS_TEST_TMPDIR/out/summary.json" --slurpfile b "$BATS_TEST_TMPDIR/again/summary.json" '
                def told: [.levels[] | .load, .unit, .requests, .errors, (.ttft_ms, .ttft_censored_ms, .e2e_ms, .tpot_ms, .tpot_with_first_ms |
                    .count, .mean, .p50, .p95, .max)];
                [($a[0] | told), ($b[0] | told)] | transpose | all(.[0] == .[1] or (map(type) == ["number", "number"] and
                    (.[0] - .[1] | fabs) < 0.001))'
            assert_output true
        done
    done
}
