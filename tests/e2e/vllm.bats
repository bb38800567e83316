#!/usr/bin/env bats
# The four subcommands on a real vLLM for CPUs that serves a tiny model with random weights.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support
load reconcile

RUNNING=vllm:num_requests_running GENERATED=vllm:generation_tokens_total PROMPTED=vllm:prompt_tokens_total

setup_file() {
    local port
    port=$(free_port)
    export URL=http://127.0.0.1:$port
    start_process vllm "$BATS_TEST_DIRNAME/serve" vllm "$port"
    wait_for vllm 300 answers "$URL/health"
    # A model's first steps are slow; they are nobody's first token.
    answers_completion
    run_both_endpoints
}

teardown_file() { stop_process vllm; }

answers_completion() {
    curl --silent --fail --max-time 60 --output /dev/null --header 'Content-Type: application/json' \
        --data '{"model":"tiny","prompt":"the server","max_tokens":4}' "$URL/v1/completions"
}

setup() {
    case $BATS_TEST_DESCRIPTION in
    chat:* | completions:*) find_run ;;
    esac
}

@test "chat: prepare recognizes vLLM, its version and its features" {
    run -0 jq --raw-output '.server.kind, .server.version, .model, .endpoint' "$folder/plan.json"
    assert_line --index 0 vllm
    assert_line --index 1 --partial 0.32
    assert_line --index 2 tiny
    assert_line --index 3 chat
}

@test "chat: every request of a run bounded by requests ends well" { assert_all_ended "$folder"; }

@test "chat: the client's token counts are the server's" { assert_same_counts "$work"; }

@test "chat: the report says that both counted the same, at every level" { assert_reconciled "$folder" "$work/workspace"; }

@test "chat: prompts and outputs have exactly the lengths asked for" { assert_lengths "$folder" 64 64; }

@test "chat: every chunk's tokens are known exactly, by continuous usage" {
    assert_equal "$(records "$folder" 'map(.chunk_tokens) | unique')" '["exact"]'
}

@test "chat: the server's metrics were scraped during the run" {
    run -0 bash -c "zcat '$folder/metrics.jsonl.gz' | jq --raw-output '.series | keys[]' | sed 's/{.*//' | sort -u"
    assert_line vllm:num_requests_running
    assert_line vllm:num_requests_waiting
    assert_line vllm:kv_cache_usage_perc
    assert_line vllm:generation_tokens_total
}

@test "chat: summarize gives every level" { assert_summary "$folder" "$work/workspace"; }

@test "chat: publish packs the run whole" {
    publish_to=$BATS_TEST_TMPDIR/published
    mkdir "$publish_to"
    assert_published "$folder" "$work/workspace" "file://$publish_to" "$publish_to"
}

@test "completions: every request of a run bounded by requests ends well" { assert_all_ended "$folder"; }

@test "completions: the client's token counts are the server's" { assert_same_counts "$work"; }

@test "completions: prompts and outputs have exactly the lengths asked for" { assert_lengths "$folder" 32 24; }

@test "completions: an unknown model is refused with the server's own words" {
    run -3 --separate-stderr "$ROIBENCH" prepare --workspace "$BATS_TEST_TMPDIR" --target "$URL/v1" --model no-such-model \
        --wait 5 --profile concurrent --rate 1 --prompt-tokens 32 --output-tokens 4 --max-requests 1
    [[ $stderr == *no-such-model* ]]
}

@test "completions: a context that is too long is refused with the server's own words" {
    run -3 --separate-stderr "$ROIBENCH" prepare --workspace "$BATS_TEST_TMPDIR" --target "$URL/v1" --endpoint completions \
        --wait 5 --profile concurrent --rate 1 --prompt-tokens 4000 --output-tokens 4 --max-requests 1
    [[ $stderr == *2048* ]]
}

@test "the simulator's scheduler plans every step of random loads as vLLM's own does" {
    local root=$BATS_TEST_DIRNAME/../.. seed=$RANDOM cache=$E2E_CACHE/cache
    echo "seed $seed"
    make --silent --directory "$root" build/tests/unit/serve/vllm_schedule_test
    XDG_CACHE_HOME=$cache XDG_CONFIG_HOME=$cache HF_HOME=$cache/huggingface VLLM_CACHE_ROOT=$cache/vllm VLLM_CONFIG_ROOT=$cache/vllm \
        PYTHONDONTWRITEBYTECODE=1 "$E2E_CACHE/venv-vllm/bin/python" "$BATS_TEST_DIRNAME/vllm_schedule.py" "$E2E_CACHE/tiny-hf" "$seed" 60 \
        >"$BATS_TEST_TMPDIR/schedules"
    "$root/build/tests/unit/serve/vllm_schedule_test" "$BATS_TEST_TMPDIR/schedules"
}
