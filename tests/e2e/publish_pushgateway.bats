#!/usr/bin/env bats
# publish to pushgateway://: Debian's prometheus-pushgateway, promtool, and a Prometheus that is asked in PromQL.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support
load ../cli/support/run_folder

setup_file() {
    local prometheus
    export GATEWAY PROMETHEUS
    GATEWAY=$(free_port)
    start_process gateway "$E2E_CACHE/pushgateway/usr/bin/prometheus-pushgateway" --web.listen-address="127.0.0.1:$GATEWAY"
    wait_for gateway 20 answers "http://127.0.0.1:$GATEWAY/-/ready"
    prometheus=$(free_port)
    PROMETHEUS=http://127.0.0.1:$prometheus
    cat >"$BATS_FILE_TMPDIR/prometheus.yml" <<END
global: {scrape_interval: 1s}
scrape_configs:
  - {job_name: pushgateway, honor_labels: true, static_configs: [{targets: ["127.0.0.1:$GATEWAY"]}]}
END
    start_process prometheus "$E2E_CACHE/promtool/usr/bin/prometheus" --config.file="$BATS_FILE_TMPDIR/prometheus.yml" \
        --storage.tsdb.path="$BATS_FILE_TMPDIR/tsdb" --web.listen-address="127.0.0.1:$prometheus"
    wait_for prometheus 60 answers "$PROMETHEUS/-/ready"
}

teardown_file() {
    stop_process prometheus
    stop_process gateway
}

setup() {
    export W=$BATS_TEST_TMPDIR/ws
    mkdir -p "$W"
}

make_summarized() { # ID
    make_run "$1" 300 0.85
    sed -i 's|"hardware": null|"hardware": "4 x L4/a"|; s|"gpus": null|"gpus": 4|' "$W/$1/plan.json"
    "$ROIBENCH" summarize --workspace "$W" --run-id "$1" >/dev/null 2>&1
}

query() { curl --silent --fail --get "$PROMETHEUS/api/v1/query" --data-urlencode "query=$1" | jq --raw-output '.data.result[0].value[1]'; }

has() { [[ $(query "$1") != null ]]; }

@test "the summary's numbers, as promtool likes them and PromQL finds them; the same run again sends nothing" {
    MODEL='org/tiny 1' make_summarized r1
    run -0 "$ROIBENCH" publish --workspace "$W" --run-id r1 --verify --to "pushgateway://127.0.0.1:$GATEWAY"
    assert_equal "$(jq '.destinations[0].verified' "$W/r1/publish.json")" true
    curl --silent --fail "http://127.0.0.1:$GATEWAY/metrics" >"$BATS_TEST_TMPDIR/page"
    run -0 "$E2E_CACHE/promtool/usr/bin/promtool" check metrics <"$BATS_TEST_TMPDIR/page"
    assert_output ''
    run -0 "$ROIBENCH" publish --workspace "$W" --run-id r1 --to "pushgateway://127.0.0.1:$GATEWAY"
    assert_output --partial 'already there: pushgateway://'

    local labels='model="org/tiny 1",hardware="4 x L4/a",run_id="r1"'
    wait_for prometheus 30 has "roibench_run_info{$labels}"
    assert_equal "$(query "1000 * roibench_time_to_first_token_seconds{$labels,percentile=\"95\",load=\"1\",unit=\"streams\"}")" \
        "$(jq '.levels[0].ttft_ms.p95' "$W/r1/summary.json")"
    assert_equal "$(query "roibench_total_tokens_per_second{$labels,load=\"2\"}")" "$(jq '.levels[1].total_tps' "$W/r1/summary.json")"
    # dollars for a million tokens, as docs/publish.md has it
    assert_equal "$(query '1e6 * max by (model, hardware) (roibench_price_usd_per_hour) / (3600 * max by (model, hardware) (roibench_capacity_tokens_per_second{objective="ttft"}))' | cut -c 1-8)" \
        "$(jq '1e6 * .run.price_per_hour / (3600 * .points.capacity_at_sla.ttft.total_tps)' "$W/r1/summary.json" | cut -c 1-8)"
    # Missing is not zero: there were no objectives and no GPUs were looked at.
    jq --exit-status '.levels | all(.goodput_rps == null and .gpu == null)' "$W/r1/summary.json"
    run grep -E '^roibench_(goodput|gpu_)' "$BATS_TEST_TMPDIR/page"
    assert_failure
}

@test "the next run of a deployment takes the place of the last, another deployment's stays" {
    MODEL=one make_summarized r2
    MODEL=one make_summarized r3
    MODEL=two make_summarized r4
    for run_id in r2 r4 r3; do "$ROIBENCH" publish --workspace "$W" --run-id "$run_id" --quiet --to "pushgateway://127.0.0.1:$GATEWAY"; done
    run curl --silent --fail "http://127.0.0.1:$GATEWAY/metrics"
    assert_output --partial 'run_id="r3"'
    assert_output --partial 'run_id="r4"'
    refute_output --partial 'run_id="r2"'
}

@test "no summary, nobody there, no gateway: exit 6 and a sentence" {
    make_run r5 300 0.85
    run -6 "$ROIBENCH" publish --workspace "$W" --run-id r5 --to "pushgateway://127.0.0.1:$GATEWAY"
    assert_output --partial 'has no summary.json to make metrics of'
    make_summarized r5
    run -6 "$ROIBENCH" publish --workspace "$W" --run-id r5 --retries 0 --to "pushgateway://127.0.0.1:$(free_port)"
    run -6 "$ROIBENCH" publish --workspace "$W" --run-id r5 --to "pushgateway://127.0.0.1:$GATEWAY/elsewhere"
    assert_output --partial 'Is it a Pushgateway?'
}
