#!/usr/bin/env bats
# SLA classes of one's own: prepare --sla, a model file's sla, summarize --sla, and runs that were made for different ones.

load support/simulator # setup and teardown too
load support/run_folder # make_run
load support/reports # assert_json

EXAMPLE=$BATS_TEST_DIRNAME/../../docs/sla-example.yaml

prepare() {
    run --separate-stderr timeout 60 "$ROIBENCH" prepare --workspace ws --target "$SIM/v1" --max-seconds 1 "$@"
}

summarize() {
    run --separate-stderr "$ROIBENCH" summarize --workspace "$W" "$@"
}

classes() { # FILE TTFT_MS: the ends of excellent, acceptable and degraded
    printf 'schema: roibench/sla/v1\nttft_ms: {excellent: %s, acceptable: %s, degraded: %s}\n' "${@:2}" >"$1"
}

@test "prepare keeps them in the plan, run looks at nothing else, and summarize judges by them" {
    start_simulator --preset instant --model tiny
    prepare --sla "$EXAMPLE" --profile concurrent --rate 2 --run-id mine
    assert_success
    assert_json ws/mine/plan.json '.sla | [.name, .source, .ttft_ms.degraded, .user_tps.acceptable, .kv_cache.degraded, .error_rate.acceptable]' \
        '["interactive chat","sla-example.yaml (--sla of prepare)","<= 1500","> 15","<= 0.95","<= 0.005"]'
    run -0 timeout 60 "$ROIBENCH" run --workspace ws --quiet
    run -0 "$ROIBENCH" summarize --workspace ws --quiet --format json,csv,html,junit,yaml --tekton-results results
    assert_line --partial 'Classes:  by interactive chat, of sla-example.yaml (--sla of prepare)'
    assert_line --regexp '^\| TTFT p95 +\| +< 300 ms \| +\[300 ms, 800 ms\) \| +\[800 ms, 1.5 s\] \| +> 1.5 s \|'
    assert_json ws/mine/summary.json '.sla | [.source, .ttft_ms.excellent, .queue_depth.degraded]' '["sla-example.yaml (--sla of prepare)","< 300","<= 5"]'
    assert_equal "$(<results/sla)" 'interactive chat, of sla-example.yaml (--sla of prepare)'
    [[ $(<results/sla-bounds) == 'TTFT p95 < 300 ms, < 800 ms, <= 1.5 s; user speed > 40 tok/s, > 15 tok/s, >= 8 tok/s; '* ]]
    grep -q 'name="sla" value="interactive chat, of sla-example.yaml' ws/mine/junit.xml
    grep -q 'TTFT p95 &lt; 800 ms up to' ws/mine/report.html
    [[ $(head -n 1 ws/mine/summary.csv) == *,sla,bounds_ttft,* ]]
}

@test "a plan shows them; without any there are none in it" {
    start_simulator --preset instant --model tiny
    prepare --sla "$EXAMPLE" --dry-run
    assert_success
    assert_line --regexp 'classes +interactive chat, of sla-example.yaml \(--sla of prepare\)'
    prepare --run-id plain
    assert_json ws/plain/plan.json '.sla' null
}

@test "a model's file has them; --sla goes before it" {
    start_simulator --preset instant --model tiny
    mkdir models
    echo '{"schema":"roibench/model/v1","sla":{"name":"batch","ttft_ms":{"excellent":5000,"acceptable":20000,"degraded":60000}}}' >models/tiny.json
    prepare --models models --model tiny --run-id of-model
    assert_success
    assert_json ws/of-model/plan.json '.sla | [.name, .source, .ttft_ms.excellent]' "[\"batch\",\"tiny.json (the model's file)\",\"< 5000\"]"
    prepare --models models --model tiny --sla "$EXAMPLE" --run-id of-option
    assert_json ws/of-option/plan.json '.sla.name' '"interactive chat"'
    echo '{"schema":"roibench/model/v1","sla":{"ttft_ms":{"excellent":5000,"acceptable":200,"degraded":60000}}}' >models/tiny.json
    prepare --models models --model tiny
    assert_failure 2
    [[ $stderr == *"models/tiny.json: sla.ttft_ms.acceptable: expected more than 5000, the bound of excellent; got 200"* ]]
}

@test "summarize --sla judges by others than the plan's, and says so" {
    W=$BATS_TEST_TMPDIR/w
    make_run run-a 400 0.85
    classes lax.yaml 500 2000 4000
    summarize --quiet run-a --fail-on breaking
    assert_line --partial 'Run 1 stream in production'
    assert_line --regexp 'Breaking point: +\(1, 2\] streams: TTFT p95 > 2 s'
    summarize --quiet run-a --sla lax.yaml
    assert_success
    assert_line --partial "Classes:  by lax.yaml (--sla of summarize), not the plan's: roibench's default bounds"
    assert_line --regexp 'Breaking point: +> 2 streams'
    assert_line --regexp 'Saturation point: +\(1, 2\] streams: median TTFT > 2 s'
    assert_line --regexp 'TTFT p95 <= 4 s up to: +1 streams'
    assert_json "$W/run-a/summary.json" '[.levels[].classes.ttft], .run.plan.sla' '["excellent","degraded"]
null'
    classes strict.yaml 100 200 300
    summarize --quiet run-a --sla strict.yaml --fail-on breaking
    assert_failure 5
}

@test "runs of different classes: said before any ratio, judged by the same; those of --sla, where given" {
    W=$BATS_TEST_TMPDIR/w
    make_run run-a 400 0.85
    make_run run-b 600 0.85
    sed -i 's/"seed": 1,/"sla": {"name": "strict", "source": "s.yaml (--sla of prepare)", "ttft_ms": {"excellent": 100, "acceptable": 200, "degraded": 500}}, &/' \
        "$W/run-b/plan.json"
    summarize run-a run-b
    assert_success
    [[ $stderr == *"The plans have different SLA classes: run-a by roibench's default bounds, run-b by strict, of s.yaml (--sla of prepare). "* ]]
    [[ ${output%%## What a dollar buys*} == *"Here all runs are judged by the same: roibench's default bounds."* ]]
    assert_json "$W/comparisons/run-a-vs-run-b/comparison.json" '[.runs[].levels[0].classes.ttft], [.runs[].sla.source]' '["excellent","acceptable"]
[null,null]'
    classes lax.yaml 500 2000 4000
    summarize --quiet run-a run-b --sla lax.yaml
    assert_line --partial 'Here all runs are judged by the same: lax.yaml (--sla of summarize).'
    assert_line --regexp '^\| TTFT p95 < 2 s +\| model-run-a'
    assert_json "$W/comparisons/run-a-vs-run-b/comparison.json" '[.runs[].sla.source] | unique' '["lax.yaml (--sla of summarize)"]'
    summarize --quiet run-b # alone it is judged by what it was made for
    assert_json "$W/run-b/summary.json" '.levels[0].classes.ttft, .sla.name' '"breaking"
"strict"'
}

@test "imports are judged by --sla, or as the run beside them" {
    W=$BATS_TEST_TMPDIR/w
    local table=levels-csv:$BATS_TEST_DIRNAME/../data/reference-int4.csv
    make_run run-b 600 0.85
    classes lax.yaml 5000 20000 40000
    summarize --quiet --import "$table" --sla lax.yaml --format json --output-dir out
    assert_json out/summary.json '[.levels[].classes.ttft] | unique' '["excellent"]'
    sed -i 's/"seed": 1,/"sla": {"ttft_ms": {"excellent": 5000, "acceptable": 20000, "degraded": 40000}, "source": "l.yaml"}, &/' "$W/run-b/plan.json"
    summarize run-b --import "$table" --format json --output-dir both
    assert_success
    [[ $stderr != *"different SLA classes"* ]]
    assert_json both/comparison.json '([.runs[].levels[].classes.ttft] | unique), .sla_note' '["excellent"]
null'
}

@test "a baseline is judged again by the bounds of this run; without its records its points are not compared" {
    W=$BATS_TEST_TMPDIR/w
    classes lax.yaml 500 2000 4000
    MODEL=m DATE=2026-11-01 make_run one 400 0.85
    MODEL=m DATE=2026-11-02 make_run two 400 0.85
    summarize --quiet one
    summarize --quiet two --baseline one --sla lax.yaml
    assert_success
    assert_json "$W/two/summary.json" '.baseline | [.sla_note, (.points[] | [.name, .was])]' '[null,["breaking","> 2 streams"],["saturation","(1, 2] streams"]]'
    rm "$W/one/records.jsonl.gz"
    summarize two --baseline one --sla lax.yaml
    assert_success
    assert_line --partial "one was judged by other SLA classes (roibench's default bounds; this run by lax.yaml (--sla of summarize)): points are not compared."
    assert_json "$W/two/summary.json" '[.baseline.points[].verdict] | unique' '["unknown"]'
}

@test "a file that is wrong: exit 2, before anything is asked" {
    W=$BATS_TEST_TMPDIR/w
    make_run run-a 400 0.85
    classes bad.yaml 500 400 300
    summarize run-a --sla bad.yaml
    assert_failure 2
    [[ $stderr == *"--sla: bad.yaml: "*"ttft_ms.acceptable: expected more than 500"* ]]
    [ ! -e "$W/run-a/summary.json" ]
    run --separate-stderr "$ROIBENCH" prepare --target http://127.0.0.1:1/v1 --sla none.yaml
    assert_failure 2
    [[ $stderr == *"--sla: "*"none.yaml"* ]]
}
