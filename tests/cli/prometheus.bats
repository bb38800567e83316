#!/usr/bin/env bats
# roibench summarize --prometheus, against an API that answers as the test wants it. The numbers in detail: tests/unit/stats/gpu_test.c; a real
# Prometheus: tests/e2e/prometheus.bats.

load support/simulator

# The golden run "quick": three levels from 04:07:00 on, one GPU.
make_run() {
    local golden=$BATS_TEST_DIRNAME/../golden/sweep/quick
    RUN=$BATS_TEST_TMPDIR/ws/quick
    mkdir -p "$RUN"
    cp "$golden/plan.json" "$golden/journal.jsonl" "$RUN/"
    for k in {1..24}; do echo "{\"tick\":{\"t\":${k}000000000,\"tokens\":20}}"; done >>"$RUN/journal.jsonl"
    gzip -n <"$golden/records.jsonl" >"$RUN/records.jsonl.gz"
}

start_prometheus() {
    PROMETHEUS_FOLDER=$(mktemp -d "$BATS_TEST_TMPDIR/prometheus.XXXXXX")
    "$BATS_TEST_DIRNAME/support/prometheus_api.pl" "$PROMETHEUS_FOLDER" >"$PROMETHEUS_FOLDER/log" 2>&1 3>&- &
    SIM_PIDS+=($!)
    wait_until test -s "$PROMETHEUS_FOLDER/port"
    PROMETHEUS=http://127.0.0.1:$(<"$PROMETHEUS_FOLDER/port")
}

# tell NAME VALUE [LABELS...]: samples of the value every 5 s from a minute before the run on, one series for each set of labels.
tell() {
    local name=$1 value=$2 start series=() labels
    shift 2
    start=$(date -ud 2026-11-24T04:06:00Z +%s)
    for labels in "${@:-\"UUID\":\"GPU-1\"}"; do
        series+=("{\"metric\":{\"__name__\":\"$name\",$labels},\"values\":[$(for k in {0..40}; do printf '[%d,"%s"],' $((start + 5 * k)) "$value"; done | sed 's/,$//')]}")
    done
    (IFS=, && echo "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[${series[*]}]}}") >"$PROMETHEUS_FOLDER/$name.json"
}

summarize() {
    run --separate-stderr timeout 60 "$ROIBENCH" summarize --workspace ws "$@" ws/quick
}

gpu() { # JQ-FILTER of the first level's
    jq --compact-output ".levels[0].gpu | $1" ws/quick/summary.json
}

@test "what DCGM told of the GPU over each level, its tokens a joule; kept for every later report" {
    make_run
    start_prometheus
    tell DCGM_FI_DEV_GPU_UTIL 80
    tell DCGM_FI_DEV_POWER_USAGE 70.5
    tell DCGM_FI_DEV_FB_USED 20000
    tell DCGM_FI_DEV_FB_FREE 2048
    summarize --prometheus "$PROMETHEUS"
    assert_success
    assert_line '## The GPUs'
    assert_line --regexp '^\| 1 streams \| 80\.0 % \| +- \| 21\.0 of 23\.1 \| +70\.5 \|'
    assert_equal "$(gpu '[.gpus, .covered, .utilization, .memory_used_bytes, .power_w, .energy_by_counter]')" '[1,1,0.8,20971520000,70.5,false]'
    jq --exit-status '.levels | all(.gpu.output_tokens_per_joule * 70.5 - .output_tps | fabs < 1e-6)' ws/quick/summary.json
    jq --exit-status '.timeline.gpu_power_w | all(. == 70.5)' ws/quick/summary.json
    jq --exit-status '.files | has("gpu.jsonl")' ws/quick/manifest.json
    cp ws/quick/summary.json first
    summarize
    assert_success
    cmp first ws/quick/summary.json
}

@test "each counter is asked for by name, with the selector and the token, for the time of the run and five minutes around it" {
    make_run
    start_prometheus
    tell DCGM_FI_DEV_POWER_USAGE 70
    printf 'secret-token\n' >token
    summarize --prometheus "$PROMETHEUS/" --prometheus-selector 'namespace="models",pod=~"llama-.*"' --prometheus-token-file token
    assert_success
    run grep -c 'Bearer secret-token$' "$PROMETHEUS_FOLDER/requests"
    assert_output 6
    run grep DCGM_FI_DEV_POWER_USAGE "$PROMETHEUS_FOLDER/requests"
    assert_output --partial 'query=DCGM_FI_DEV_POWER_USAGE{namespace="models",pod=~"llama-.*"}['
    end=$(jq --slurp 'map(.level_end.end // empty) | max / 1e9 | floor' ws/quick/journal.jsonl)
    assert_output --partial "&time=$(($(date -ud 2026-11-24T04:12:00Z +%s) + end))."
    refute grep -r secret-token ws
    assert_equal "$(head -n 1 ws/quick/gpu.jsonl | jq --raw-output .selector)" 'namespace="models",pod=~"llama-.*"'
}

@test "of the GPUs that Prometheus knows, those of the plan's pods" {
    make_run
    start_prometheus
    jq '.kubernetes = {namespace: "models", kind: "InferenceService", name: "llama", gave_target: true, gpus_per_pod: 1,
        pods: [{name: "llama-0", uid: "1", restarts: 0, ready: true}]}' ws/quick/plan.json >plan && mv plan ws/quick/plan.json
    tell DCGM_FI_DEV_POWER_USAGE 60 '"UUID":"GPU-1","pod":"dcgm-exporter-1","exported_pod":"llama-0","exported_namespace":"models"' \
        '"UUID":"GPU-2","pod":"dcgm-exporter-1","exported_pod":"llama-0","exported_namespace":"others"' '"UUID":"GPU-3","pod":"other-0","namespace":"models"'
    summarize --prometheus "$PROMETHEUS"
    assert_success
    assert_equal "$(gpu '[.gpus, .power_w]')" '[1,60]'
    tell DCGM_FI_DEV_POWER_USAGE 60 '"UUID":"GPU-3","pod":"other-0"'
    rm ws/quick/gpu.jsonl
    summarize --prometheus "$PROMETHEUS"
    assert_success
    [[ $stderr == *"none of the GPUs there has a label of the model's pods: --prometheus-selector says which"* ]]
    assert_equal "$(gpu .)" null
}

@test "GPUs that are more than the deployment's are nobody's without a selector" {
    make_run
    start_prometheus
    tell DCGM_FI_DEV_POWER_USAGE 60 '"UUID":"GPU-1"' '"UUID":"GPU-2"'
    summarize --prometheus "$PROMETHEUS"
    assert_success
    [[ $stderr == *"knows 2 GPUs and the deployment has 1: --prometheus-selector says which"* ]]
    assert_equal "$(gpu .)" null
    summarize --prometheus "$PROMETHEUS" --prometheus-selector 'node="a"'
    assert_success
    assert_output --partial 'Prometheus knows 2 GPUs of this deployment, which was said to have 1'
    assert_equal "$(gpu '[.gpus, .power_w]')" '[2,120]'
}

@test "a Prometheus that cannot be used costs the report its GPU facts, and is told of" {
    make_run
    start_prometheus
    summarize --prometheus "$PROMETHEUS"
    assert_success
    [[ $stderr == *"has no samples of DCGM for the time of quick"* ]]
    echo '{"status":"error","errorType":"bad_data","error":"unknown function"}' >"$PROMETHEUS_FOLDER/DCGM_FI_DEV_GPU_UTIL.json"
    echo 400 >"$PROMETHEUS_FOLDER/status"
    summarize --prometheus "$PROMETHEUS"
    assert_success
    [[ $stderr == *"Prometheus says: unknown function"* ]]
    echo 403 >"$PROMETHEUS_FOLDER/status"
    summarize --prometheus "$PROMETHEUS"
    assert_success
    [[ $stderr == *"HTTP status 403"* ]]
    summarize --prometheus http://127.0.0.1:1
    assert_success
    [[ $stderr == *"connection refused"*"quick has no GPU facts"* ]]
    jq --exit-status '.levels[0].gpu == null and (.levels[0].missing.gpu | contains("--prometheus"))' ws/quick/summary.json
    [ ! -e ws/quick/gpu.jsonl ]
}

@test "options that say nothing, or nothing that can be understood" {
    make_run
    summarize --prometheus-selector 'a="b"'
    assert_failure 2
    [[ $stderr == *"--prometheus-selector says nothing without --prometheus"* ]]
    summarize --prometheus nonsense
    assert_failure 2
    summarize --prometheus http://127.0.0.1:1 --prometheus-selector 'a=b'
    assert_failure 2
    [[ $stderr == *"expected label matchers"* ]]
    summarize --prometheus http://127.0.0.1:1 --prometheus-token-file nowhere
    assert_failure 2
}
