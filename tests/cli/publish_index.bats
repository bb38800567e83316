#!/usr/bin/env bats
# roibench publish: the index that a folder gets, made of receipts.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here

bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.5.0
load support/run_folder

setup() {
    W=$BATS_TEST_TMPDIR/workspace
    OUT=$BATS_TEST_TMPDIR/out
}

# Two runs with reports.
make_runs() {
    make_run run-1 200 0.85
    DATE=2026-11-25 make_run run-2 300 3.40
    "$ROIBENCH" summarize --quiet --workspace "$W" "$W/run-1" >/dev/null
    "$ROIBENCH" summarize --quiet --workspace "$W" "$W/run-2" >/dev/null
}

publish() {
    run --separate-stderr "$ROIBENCH" publish --workspace "$W" --quiet --to "$OUT" "$@"
}

# The archives that index.html links to, in its order.
linked() {
    grep -oE 'href="\./[^"/]+\.tar\.gz"' "$OUT/index.html" | sed 's/href="//; s/"$//'
}

@test "a run's receipt has the report's numbers, and the page links archive and report" {
    make_runs
    publish --run-id run-1
    assert_success
    publish --run-id run-2
    assert_success
    [ -z "$stderr" ]
    local receipt=$OUT/index/run-1.json
    assert_equal "$(jq -r '[.schema, .kind, .id, .model, .archive.name, .report] | join(" ")' "$receipt")" \
        'roibench/published/v1 run run-1 model-run-1 run-1.tar.gz true'
    assert_equal "$(jq -r .archive.sha256 "$receipt")" "$(sha256sum <"$OUT/run-1.tar.gz" | cut -d ' ' -f 1)"
    assert_equal "$(jq -r .identity "$receipt")" "$(jq -r .identity "$W/run-1/publish.json")"
    assert_equal "$(jq .peak_total_tps "$receipt")" "$(jq .points.max_throughput.total_tps "$W/run-1/summary.json")"
    assert_equal "$(jq -r .breaking_point "$receipt")" "$(jq -r .points.breaking.text "$W/run-1/summary.json")"
    assert_equal "$(jq '.ttft_p95_ms' "$receipt")" \
        "$(jq '.points.advised_load as $load | .levels[] | select(.load == $load) | .ttft_censored_ms.p95' "$W/run-1/summary.json")"
    assert_equal "$(jq '.usd_per_million_tokens * 1e6 | round' "$receipt")" "$(jq '.price_per_hour / .total_tps / 3600 * 1e12 | round' "$receipt")"
    cmp "$OUT/reports/run-1.html" "$W/run-1/report.html"
    # The newest first.
    assert_equal "$(linked | tr '\n' ' ')" './run-2.tar.gz ./run-1.tar.gz '
    grep -qF 'href="./reports/run-1.html"' "$OUT/index.html"
    assert_equal "$(jq -r '.receipts[].file' "$OUT/index.json" | tr '\n' ' ')" 'run-1.json run-2.json '
    cmp <(jq -S '.receipts[0].receipt' "$OUT/index.json") <(jq -S . "$receipt")
}

@test "the same run again leaves its receipt; a changed one has a row of its own" {
    make_runs
    publish --run-id run-1
    cp -r "$OUT" "$BATS_TEST_TMPDIR/before"
    publish --run-id run-1
    assert_success
    diff -r "$OUT" "$BATS_TEST_TMPDIR/before"
    echo note >"$W/run-1/notes"
    publish --run-id run-1
    assert_success
    [ "$(linked | wc -l)" -eq 2 ]
    [ "$(find "$OUT/index" -name 'run-1*.json' | wc -l)" -eq 2 ]
}

@test "what is left out has no report beside; a run without summary is told by its plan" {
    make_runs
    publish --run-id run-1 --include records
    assert_success
    [ ! -e "$OUT/reports" ]
    assert_equal "$(jq .report "$OUT"/index/*.json)" false
    rm "$W/run-2/summary.json" "$W/run-2/report.html"
    publish --run-id run-2
    assert_success
    assert_equal "$(jq -r '[.model, .started, (.peak_total_tps | tostring)] | join(" ")' "$OUT/index/run-2.json")" \
        'model-run-2 2026-11-25T04:06:51.000Z null'
    grep -qF 'not told' "$OUT/index.html"
}

@test "a comparison has a row and a conclusion" {
    make_runs
    local id
    "$ROIBENCH" summarize --quiet --workspace "$W" "$W/run-1" "$W/run-2" >/dev/null
    id=$(ls "$W/comparisons")
    publish --comparison "$id"
    assert_success
    [ -z "$stderr" ]
    assert_equal "$(jq -r .kind "$OUT/index/comparison-$id.json")" comparison
    assert_equal "$(jq -r .conclusion "$OUT/index/comparison-$id.json")" "$(jq -r .conclusion "$W/comparisons/$id/comparison.json")"
    grep -qF '<h2>Comparisons</h2>' "$OUT/index.html"
    assert_equal "$(linked)" "./comparison-$id.tar.gz"
}

@test "eight publish to one folder at once, and all are in the index" {
    local k round pids
    for k in {1..8}; do
        make_run "run-$k" 200 0.85
    done
    for round in 1 2 3; do
        rm -rf "$OUT"
        pids=()
        for k in {1..8}; do
            "$ROIBENCH" publish --workspace "$W" --run-id "run-$k" --quiet --to "$OUT" >/dev/null 3>&- &
            pids+=($!)
        done
        for k in "${pids[@]}"; do
            wait "$k"
        done
        assert_equal "$(linked | sort | tr '\n' ' ')" "$(printf './run-%d.tar.gz ' {1..8})"
        assert_equal "$(jq '.receipts | length' "$OUT/index.json")" 8
        [ -z "$(find "$OUT" -name '*.tmp')" ]
    done
}

@test "a page that is somebody else's stays" {
    make_run run-1 200 0.85
    mkdir "$OUT"
    echo 'my own site' >"$OUT/index.html"
    publish --run-id run-1
    assert_success
    [[ $stderr == *"run-1.tar.gz is published, but not in the index there: $OUT/index.html is somebody else's page: it stays"* ]]
    assert_equal "$(cat "$OUT/index.html")" 'my own site'
    [ -e "$OUT/index/run-1.json" ]
}

@test "receipts by others: what cannot be read is counted, and nothing of it is markup" {
    make_run run-1 200 0.85
    mkdir -p "$OUT/index"
    echo '{' >"$OUT/index/broken.json"
    echo '[]' >"$OUT/index/array.json"
    echo notes >"$OUT/index/README"
    echo '{"id":"<script>alert(1)</script>","model":"\"><img src=x>","started":"2030-01-01T00:00:00Z","archive":{"name":"javascript:alert(1)//.tar.gz","size":1e99},"report":true}' \
        >"$OUT/index/hostile.json"
    publish --run-id run-1
    assert_success
    grep -qF '2 receipts in index/ could not be read' "$OUT/index.html"
    run ! grep -qE '<img|<script>alert|href="javascript' "$OUT/index.html"
    grep -qF '&lt;script&gt;alert(1)&lt;/script&gt;' "$OUT/index.html"
    grep -qF 'href="./javascript%3Aalert%281%29%2F%2F.tar.gz"' "$OUT/index.html"
}

@test "a model's name that looks like a secret goes into no receipt" {
    MODEL="sk-$(printf 'proj-%s' 0123456789abcdefghij)" make_run run-1 200 0.85
    publish --run-id run-1
    assert_failure 6
    [ ! -e "$OUT" ]
}

@test "an index that cannot be written is a warning" {
    make_run run-1 200 0.85
    mkdir "$OUT"
    echo file >"$OUT/index"
    publish --run-id run-1
    assert_success
    [[ $stderr == *"run-1.tar.gz is published, but not in the index there: "*"$OUT/index"* ]]
    [ -e "$OUT/run-1.tar.gz" ]
}
