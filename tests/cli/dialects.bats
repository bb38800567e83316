#!/usr/bin/env bats
# The simulator's dialects: what prepare finds out about each, what run measures, and what is not there. The JSON of
# llama.cpp's is compared with captures in tests/unit/serve/simulator_wire_test.c.

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
    # The prompt cache is switched off by the client.
    curl -sS "$SIM/sim/truth" | grep -F '"cached_tokens":0,'
    zcat ws/r/metrics.jsonl.gz | grep -qF llamacpp:requests_processing
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
