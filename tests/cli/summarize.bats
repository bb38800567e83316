#!/usr/bin/env bats
# roibench summarize, on run folders made by hand. The numbers in detail: tests/unit/stats/summary_test.c.

bats_load_library bats-support
bats_load_library bats-assert
load support/run_folder # make_run
load support/reports # assert_json
bats_require_minimum_version 1.5.0

setup() {
    unset ROIBENCH_PRICE ROIBENCH_GPUS
    W=$BATS_TEST_TMPDIR/workspace
    make_run run-a 100 0.85
    echo run-a >"$W/latest"
}

summarize() {
    run --separate-stderr "$ROIBENCH" summarize --workspace "$W" "$@"
}

@test "the current run: files in its folder, the report on stdout, their names on stderr" {
    summarize
    assert_success
    [ "$output" = "$(cat "$W/run-a/report.md")" ]
    [[ $stderr == *"wrote $W/run-a/summary.json"* ]]
    assert_line --regexp '^\| 1 streams \| +100 \| +50.0 \| +54.5 \| +20.0 \| +21.0 \| +11.0 \| +10 \| +0 % \|'
    assert_line --regexp 'Breaking point: +\(1, 2\] streams: TTFT p95 > 2 s'
    assert_json "$W/run-a/summary.json" '.run.run_id, .levels[0].ttft_ms.p95, .levels[0].user_tps, .levels[1].classes.ttft' \
        '"run-a"
100
20
"breaking"'
    assert_json "$W/run-a/summary.json" '.points.breaking | [.held, .broke, .metric]' '[1,2,"ttft"]'
    [ "$(wc -l <"$W/run-a/summary.csv")" -eq 3 ]
    assert_json "$W/run-a/manifest.json" '.steps[-1].step, (.files | has("summary.json"))' '"summarize"
true'
}

@test "throughput from ticks where there are no token gaps; what is missing is null with a reason" {
    summarize --quiet
    assert_success
    assert_json "$W/run-a/summary.json" '.levels[0] | [.output_tps, .total_tps, .itl_ms, .missing.itl_ms]' \
        '[11,21,null,"there is no tokens.bin.gz"]'
    assert_json "$W/run-a/summary.json" '.levels[0].server.queue_depth, .levels[0].classes.queue_depth, .run.gpus' 'null
null
null'
}

@test "summarized again, every byte is the same" {
    summarize --quiet
    assert_success
    cp -r "$W/run-a" "$BATS_TEST_TMPDIR/before"
    summarize --quiet
    assert_success
    for file in summary.json report.md report.html summary.csv; do
        cmp "$W/run-a/$file" "$BATS_TEST_TMPDIR/before/$file"
    done
}

@test "--format and --output-dir" {
    summarize --format json --output-dir "$BATS_TEST_TMPDIR/out"
    assert_success
    run ls "$BATS_TEST_TMPDIR/out"
    assert_output summary.json
    [ ! -e "$W/run-a/summary.json" ]
}

@test "report.html has the verdict, the charts and every table, and asks the network for nothing" {
    sed -i 's#"model-run-a"#"<script>alert(1)</script>"#' "$W/run-a/plan.json"
    summarize --quiet
    assert_success
    local page=$W/run-a/report.html
    grep -q '<p><strong>Run 1 stream.* in production' "$page"
    (($(grep -c '<svg' "$page") >= 3))
    # the report's tables, and each chart's own
    assert_equal "$(grep -c '<table>' "$page")" $(($(grep -cE '^\| :?-+' "$W/run-a/report.md") + $(grep -c '<details>' "$page")))
    grep -q '&lt;script&gt;alert(1)' "$page"
    run ! grep -q '<script>alert' "$page"
    run ! grep -qE '(src|href)=|url\(|@import' "$page"
    (($(stat -c %s "$page") < 1000000))
}

@test "--price and --gpus replace what the plan says" {
    summarize --quiet --price model-run-a=1.5 --gpus run-a=4
    assert_success
    assert_json "$W/run-a/summary.json" '[.run.price_per_hour, .run.gpus, .run.price_source]' '[1.5,4,"--price"]'
    summarize --price nobody=1
    assert_failure 2
    [[ $stderr == *"--price nobody=1: no run has this run-id, model or hardware"* ]]
    summarize --gpus run-a=0
    assert_failure 2
}

@test "--slo: goodput, the share that met every goal, and up to which load" {
    summarize --quiet
    assert_json "$W/run-a/summary.json" '[.run.objectives, .levels[0].goodput_rps, .levels[0].goodput_share, .levels[0].missing.goodput_rps]' \
        '[null,null,null,"no objectives were given (--slo)"]'
    refute_output --partial 'Goals'
    summarize --quiet --slo ttft=10s,e2e=1m
    assert_success
    assert_output --partial 'Goals:    ttft at most 10000 ms and e2e at most 60000 ms'
    assert_json "$W/run-a/summary.json" '[.levels[].goodput_share] | unique' '[1]'
    assert_json "$W/run-a/summary.json" '[.run.plan.slo, (.points.capacity_at_sla.slo | has("load"))]' '[{"ttft_ms":10000,"e2e_ms":60000},true]'
    summarize --quiet --slo ttft=1ms
    assert_success
    assert_output --partial 'none: 0 % of the requests met all objectives at'
    assert_json "$W/run-a/summary.json" '[.levels[].goodput_rps] | unique' '[0]'
    summarize --slo ttft=1000
    assert_failure 2
    [[ $stderr == *"--slo: ttft: '1000' is no time with a unit, as in 1000ms or 1s"* ]]
}

@test "intervals: of every level by blocks, over repeats where there are some; totals of the run" {
    summarize --quiet
    assert_success
    assert_output --partial 'How sure are these numbers?'
    assert_json "$W/run-a/summary.json" '[.levels[] | .interval_95.request_rps | .low <= .high] | all' true
    assert_json "$W/run-a/summary.json" '.totals.requests.ok == ([.levels[].requests.ok] | add)' true
    assert_json "$W/run-a/summary.json" '.repeats' '[]'
}

@test "two runs make a comparison" {
    make_run run-b 400 3.40
    summarize run-a "$W/run-b"
    assert_success
    assert_output --partial '4 x model-run-a for the price of one model-run-b'
    assert_output --partial 'The workloads are equal.'
    assert_output --partial 'no interval is printed on a ratio'
    local folder=$W/comparisons/run-a-vs-run-b
    [ "$output" = "$(cat "$folder/report.md")" ]
    assert_json "$folder/comparison.json" '[.runs[].run.run_id]' '["run-a","run-b"]'
    assert_json "$folder/comparison.json" '.roi.rows | map(.held.best_to_this)' '[1,4]'
    [ "$(wc -l <"$folder/comparison.csv")" -eq 5 ]
    [ -s "$folder/manifest.json" ]
    run python3 - "$folder" <<'PYTHON' # a row has what its run's pair with the dearest says in comparison.json
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1] + "/comparison.csv")))
pair, = json.load(open(sys.argv[1] + "/comparison.json"))["roi"]["replicas"]
assert [row["replicas"] for row in rows] == ["4", "4", "", ""], rows
assert [row["dearest"] for row in rows] == ["model-run-b", "model-run-b", "", ""]
assert [row["replicas_load"] for row in rows[:2]] == ["4", "8"]
assert float(rows[1]["replicas_total_tps"]) == 4 * float(rows[1]["total_tps"])
print(sorted(pair))
PYTHON
    assert_success
    run "$ROIBENCH" publish --workspace "$W" --quiet --comparison run-a-vs-run-b
    assert_success
}

@test "the same run twice is no comparison" {
    summarize run-a run-a
    assert_failure 2
    [[ $stderr == *"the run run-a is given twice"* ]]
}

@test "Tekton results" {
    summarize --quiet --tekton-results "$BATS_TEST_TMPDIR/results"
    assert_success
    cd "$BATS_TEST_TMPDIR/results"
    [ "$(cat breaking-point)" = 1..2 ]
    [ "$(cat report-path)" = "$W/run-a/report.md" ]
    [ "$(cat ttft-p95-ms)" = 100 ]
    [ "$(cat max-throughput)" = 21.0 ]
    [ "$(cat ./* | wc -c)" -le 2500 ]
}

@test "Tekton results: the report's path is a file that was written, and fits or is left out; the report comes first" {
    summarize --quiet --format csv,json --tekton-results "$BATS_TEST_TMPDIR/results"
    assert_success
    [ "$(cat "$BATS_TEST_TMPDIR/results/report-path")" = "$W/run-a/summary.json" ]
    local long
    long=$BATS_TEST_TMPDIR/$(printf 'x%.0s' {1..120})/$(printf 'y%.0s' {1..120})
    rm -r "$BATS_TEST_TMPDIR/results"
    summarize --output-dir "$long" --tekton-results "$BATS_TEST_TMPDIR/results"
    assert_success
    [[ $stderr == *"a Tekton result holds 256: no report-path"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/results/report-path" ]
    [ "$(cat "$BATS_TEST_TMPDIR/results/breaking-point")" = 1..2 ]
    summarize --quiet --tekton-results /proc/x
    assert_failure 1
    [[ $stderr == *"--tekton-results: cannot make the folder /proc/x"* ]]
    assert_output --partial 'Breaking point'
}

@test "Tekton results of a single load: it is no sweep and has no points" {
    gzip -dc "$W/run-a/records.jsonl.gz" | grep -vE '"level":1,|"level_end":\{"index":1,' | gzip -n >"$W/run-a/new"
    mv "$W/run-a/new" "$W/run-a/records.jsonl.gz"
    summarize --quiet --tekton-results "$BATS_TEST_TMPDIR/results"
    assert_success
    [ "$(cat "$BATS_TEST_TMPDIR/results/breaking-point")" = none ]
    [ "$(cat "$BATS_TEST_TMPDIR/results/saturation-point")" = none ]
    [ "$(cat "$BATS_TEST_TMPDIR/results/ttft-p95-ms")" = 100 ]
}

@test "not a single request ended: 4" {
    gzip -dc "$W/run-a/records.jsonl.gz" | head -n 1 | gzip -n >"$W/run-a/new"
    mv "$W/run-a/new" "$W/run-a/records.jsonl.gz"
    summarize
    assert_failure 4
    [[ $stderr == *"not a single request ended"* ]]
    [ ! -e "$W/run-a/summary.json" ]
}

@test "a run that is not there, and one without records" {
    summarize run-x
    assert_failure 2
    [[ $stderr == *"there is no run run-x"* ]]
    rm "$W/run-a/records.jsonl.gz"
    summarize
    assert_failure
    [[ $stderr == *records.jsonl.gz* ]]
}

@test "records that were cut off are summarized, and the report says so" {
    head -c -20 "$W/run-a/records.jsonl.gz" >"$W/run-a/new"
    mv "$W/run-a/new" "$W/run-a/records.jsonl.gz"
    summarize --quiet
    assert_success
    assert_output --partial 'records.jsonl.gz was cut off: what was whole is counted'
}

@test "time stamps later than the kernel's are told, records that held requests back make a level suspect" {
    end() { # LEVEL STAMP_DELAY_NS RECORD_STALL_NS
        echo "{\"level_end\":{\"index\":$1,\"repeat\":0,\"stamp_delay_ns\":{\"p50\":1,\"p99\":$2,\"max\":$2},\"record_stall_ns\":$3,\"reason\":\"max_seconds\"}}"
    }
    { end 0 1000001000 100000000; end 1 900000 200000000; } >>"$W/run-a/journal.jsonl"
    run -0 "$ROIBENCH" summarize --workspace "$W"
    run -0 jq --raw-output '.levels[0].validity.reasons[]' "$W/run-a/summary.json"
    assert_output --regexp "time stamps were later than the kernel's by 1000.00 ms \(p99\) > [0-9.]+ ms"
    refute_output --partial 'nothing new was sent'
    run -0 jq --raw-output '.levels[1].validity.reasons[]' "$W/run-a/summary.json"
    assert_line 'nothing new was sent for 0.2 s, for the disk did not take the records: less load than asked'
    refute_output --partial 'time stamps'
}

# ---- files that are lost, or were cut off ----

# lost FILTER...: run-a's summary through jq
lost() {
    assert_json "$W/run-a/summary.json" "$@"
}

@test "tokens that are not on disk are not 0: ticks take their place, or the throughput is not known" {
    : >"$W/run-a/tokens.bin.gz" # of a run whose tokens never reached the disk
    summarize --quiet
    assert_success
    assert_line '- tokens.bin.gz tells of 0 of 20 requests: in 2 levels where some are lost throughput is rounded to the ticks of journal.jsonl; itl and arrival gaps are of the others'
    lost '.levels[0] | [.output_tps, .total_tps, .itl_ms, .missing.itl_ms]' '[11,21,null,"tokens.bin.gz tells of 0 of 10 requests"]'
    sed -i '/"t":\(2\|3\).000000000/d' "$W/run-a/journal.jsonl" # nothing of the second level
    summarize --quiet
    assert_line --partial 'Run 1 stream in production'
    lost '[.levels[].output_tps], .levels[1].missing.output_tps' '[11,null]
"tokens.bin.gz tells of 0 of 10 requests, and journal.jsonl has no ticks of this level"'
}

@test "with neither tokens nor ticks, the verdict says that throughput is what is missing" {
    rm "$W/run-a/journal.jsonl"
    summarize --quiet --slo ttft=10s
    assert_success
    assert_line '**No tested load can be advised for production (none: the throughput of the loads that meet it is not known).'\
' Requests were answered, but how many tokens a second came is not known: neither tokens.bin.gz nor ticks in journal.jsonl.**'
    refute_output --partial 'Not one request brought a token'
    assert_line '- of 2 of 2 levels journal.jsonl does not tell how late and how busy the client was: nobody knows whether it kept up'
    summarize --quiet --fail-on breaking # what is not known opens no gate
    assert_failure 5
}

@test "records that end before their levels did are said, and no run that was cut off" {
    zcat "$W/run-a/records.jsonl.gz" | sed -n '1,5p' | gzip -n >"$BATS_TEST_TMPDIR/short"
    mv "$BATS_TEST_TMPDIR/short" "$W/run-a/records.jsonl.gz"
    for level in 0 1; do
        echo "{\"level_start\":{\"index\":$level,\"repeat\":0,\"start\":$((1 + 20 * level))000000000}}"
        echo "{\"level_end\":{\"index\":$level,\"repeat\":0,\"lag_ns\":{\"p99\":1000},\"reason\":\"max_seconds\"}}"
    done >>"$W/run-a/journal.jsonl"
    summarize --quiet
    assert_success
    assert_line --partial 'suspect: cut off: the records end before this level did, by its journal; at 1 streams'
    assert_line '- the level of 2 streams has lost its records: the journal tells of it'
    refute_output --partial 'the run was cut off'
}

@test "TTFT by turn, of a run with conversations only" {
    summarize --quiet
    refute_output --partial 'by turn'
    lost '.levels[0] | has("turns")' false
    # the second turn of each conversation waits 50 ms longer for its first token
    zcat "$W/run-a/records.jsonl.gz" | jq -c 'if .id then .turn = .i % 2 | .conversation = (.i / 2 | floor)
        | if .turn == 1 then .first_token += 50000000 else . end else . end' | gzip -n >"$BATS_TEST_TMPDIR/turns"
    mv "$BATS_TEST_TMPDIR/turns" "$W/run-a/records.jsonl.gz"
    summarize --quiet
    assert_success
    assert_line '## TTFT by turn of a conversation'
    assert_line --regexp '^\| 1 streams \| +1 \| +5 \| +100 \| +100 \|$'
    assert_line --regexp '^\| 1 streams \| +2 \| +5 \| +150 \| +150 \|$'
    lost '.levels[0].turns | map([.turn, .requests, .no_first_token, .ttft_p50_ms, .ttft_p95_ms])' '[[0,5,0,100,100],[1,5,0,150,150]]'
}
