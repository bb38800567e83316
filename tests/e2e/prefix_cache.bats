#!/usr/bin/env bats
# What a real vLLM's prefix cache finds of our prompts, and whether prepare sees that it has one.
# shellcheck disable=SC2154  # set by bats and the files loaded here
load support

teardown() { stop_process server; }

# serve_vllm OPTION...: sets URL
serve_vllm() {
    local port
    port=$(free_port)
    URL=http://127.0.0.1:$port
    start_process server "$BATS_TEST_DIRNAME/serve" vllm "$port" "$@"
    wait_for server 300 answers "$URL/health"
}

# prepare_on_vllm ENDPOINT OPTION...: sets folder; a few prompts, each longer than a block of the cache.
prepare_on_vllm() {
    run -0 --separate-stderr timeout 120 "$ROIBENCH" prepare --workspace ws --target "$URL/v1" --wait 30 --endpoint "$@"
    folder=ws/${lines[-1]}
}

night() {
    prepare_on_vllm "$@" --profile concurrent --rate 1 --max-requests 4 --prompt-tokens 400 --output-tokens 2
    run -0 timeout 120 "$ROIBENCH" run --workspace ws
    cached=$(records "$folder" 'map(.cached_tokens)')
    echo "$*: cached $cached"
}

caching_of() {
    prepare_on_vllm "$1" --profile synchronous --max-requests 1
    jq .server.prefix_caching "$folder/plan.json"
}

@test "usage tells of cached tokens: two nights with one seed find none, --allow-prefix-cache finds the night before, turns find theirs" {
    local endpoint
    cd "$BATS_TEST_TMPDIR" && serve_vllm --enable-prompt-tokens-details
    for endpoint in chat completions; do
        assert_equal "$(caching_of $endpoint)" true
        night $endpoint && assert_equal "$cached" '[0,0,0,0]'
        night $endpoint && assert_equal "$cached" '[0,0,0,0]'
        night $endpoint --allow-prefix-cache
        night $endpoint --allow-prefix-cache
        [[ $(jq 'min > 200' <<<"$cached") == true ]]
    done
    jq --null-input --compact-output '{conversations: ([range(3)] | map({from: "human", value: ("word \(.) " * 150)}, {from: "gpt", value: "and so on"}))}' >talks
    prepare_on_vllm chat --profile synchronous --max-requests 3 --data talks --turns 3
    run -0 timeout 120 "$ROIBENCH" run --workspace ws
    assert_equal "$(records "$folder" 'sort_by(.turn) | map(.prompt_tokens)')" "$(jq --slurp --compact-output 'map(.prompt_tokens)' "$folder/data.jsonl")"
    assert_equal "$(records "$folder" 'sort_by(.turn) | map(.cached_tokens > 200)')" '[false,true,true]'
}

@test "usage tells nothing: what the server's metrics say of its configuration" {
    cd "$BATS_TEST_TMPDIR" && serve_vllm
    assert_equal "$(caching_of chat)" true
}

@test "without a prefix cache" {
    cd "$BATS_TEST_TMPDIR" && serve_vllm --no-enable-prefix-caching --enable-prompt-tokens-details
    assert_equal "$(caching_of completions)" false
}
