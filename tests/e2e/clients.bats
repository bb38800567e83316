#!/usr/bin/env bats
# The simulator for a client that it was not written with: OpenAI's own for Python (openai_client.py), in each dialect.
# shellcheck disable=SC2154  # set by bats and the file loaded here
load support

teardown() {
    stop_process simulator
}

# start DIALECT OPTION...
start() {
    local port dialect=$1
    shift
    port=$(free_port)
    url=http://127.0.0.1:$port
    echo sk-test >"$BATS_TEST_TMPDIR/key"
    start_process simulator "$ROIBENCH" simulate --dialect "$dialect" --preset instant --model tiny --listen "127.0.0.1:$port" \
        --api-key-file "$BATS_TEST_TMPDIR/key" "$@"
    wait_for simulator 30 answers "$url/sim/truth"
}

client() { # CHECK...
    run "$E2E_CACHE/venv-openai/bin/python" "$BATS_TEST_DIRNAME/openai_client.py" "$url/v1" "$@"
    assert_success
    assert_equal "${#lines[@]}" $#
}

@test "vllm: models, chat and completions, streamed and whole" {
    start vllm
    client models chat chat_stream completions
    assert_equal "$(curl -sS "$url/sim/truth" | jq --compact-output '.requests | del(.refused)')" \
        '{"received":4,"completed":4,"disconnected":0,"struck":0}'
    assert_equal "$(curl -sS "$url/sim/truth" | jq .generation_tokens)" 42
}

@test "vllm: choices, log probabilities, tools, stops" {
    start vllm
    client choices logprobs tools stop
}

@test "vllm: reasoning" {
    start vllm --reasoning-tokens 4
    client reasoning
}

@test "vllm: every error has its class" {
    start vllm
    client errors
    assert_equal "$(curl -sS "$url/sim/truth" | jq .requests.received)" 0
}

@test "vllm: failures on purpose are noticed, and retried where that helps" {
    start vllm
    client faults
    assert_equal "$(curl -sS "$url/sim/truth" | jq --compact-output .faults)" '{"status":4,"reset":1,"truncate":1,"error-event":1}'
}

@test "llamacpp: models, chat, completions, tools, stops, on connections that end with each stream" {
    start llamacpp
    client models chat chat_stream completions tools stop chat_stream completions
}

@test "llamacpp: reasoning" {
    start llamacpp --reasoning-tokens 4
    client reasoning
}

@test "tgi: models, chat, completions, tools, stops" {
    start tgi
    client models chat chat_stream completions tools_of_tgi stop
}

@test "openai: all of it" {
    start openai
    client models chat chat_stream completions choices logprobs tools stop errors faults
}

@test "openai: reasoning that is not shown" {
    start openai --reasoning-tokens 4
    client hidden_reasoning
}
