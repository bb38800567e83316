#!/usr/bin/env bats
# summarize --prometheus against a real Prometheus (Debian's), which scrapes an exporter of known power once a second.

load support

setup_file() {
    local exporter prometheus simulator folder
    exporter=$(free_port) prometheus=$(free_port) simulator=$(free_port)
    export PROMETHEUS=http://127.0.0.1:$prometheus WORKSPACE=$BATS_FILE_TMPDIR/ws
    start_process exporter "$BATS_TEST_DIRNAME/dcgm_exporter.py" "$exporter"
    wait_for exporter 20 answers "http://127.0.0.1:$exporter/metrics"
    cat >"$BATS_FILE_TMPDIR/prometheus.yml" <<END
global: {scrape_interval: 1s}
scrape_configs:
  - {job_name: dcgm, static_configs: [{targets: ["127.0.0.1:$exporter"], labels: {namespace: models}}]}
END
    start_process prometheus "$E2E_CACHE/promtool/usr/bin/prometheus" --config.file="$BATS_FILE_TMPDIR/prometheus.yml" --storage.tsdb.path="$BATS_FILE_TMPDIR/tsdb" \
        --web.listen-address="127.0.0.1:$prometheus"
    wait_for prometheus 60 answers "$PROMETHEUS/-/ready"
    start_process simulator "$ROIBENCH" simulate --preset l4-int4 --model m --listen "127.0.0.1:$simulator"
    wait_for simulator 20 answers "http://127.0.0.1:$simulator/health"
    wait_for prometheus 60 has_samples
    folder=$(prepare_run "$WORKSPACE" --target "http://127.0.0.1:$simulator/v1" --profile concurrent --rate 2,4 --prompt-tokens 32 --output-tokens 32 \
        --max-seconds 12 --gpus 2 --price-per-hour 1)
    "$ROIBENCH" run --workspace "$WORKSPACE" >"$BATS_FILE_TMPDIR/run.log" 2>&1
    sleep 3 # the scrape after the run
    export FOLDER=$folder
}

teardown_file() {
    stop_process simulator
    stop_process prometheus
    stop_process exporter
}

has_samples() {
    curl --silent --fail --get "$PROMETHEUS/api/v1/query" --data-urlencode 'query=count(DCGM_FI_DEV_POWER_USAGE)' | grep -q '"2"'
}

@test "power, energy and tokens a joule of each level are those of the exporter's own function" {
    run -0 --separate-stderr "$ROIBENCH" summarize --workspace "$WORKSPACE" --prometheus "$PROMETHEUS"
    assert_line '## The GPUs'
    local began level from to wanted
    began=$(date -ud "$(jq --raw-output .run.started "$FOLDER/summary.json")" +%s.%N)
    for level in 0 1; do
        from=$(jq --raw-output "$began + .levels[$level].window.start_s" "$FOLDER/summary.json")
        to=$(jq --raw-output "$began + .levels[$level].window.end_s" "$FOLDER/summary.json")
        wanted=$("$BATS_TEST_DIRNAME/dcgm_exporter.py" energy "$from" "$to")
        echo "# level $level: $(jq ".levels[$level].gpu.energy_j" "$FOLDER/summary.json") J, the exporter's own $wanted J" >&3
        # Between two scrapes a second apart the counter is taken for a line: at both ends of the window, both GPUs, at most 7.5 J each.
        jq --exit-status --argjson wanted "$wanted" ".levels[$level].gpu | .gpus == 2 and .energy_by_counter and (.energy_j - \$wanted | fabs) < 31" "$FOLDER/summary.json"
        jq --exit-status ".levels[$level] | .gpu.memory_used_bytes == 2 * 19000 * 1048576 and .gpu.covered > 0.99 and
            (.gpu.output_tokens_per_joule * .gpu.power_w - .output_tps | fabs) < 0.01 * .output_tps" "$FOLDER/summary.json"
    done
}

@test "a selector of labels that only Prometheus knows" {
    rm -f "$FOLDER/gpu.jsonl"
    run -0 --separate-stderr "$ROIBENCH" summarize --workspace "$WORKSPACE" --prometheus "$PROMETHEUS" --prometheus-selector 'namespace="models",gpu="1"'
    jq --exit-status '.levels | all(.gpu.gpus == 1)' "$FOLDER/summary.json"
    run -0 --separate-stderr "$ROIBENCH" summarize --workspace "$WORKSPACE" --prometheus "$PROMETHEUS" --prometheus-selector 'namespace="others"'
    # shellcheck disable=SC2154  # bats sets it
    [[ $stderr == *"has no samples of DCGM with these labels"* ]]
    run -0 --separate-stderr "$ROIBENCH" summarize --workspace "$WORKSPACE" --prometheus "$PROMETHEUS" --prometheus-selector 'a=~"("'
    [[ $stderr == *"Prometheus says: "*"parse error"* ]]
}

@test "the report without Prometheus says the same afterwards" {
    run -0 "$ROIBENCH" summarize --workspace "$WORKSPACE" --prometheus "$PROMETHEUS"
    cp "$FOLDER/summary.json" "$BATS_TEST_TMPDIR/first"
    stop_process prometheus
    run -0 "$ROIBENCH" summarize --workspace "$WORKSPACE"
    cmp "$BATS_TEST_TMPDIR/first" "$FOLDER/summary.json"
}
