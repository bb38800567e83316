#!/usr/bin/env bats
# The simulator's dialects: what prepare finds out about each, what run measures, and what is not there. The JSON of
# llama.cpp's is compared with captures in tests/unit/serve/simulator_wire_test.c.

# shellcheck disable=SC2016 # TGI quotes by backticks
load support/simulator # setup and teardown too

ask() { # PATH [CURL OPTIONS...]: head and body
    run curl -sS -i --max-time 20 "$SIM$1" "${@:2}"
    assert_success
}

post() { # PATH BODY [CURL OPTIONS...]
    ask "$1" -H 'Content-Type: application/json' -d "$2" "${@:3}"
}

field() { # KEY: the first value of the key in the plan
    sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" ws/r/plan.json | head -n 1
}

# measure ENDPOINT: prepares and runs 12 requests of 64 and 16 tokens or one or two more, on two streams.
measure() {
    run --separate-stderr timeout 60 "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" --endpoint "$1" --profile concurrent \
        --rate 2 --max-requests 12 --prompt-tokens 64 --output-tokens 16 "${@:2}"
    assert_success
    run --separate-stderr timeout 60 "$ROIBENCH" run --workspace ws
    assert_success
    zcat ws/r/records.jsonl.gz | grep '"outcome"' >records
    assert [ "$(wc -l <records)" -ge 12 ]
}

# of_records KEY: its different values, one a line
of_records() {
    sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" records | sort -u
}

# Every request as long as it was asked to be, and its first token seen within the simulator's own range of TTFT,
# give or take what two processes need to hand it over.
assert_measured_rightly() {
    assert_equal "$(of_records outcome)" ok
    assert_equal "$(of_records prompt_tokens)" 64
    assert_equal "$(of_records output_tokens)" 16
    local least
    least=$(curl -sS "$SIM/sim/truth" | sed -E 's/.*"ttft_ns":\{[^}]*"min":([0-9]+).*/\1/')
    sed -E 's/.*"sent":([0-9]+).*"first_token":([0-9]+).*/\1 \2/' records | awk -v least="$least" '$2 - $1 < least * 0.9 { exit 1 }'
}

@test "a dialect that is not known is refused, and what a dialect does not have" {
    run --separate-stderr timeout 20 "$ROIBENCH" simulate --dialect cobol
    assert_failure 2
    [[ $stderr == *"--dialect"*"vllm"*"llamacpp"* ]]
    run --separate-stderr timeout 20 "$ROIBENCH" simulate --dialect llamacpp --enable-force-include-usage
    assert_failure 2
    [[ $stderr == *"--enable-force-include-usage: nothing like that is in the dialect llamacpp"* ]]
    run --separate-stderr timeout 20 "$ROIBENCH" simulate --dialect llamacpp --enable-per-request-metrics
    assert_failure 2
}

@test "llamacpp: completions by token ids, usage unasked, every request on a connection of its own" {
    start_simulator --dialect llamacpp --preset l4-int4 --time-scale 50 --model tiny
    measure completions
    assert_equal "$(field kind)" llamacpp
    assert_equal "$(field version)" b0-simulated
    assert_equal "$(field method)" token_ids
    assert_equal "$(field continuous_usage)" false
    assert_equal "$(field tokenize)" false
    assert_equal "$(field metrics)" true
    assert_measured_rightly
    assert_equal "$(of_records reused)" false
    "$ROIBENCH" summarize --workspace ws --quiet >report
    run ! grep -qF 'answers to a length' report
    # The prompt cache is switched off by the client.
    curl -sS "$SIM/sim/truth" | grep -F '"cached_tokens":0,'
    zcat ws/r/metrics.jsonl.gz | grep -qF llamacpp:requests_processing
}

@test "llamacpp: a context as a server's slots have it when they are many" {
    start_simulator --preset instant --model tiny --dialect llamacpp --max-model-len 128
    printf '{"prompt":"hello","max_tokens":4}\n' >small
    local options
    for options in '--data small' '--data small --endpoint completions' '--prompt-tokens 64 --output-tokens 64'; do
        # shellcheck disable=SC2086  # several words
        run --separate-stderr "$ROIBENCH" prepare --target "$SIM/v1" --wait 5 --profile synchronous --max-requests 2 --dry-run $options
        assert_success
        assert_line --partial 'exact by usage'
    done
}

@test "completions that are too short: no other endpoint helps" {
    start_simulator --preset instant --model tiny --dialect tgi
    run --separate-stderr "$ROIBENCH" prepare --target "$SIM/v1" --wait 5 --endpoint completions --profile synchronous --prompt-tokens 1 --output-tokens 4
    assert_failure 2
    [[ $stderr == *"1 tokens are too few: the opening"*"Ask for at least "[0-9] ]]
}

@test "llamacpp: chat, counted by usage" {
    start_simulator --dialect llamacpp --preset l4-int4 --time-scale 50 --model tiny
    measure chat
    assert_equal "$(field kind)" llamacpp
    assert_equal "$(field method)" usage
    assert_equal "$(field exact)" true
    assert_measured_rightly
    curl -sS "$SIM/metrics" >page
    curl -sS "$SIM/sim/truth" >truth
    assert_equal "$(sed -n 's/^llamacpp:tokens_predicted_total //p' page)" "$(sed -E 's/.*"generation_tokens":([0-9]+).*/\1/' truth)"
    assert_equal "$(sed -n 's/^llamacpp:prompt_tokens_total //p' page)" "$(sed -E 's/.*"struck":0\},"prompt_tokens":([0-9]+),.*/\1/' truth)"
}

@test "llamacpp: headers wait for the first token, and the connection ends with the stream" {
    start_simulator --dialect llamacpp --preset l4-int4 --model tiny
    run curl -sS -o /dev/null -w '%{time_starttransfer} ' -H 'Content-Type: application/json' "$SIM/v1/completions" \
        -d "{\"prompt\":[$(seq -s, 20 420)],\"max_tokens\":2,\"stream\":true}"
    awk '{ exit !($1 > 0.4) }' <<<"$output" # 401 tokens of prompt
    post /v1/completions '{"prompt":"a","max_tokens":2,"stream":true}' -w '%{num_connects}\n' --next -sS "$SIM/health" -w '%{num_connects}\n'
    assert_line 'Keep-Alive: timeout=5, max=100'$'\r'
    assert_equal "$(grep -cxE '(\{"status":"ok"\})?1' <<<"$output")" 2
}

@test "llamacpp: a connection ends with its 100th request, and says so" {
    start_simulator --dialect llamacpp --preset instant
    run curl -sS -i "$SIM/health?[1-101]" -w '%{num_connects}\n'
    assert_equal "$(grep -c '^Connection: close' <<<"$output")" 1
    assert_equal "$(grep -c '^Keep-Alive: timeout=5, max=100' <<<"$output")" 100
    assert_equal "$(grep -cx '.*}1' <<<"$output")" 2
}

@test "llamacpp: a connection without a request is closed after 5 s" {
    start_simulator --dialect llamacpp --preset instant
    exec 5<>"/dev/tcp/127.0.0.1/${SIM##*:}"
    printf 'GET /health HTTP/1.1\r\nHost: h\r\n\r\n' >&5
    run timeout 30 cat <&5 # others keep it for 75 s
    exec 5>&-
    assert_success
    assert_output --partial '{"status":"ok"}'
}

@test "llamacpp: lengths, stops, tools and reasoning" {
    start_simulator --dialect llamacpp --preset instant --model tiny --max-model-len 80 --reasoning-tokens 3
    post /v1/completions '{"prompt":[1,2,3],"max_tokens":100000}' # cut where the context ends
    assert_output --partial '"usage":{"completion_tokens":77,"prompt_tokens":3,"total_tokens":80,'
    post /v1/completions '{"prompt":[1,2,3],"n_predict":4}'
    assert_output --partial '"usage":{"completion_tokens":4,'
    post /v1/completions '{"prompt":[1,2,3],"n_predict":30,"stop":["e"]}'
    assert_output --partial '"finish_reason":"stop"'
    post /v1/chat/completions '{"messages":[{"role":"user","content":"a"}],"max_tokens":8,"stream":true}'
    assert_output --partial '"delta":{"reasoning_content":"'
    post /v1/chat/completions '{"messages":[{"role":"user","content":"a"}],"max_tokens":8}'
    assert_output --partial '"reasoning_content":"'
    local tools='"tools":[{"type":"function","function":{"name":"look","parameters":{}}}],"tool_choice":"required"'
    post /v1/chat/completions "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_tokens\":8,$tools}" # the tools take tokens
    assert_output --partial '"type":"function","function":{"name":"look","arguments":"{'
    assert_output --partial '"finish_reason":"tool_calls"'
    post /tokenize '{"content":"one two"}'
    tokens=${output##*\[} tokens=${tokens%%\]*}
    post /detokenize "{\"tokens\":[$tokens]}"
    assert_output --partial '{"content":"one two"}'
}

@test "llamacpp: faults strike as they do elsewhere, before the headers too" {
    start_simulator --dialect llamacpp --preset l4-int4 --time-scale 50 --fault truncate=0:at=1 --fault status=503:at=2 --fault truncate=2:at=3
    body='{"prompt":[1,2],"max_tokens":5,"stream":true}'
    run curl -sS -i -H 'Content-Type: application/json' -d "$body" "$SIM/v1/completions"
    assert_failure 18
    assert_output --partial 'HTTP/1.1 200'
    post /v1/completions "$body"
    assert_output --partial '{"error":{"code":503,"message":"The simulator was told'
    assert_output --partial '"type":"unavailable_error"}}'
    assert_output --partial 'Connection: close'
    run curl -sS -H 'Content-Type: application/json' -d "$body" "$SIM/v1/completions"
    assert_failure 18
    assert_equal "$(grep -c 'data: ' <<<"$output")" 2
}

@test "tgi: chat and completions; no ids, no ignore_eos, a role in every delta" {
    start_simulator --dialect tgi --preset l4-int4 --time-scale 50 --model tiny
    for endpoint in chat completions; do
        rm -rf ws
        measure $endpoint
        assert_equal "$(field kind)" tgi
        assert_equal "$(field version)" 3.3.0-simulated
        assert_equal "$(field ignore_eos)" false
        assert_equal "$(field max_model_len)" 8192
        assert_equal "$(field metrics)" true
        assert_equal "$(field method)" usage
        assert_equal "$(field continuous_usage)" false
        assert_measured_rightly
        "$ROIBENCH" summarize --workspace ws --quiet >report
        grep -qF 'does not keep answers to a length' report
    done
    post /v1/chat/completions '{"messages":[{"role":"user","content":"a"}],"max_tokens":4,"stream":true}'
    assert_equal "$(grep -c '^data:{.*"delta":{"role":"assistant","content":"' <<<"$output")" 4
    assert_equal "$(grep -c '"finish_reason":"length"' <<<"$output")" 1
    assert_line 'data:[DONE]'
    post /v1/completions '{"prompt":"a","max_tokens":4,"n":3,"stream":true,"stream_options":{"include_usage":true}}'
    assert_equal "$(grep -c '"finish_reason":""' <<<"$output")" 3
    assert_line --partial '"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":4,"total_tokens":6}}'
    post /tokenize '{"inputs":"one two"}'
    assert_output --partial '"text":"one","start":0,"stop":3}'
    ask /metrics
    assert_line 'tgi_queue_size 0'
    assert_line --regexp 'tgi_request_generated_tokens_bucket\{le="\+Inf"\} [1-9]'
    ask /info
    assert_output --partial '"max_total_tokens":8192,'
}

@test "tgi: bodies that it does not like get 422, paths that are not there nothing" {
    start_simulator --dialect tgi --preset instant --model tiny
    post /v1/completions '{"prompt":[1,2]}'
    assert_line --partial 'HTTP/1.1 422'
    assert_output --partial '{"error":"Input validation error: `prompt` must be'
    post /v1/completions '{"prompt":"a","max_tokens":100000}'
    assert_output --partial '`inputs` tokens + `max_new_tokens` must be <= 32768. Given: 2 `inputs` tokens and 100000 `max_new_tokens`","error_type":"validation"}'
    post /v1/completions '{"prompt":"a","stop":["a","b","c","d","e"]}'
    assert_output --partial '`stop` supports up to 4 stop sequences. Given: 5'
    ask /version
    assert_line --partial 'HTTP/1.1 404'
    assert_line --regexp 'Content-Length: 0'
}

@test "openai: chat and completions without ignore_eos, nothing beside /v1" {
    start_simulator --dialect openai --preset l4-int4 --time-scale 50 --model tiny
    for endpoint in chat completions; do
        rm -rf ws
        measure $endpoint
        assert_equal "$(field kind)" openai
        assert_equal "$(field ignore_eos)" false
        assert_equal "$(field continuous_usage)" false
        assert_equal "$(field metrics)" false
        assert_measured_rightly
    done
    for path in /metrics /tokenize /version /health; do
        ask $path
        assert_line --partial 'HTTP/1.1 404'
        assert_output --partial "{\"error\":{\"message\":\"Invalid URL (GET $path)\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}"
    done
}

@test "openai: usage, obfuscation, and reasoning that is counted but not seen" {
    start_simulator --dialect openai --preset instant --model tiny --reasoning-tokens 5
    local ask='"model":"tiny","messages":[{"role":"user","content":"a"}],"max_completion_tokens":12,"stream":true'
    post /v1/chat/completions "{$ask,\"stream_options\":{\"include_usage\":true}}"
    assert_line --partial '"completion_tokens":12,'
    assert_line --partial '"reasoning_tokens":5,'
    assert_equal "$(grep -c '"usage":null' <<<"$output")" "$(grep -c '"index":0' <<<"$output")"
    assert [ "$(grep -c '"delta":{"content":"' <<<"$output")" -le 7 ]
    # A content and its obfuscation have one size together.
    sed -n 's/.*"delta":{"content":"\([^"]*\)".*"obfuscation":"\([^"]*\)".*/\1\2/p' <<<"$output" | awk 'length($0) % 16 { exit 1 } END { exit NR < 3 }'
    post /v1/chat/completions "{$ask,\"stream_options\":{\"include_obfuscation\":false}}"
    refute_output --partial obfuscation
    refute_output --partial '"usage"'
    post /v1/chat/completions "${ask/max_completion_tokens/max_tokens}" # no JSON at all
    assert_line --partial 'HTTP/1.1 400'
    post /v1/chat/completions "{${ask/max_completion_tokens/max_tokens}}"
    assert_output --partial "Use 'max_completion_tokens' instead.\",\"type\":\"invalid_request_error\",\"param\":\"max_tokens\",\"code\":\"unsupported_parameter\"}}"
}

@test "openai: a model that reasons is measured by max_completion_tokens, and its reasoning counted" {
    start_simulator --dialect openai --preset l4-int4 --time-scale 50 --model tiny --reasoning-tokens 5
    measure chat
    assert_equal "$(field max_completion_tokens)" true
    assert_equal "$(field exact)" true
    assert_measured_rightly
    # The first token that can be seen is the sixth.
    awk -F '[:,]' '{ for (k = 1; k < NF; k++) if ($k == "\"sent\"") sent = $(k + 1); else if ($k == "\"first_token\"") first = $(k + 1) }
        first - sent < 5 * 1000000 { exit 1 }' records
}

# Tokens are held back until they cannot be the beginning of a stop string.
@test "openai: offsets of log probabilities do not count tokens that were held back twice" {
    start_simulator --dialect openai --preset instant --model tiny
    post /v1/completions '{"model":"tiny","prompt":"a","max_tokens":40,"stream":true,"logprobs":1,"stop":"forty characters that never come in it.."}'
    assert_equal "$(grep -o '"text_offset":\[[0-9]*' <<<"$output" | head -n 1)" '"text_offset":[0'
    assert_output --partial '"finish_reason":"length"'
}

@test "openai: what it refuses" {
    start_simulator --dialect openai --preset instant --model tiny
    post /v1/completions '{"model":"tiny","prompt":"a","ignore_eos":true}'
    assert_output --partial 'Unrecognized request argument supplied: ignore_eos'
    post /v1/completions '{"model":"tiny","prompt":"a","stream":true,"stream_options":{"continuous_usage_stats":true}}'
    assert_output --partial "Unknown parameter: 'stream_options.continuous_usage_stats'."
    post /v1/completions '{"model":"tiny","prompt":"a","stream":true,"stream_options":"usage"}'
    assert_output --partial "Invalid type for 'stream_options'"
    post /v1/completions '{"model":"tiny","prompt":"a","temperature":2.5}'
    assert_output --partial "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5 instead."
    post /v1/completions '{"model":"tiny","prompt":"a","presence_penalty":-3}'
    assert_output --partial "Invalid 'presence_penalty': decimal below minimum value. Expected a value >= -2, but got -3 instead."
    post /v1/completions '{"prompt":"a"}'
    assert_output --partial 'you must provide a model parameter'
    post /v1/completions '{"model":"other","prompt":"a"}'
    assert_line --partial 'HTTP/1.1 404'
    assert_output --partial '"code":"model_not_found"'
    post /v1/completions '{"model":"tiny","prompt":"a","max_tokens":100000}'
    assert_output --partial '"code":"context_length_exceeded"'
    echo sk-secret >key
    start_simulator --dialect openai --preset instant --model tiny --api-key-file key
    ask /v1/models
    assert_line --partial 'HTTP/1.1 401'
    assert_output --partial '"code":"invalid_api_key"'
    run curl -sS -H 'Authorization: Bearer sk-secret' "$SIM/v1/models"
    assert_output --partial '"owned_by":"system"'
}

@test "a prefix cache is seen where usage tells of it, else as the server's metrics have it" {
    for told in "" --enable-prompt-tokens-details; do
        for caching in on off; do
            # shellcheck disable=SC2086 # nothing, or one option
            start_simulator --preset instant --model tiny --prefix-caching $caching $told
            run --separate-stderr timeout 60 "$ROIBENCH" prepare --target "$SIM/v1" --profile synchronous --dry-run --json
            assert_success
            assert_line --partial "\"prefix_caching\": $([[ $caching == on ]] && echo true || echo false)"
        done
    done
    start_simulator --dialect tgi --preset instant --model tiny
    run --separate-stderr timeout 60 "$ROIBENCH" prepare --target "$SIM/v1" --profile synchronous --dry-run --json
    assert_line --partial '"prefix_caching": null'
}

@test "sglang: chat and completions, its metrics in the report" {
    start_simulator --dialect sglang --preset l4-int4 --time-scale 50 --model tiny --enable-prompt-tokens-details
    for endpoint in chat completions; do
        rm -rf ws
        measure $endpoint
        assert_equal "$(field kind)" sglang
        assert_equal "$(field version)" 0.5.2-simulated
        assert_equal "$(field ignore_eos)" true
        assert_equal "$(field continuous_usage)" true
        assert_equal "$(field prefix_caching)" true
        assert_equal "$(field method)" "$([[ $endpoint == chat ]] && echo tokenize || echo token_ids)"
        assert_measured_rightly
        "$ROIBENCH" summarize --workspace ws --quiet >report
        run jq -e '.levels[0].server | .queue_depth.mean == 0 and .running.mean != null and .kv_cache.mean != null and
            .sums.output_tokens == .sums.client_output_tokens and .sums.ttft_mean_ms > 0 and .sums.itl_mean_ms > 0' ws/r/summary.json
        assert_success
    done
    post /v1/completions '{"prompt":"a","max_tokens":-1}'
    assert_line --partial '{"object":"error","message":"'
    ask /metrics
    assert_line 'sglang:num_running_reqs{model_name="tiny"} 0.0'
    assert_line --regexp 'sglang:time_to_first_token_seconds_bucket\{model_name="tiny",le="\+Inf"\} [1-9]'
}
