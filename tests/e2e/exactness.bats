#!/usr/bin/env bats
# Prompts of N tokens, as servers count them: real ones, and the simulator in every dialect. The table goes to docs/results/exactness.md when
# EXACTNESS_PAGE=1.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support

PAGE=$BATS_TEST_DIRNAME/../../docs/results/exactness.md
REQUESTS=8

setup_file() {
    export E2E_CONTEXT=8192 ROWS=$BATS_FILE_TMPDIR/rows
    : >"$ROWS"
}

teardown_file() {
    stop_process server
    [[ -z ${EXACTNESS_PAGE:-} ]] || write_page >"$PAGE"
}

write_page() {
    cat <<'TEXT'
# Prompts of an exact length: asked against counted

Written by `EXACTNESS_PAGE=1 tests/e2e/run exactness`: for each row `prepare --prompt-tokens N`, then `run` with 8 requests; counted is `usage.prompt_tokens` of each
answer. The method is the one that `prepare` found; how it works is told in [prompts.md](../prompts.md). vLLM and llama.cpp are the real servers, with tiny models of random
weights; the simulator speaks their wire and that of others.

| server | endpoint | method | asked | counted | largest error |
| --- | --- | --- | --- | --- | --- |
TEXT
    cat "$ROWS"
}

# measure SERVER URL ENDPOINT N: a row of the table; fails where the length is wrong, or a refusal does not say what is the least.
measure() {
    local server=$1 url=$2 endpoint=$3 n=$4 workspace folder method counted error least
    workspace=$(mktemp -d "$BATS_TEST_TMPDIR/ws.XXXX")
    run --separate-stderr timeout 300 "$ROIBENCH" prepare --workspace "$workspace" --target "$url/v1" --endpoint "$endpoint" --profile concurrent --rate 1 \
        --max-requests $REQUESTS --prompt-tokens "$n" --output-tokens 2 --wait 30
    if ((status == 2)) && [[ $stderr =~ "$n tokens are too few".*"at least "([0-9]+) ]]; then
        least=${BASH_REMATCH[1]}
        ((least > n && least < n + 32)) || return 1
        echo "| $server | $endpoint | | $n | refused: at least $least | |" >>"$ROWS"
        return
    fi
    ((status == 0)) || {
        echo "$stderr"
        return 1
    }
    folder=$workspace/${lines[-1]}
    run -0 timeout 300 "$ROIBENCH" run --workspace "$workspace"
    method=$(jq --raw-output .calibration.method "$folder/plan.json")
    counted=$(records "$folder" 'map(.prompt_tokens) | unique | map(tostring) | join(", ")' | tr -d '"')
    error=$(records "$folder" "map(.prompt_tokens - $n | fabs) | max")
    [[ $(records "$folder" length) == "$REQUESTS" ]] || return 1
    echo "| $server | $endpoint | $method | $n | $counted | $error |" >>"$ROWS"
    echo "$server $endpoint $method: asked for $n, counted $counted"
    if [[ $method == usage ]]; then ((error <= 1)); else ((error == 0)); fi
}

# measure_turns SERVER URL ENDPOINT: rows of conversations, whose turns carry what was said before.
measure_turns() {
    local server=$1 url=$2 endpoint=$3 workspace folder method turn n counted error
    workspace=$(mktemp -d "$BATS_TEST_TMPDIR/ws.XXXX")
    run -0 --separate-stderr timeout 300 "$ROIBENCH" prepare --workspace "$workspace" --target "$url/v1" --endpoint "$endpoint" --profile concurrent --rate 1 \
        --max-requests 12 --turns 3 --prompt-tokens 100 --output-tokens 8 --wait 30
    folder=$workspace/${lines[-1]}
    run -0 timeout 300 "$ROIBENCH" run --workspace "$workspace"
    method=$(jq --raw-output .calibration.method "$folder/plan.json")
    for turn in 0 1 2; do
        n=$((100 + turn * 108))
        counted=$(records "$folder" "map(select(.turn == $turn).prompt_tokens) | unique | map(tostring) | join(\", \")" | tr -d '"')
        error=$(records "$folder" "map(select(.turn == $turn).prompt_tokens - $n | fabs) | max")
        echo "| $server | $endpoint, turn $((turn + 1)) | $method | $n | $counted | $error |" >>"$ROWS"
        echo "$server $endpoint $method: turn $turn, asked for $n, counted $counted"
        if [[ $method == usage ]]; then ((error <= 1)); else ((error == 0)); fi || return 1
    done
}

# 4 tokens are fewer than a chat template has.
measure_all() { # SERVER URL
    local endpoint n
    for n in 4 16 256 4096; do measure "$1" "$2" chat $n; done
    for n in 1 16 256 4096; do measure "$1" "$2" completions $n; done
    for endpoint in chat completions; do measure_turns "$1" "$2" $endpoint; done
}

measure_real() { # SERVER
    local port url
    port=$(free_port)
    url=http://127.0.0.1:$port
    start_process server "$BATS_TEST_DIRNAME/serve" "$1" "$port"
    wait_for server 300 answers "$url/health"
    measure_all "$1" "$url"
    stop_process server
}

@test "vLLM" { measure_real vllm; }

@test "llama.cpp" { measure_real llamacpp; }

@test "the simulator in every dialect" {
    local dialect port
    for dialect in vllm llamacpp tgi openai; do
        port=$(free_port)
        start_process server "$ROIBENCH" simulate --listen "127.0.0.1:$port" --preset instant --model tiny --dialect "$dialect"
        wait_for server 20 answers "http://127.0.0.1:$port/v1/models"
        measure_all "simulator ($dialect)" "http://127.0.0.1:$port"
        stop_process server
    done
}
