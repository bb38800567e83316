#!/usr/bin/env bats
# GuideLLM on the simulator: a load generator that was written by others counts what the simulator says it has sent. And it
# loads, prints and exports what roibench measured, in both of its schemas.
# shellcheck disable=SC2154  # set by bats and the file loaded here
load support

readonly REQUESTS=24 PROMPT=64 OUTPUT=16

setup_file() {
    local tokenizer=$E2E_CACHE/tiny-tokenizer
    export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_HOME=$E2E_CACHE/cache/huggingface PYTHONDONTWRITEBYTECODE=1 NO_COLOR=1
    [[ -d $tokenizer ]] || {
        "$E2E_CACHE/venv-guidellm/bin/python" "$BATS_TEST_DIRNAME/make_tiny_tokenizer.py" "$tokenizer.new"
        mv "$tokenizer.new" "$tokenizer"
    }
    export TOKENIZER=$tokenizer
}

teardown() {
    stop_process simulator
}

# benchmark DIALECT ENDPOINT: 24 requests on four streams; leaves `report` and `truth` in the test's folder.
benchmark() {
    local port url
    port=$(free_port)
    url=http://127.0.0.1:$port
    start_process simulator "$ROIBENCH" simulate --dialect "$1" --preset l4-int4 --time-scale 20 --model tiny --listen "127.0.0.1:$port"
    wait_for simulator 30 answers "$url/sim/truth"
    timeout 200 "$E2E_CACHE/venv-guidellm/bin/guidellm" run --disable-console \
        --backend "kind=openai_http,target=$url,model=tiny,request_format=$2" --profile kind=concurrent,streams=4 \
        --constraint "kind=max_requests,count=$REQUESTS" --tokenizer "kind=huggingface_auto,model=$TOKENIZER" \
        --data "kind=synthetic_text,prompt_tokens=$PROMPT,output_tokens=$OUTPUT" --output "kind=json,path=$BATS_TEST_TMPDIR/report.json"
    jq '.benchmarks[0]' "$BATS_TEST_TMPDIR/report.json" >"$BATS_TEST_TMPDIR/report"
    curl --silent --fail "$url/sim/truth" >"$BATS_TEST_TMPDIR/truth"
}

of() { jq --compact-output "$2" "$BATS_TEST_TMPDIR/$1"; } # report|truth FILTER

# Requests and tokens to the last one. Times: no client can see a token before it was sent.
assert_agrees() {
    assert_equal "$(of report '.metrics.request_totals | [.successful, .errored, .incomplete, .total]')" "[$REQUESTS,0,0,$REQUESTS]"
    assert_equal "$(of truth '[.requests.received, .requests.completed, .requests.disconnected]')" "[$REQUESTS,$REQUESTS,0]"
    assert_equal "$(of truth .generation_tokens)" "$((REQUESTS * OUTPUT))"
    assert_equal "$(of report '.metrics.output_token_count.successful.total_sum | round')" "$(of truth .generation_tokens)"
    assert_equal "$(of report '.metrics.prompt_token_count.successful.total_sum | round')" "$(of truth .prompt_tokens)"
    local seen sent
    seen=$(of report '.metrics.time_to_first_token_ms.successful.mean * 1e6 | round')
    sent=$(of truth '.ttft_ns.sum / .ttft_ns.count | round')
    assert [ "$seen" -ge "$((sent * 95 / 100))" ]
}

@test "vllm: a chat" {
    benchmark vllm /v1/chat/completions
    assert_agrees
}

@test "vllm: completions" {
    benchmark vllm /v1/completions
    assert_agrees
}

@test "llamacpp: a chat, on connections that end with each stream" {
    benchmark llamacpp /v1/chat/completions
    assert_agrees
}

# It limits a chat by max_completion_tokens, which TGI does not know.
@test "tgi: completions" {
    benchmark tgi /v1/completions
    assert_agrees
}

# --- our reports -----------------------------------------------------------------------------------------------------------

# measure LEVELS: a run of ours with failures in it, and its reports in the folder that $reports names.
measure() {
    local port workspace=$BATS_FILE_TMPDIR/workspace-${1%%:*} options=()
    reports=$BATS_FILE_TMPDIR/reports-${1%%:*}
    [[ -d $reports ]] && return
    [[ $1 != concurrent* ]] || options=(--stream-start together) # all that ends in the window is then a member of it
    port=$(free_port)
    start_process simulator "$ROIBENCH" simulate --preset l4-int4 --time-scale 20 --model tiny --listen "127.0.0.1:$port"
    wait_for simulator 30 answers "http://127.0.0.1:$port/sim/truth"
    "$ROIBENCH" prepare --workspace "$workspace" --target "http://127.0.0.1:$port/v1" --levels "$1" --prompt-tokens 64 --output-tokens 16 \
        --max-seconds 30 --max-requests 60 "${options[@]}"
    curl --silent --fail --data '["truncate:rate=0.1,after=5"]' "http://127.0.0.1:$port/sim/fault"
    "$ROIBENCH" run --workspace "$workspace"
    "$ROIBENCH" summarize --workspace "$workspace" --output-dir "$reports.new" --format json,guidellm,guidellm-0.6
    mv "$reports.new" "$reports"
}

# same FILTER-OF-BENCHMARKS FILTER-OF-LEVELS: to 1e-6 of what they say.
same() {
    jq --slurp --exit-status "[[.[0].benchmarks[] | $1], [.[1].levels[] | $2]] | transpose
        | length > 0 and all((.[0] - .[1]) / .[1] | fabs < 1e-6)" "$report" "$reports/summary.json"
}

# loads VERSION FILE: GuideLLM's own code finds the same numbers as we have in the report, and what they are in summary.json.
loads() {
    local report=$reports/$2 python=$E2E_CACHE/venv-guidellm${1:+-$1}/bin/python
    run "$python" "$BATS_TEST_DIRNAME/guidellm_report.py" "$report"
    assert_success
    echo "# ${lines[-1]}" >&3
    assert_equal "$(jq .benchmarks <<<"${lines[-1]}")" "$(jq '.levels | length' "$reports/summary.json")"
    assert_equal "$(jq .requests <<<"${lines[-1]}")" "$(jq '[.levels[].requests.members] | add' "$reports/summary.json")"
    same .metrics.request_latency.successful.mean .e2e_ms.mean/1000
    same .metrics.request_latency.successful.percentiles.p95 .e2e_ms.p95/1000
    same .metrics.requests_per_second.successful.mean .request_rps
    same .metrics.request_concurrency.total.mean .concurrency
    # tokens of a request are spread evenly from its first to its last
    jq --slurp --exit-status '[[.[0].benchmarks[].metrics.output_tokens_per_second.total.mean], [.[1].levels[].output_tps]] | transpose
        | all(.[0] / .[1] | . > 0.99 and . < 1.01)' "$report" "$reports/summary.json"
}

# exports VERSION FILE ARGUMENT...: GuideLLM's command prints the report and writes a table of it, a row a benchmark below three of headings.
exports() {
    local python=$E2E_CACHE/venv-guidellm${1:+-$1}/bin/python
    cp "$reports/$2" "$BATS_TEST_TMPDIR/benchmarks.json"
    cd "$BATS_TEST_TMPDIR" || return
    shift 2
    run "$python" -m guidellm "$@"
    assert_success
    assert_equal "$(($(wc -l <benchmarks.csv) - 3))" "$(jq '.benchmarks | length' benchmarks.json)"
}

@test "0.8 loads our reports, prints and exports them" {
    for levels in concurrent:1,4 poisson:0.5,2; do
        measure "$levels"
        loads '' guidellm.json
        exports '' guidellm.json export benchmarks.json --output kind=console --output kind=csv,path=benchmarks.csv
        assert_output --partial "${levels%%:*}"
    done
}

@test "0.7 loads our reports" {
    for levels in concurrent:1,4 poisson:0.5,2; do
        measure "$levels"
        loads 0.7.3 guidellm.json
    done
}

@test "0.6 loads our reports, prints and exports them" {
    for levels in concurrent:1,4 poisson:0.5,2; do
        measure "$levels"
        loads 0.6.1 guidellm-0.6.json
        exports 0.6.1 guidellm-0.6.json benchmark from-file benchmarks.json --output-path . --output-formats console --output-formats csv
        assert_output --partial "${levels%%:*}"
    done
}

@test "0.5 loads our reports" {
    for levels in concurrent:1,4 poisson:0.5,2; do
        measure "$levels"
        loads 0.5.0 guidellm-0.6.json
    done
}
