#!/usr/bin/env bats
# The four subcommands on llama.cpp's own server with a tiny model with random weights.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support
load reconcile

# The prompt cache is off (llamacpp_server.py): this counter leaves cached tokens out.
RUNNING=llamacpp:requests_processing GENERATED=llamacpp:tokens_predicted_total PROMPTED=llamacpp:prompt_tokens_total

setup_file() {
    local port
    port=$(free_port)
    export URL=http://127.0.0.1:$port
    start_process llamacpp "$BATS_TEST_DIRNAME/serve" llamacpp "$port"
    wait_for llamacpp 60 answers "$URL/health"
    run_both_endpoints
}

teardown_file() { stop_process llamacpp; }

setup() { find_run; }

@test "chat: prepare recognizes llama.cpp" {
    run -0 jq --raw-output '.server.kind, .model, .endpoint' "$folder/plan.json"
    assert_line --index 0 llamacpp
    assert_line --index 1 tiny
    assert_line --index 2 chat
}

@test "chat: every request of a run bounded by requests ends well" { assert_all_ended "$folder"; }

@test "chat: the client's token counts are the server's" { assert_same_counts "$work"; }

@test "chat: the report says that both counted the same, at every level" { assert_reconciled "$folder" "$work/workspace"; }

@test "chat: prompts and outputs have exactly the lengths asked for" { assert_lengths "$folder" 64 64; }

# Half characters get no chunk here: without the final usage the counts would be too low.
@test "chat: chunks are not taken for tokens where the final usage differs" {
    jq_filter='map(select((.arrivals + .coalesced) != .output_tokens and .chunk_tokens == "counted")) | length'
    assert_equal "$(records "$folder" "$jq_filter")" 0
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
