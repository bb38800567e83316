#!/usr/bin/env bats
# roibench simulate, by curl. What it sends in detail: tests/unit/serve.

load support/simulator # setup and teardown too

get() { # PATH [CURL OPTIONS...]
    local path=$1
    shift
    run curl -sS -w '\n%{http_code}' "$@" "$SIM$path"
    assert_success
}

post() { # PATH BODY [CURL OPTIONS...]
    local path=$1 body=$2
    shift 2
    get "$path" -H 'Content-Type: application/json' -d "$body" "$@"
}

simulate() {
    run --separate-stderr timeout 20 "$ROIBENCH" simulate "$@"
}

# One number of /metrics, whole.
metric() { # NAME
    curl -sS "$SIM/metrics" | sed -n "s/^vllm:$1{[^}]*} \([0-9]*\)\.0$/\1/p"
}

metric_is() { # NAME VALUE
    [[ $(metric "$1") == "$2" ]]
}

# `run` would wait in a subshell, whose children these are not.
end_with() { # SIGNAL STATUS
    status=0
    kill "-$1" "$SIM_PID"
    wait "$SIM_PID" || status=$?
    assert_equal "$status" "$2"
}

truth_has() { # TEXT
    curl -sS "$SIM/sim/truth" | grep -qF "$1"
}

@test "says where it listens, and serves a stream of exactly the tokens asked for" {
    start_simulator --model tiny --preset instant
    run cat "$SIM_LOG"
    assert_output --partial "listening on $SIM (model tiny, preset instant, time scale 1)"
    post /v1/chat/completions '{"model":"tiny","messages":[{"role":"user","content":"Say hi"}],"max_tokens":20,"stream":true,"stream_options":{"include_usage":true}}'
    assert_equal "$(grep -c '"delta":{"content"' <<<"$output")" 20
    assert_equal "$(grep -c '"role":"assistant"' <<<"$output")" 1
    assert_line --partial '"choices":[],"usage":{"prompt_tokens":11,"total_tokens":31,"completion_tokens":20}'
    assert_line 'data: [DONE]'
    assert_line 200
}

@test "answers without a stream, and token ids count as they are" {
    start_simulator --model tiny --preset instant
    post /v1/completions '{"model":"tiny","prompt":[7,8,9],"max_tokens":5}'
    assert_output --partial '"finish_reason":"length"'
    assert_output --partial '"usage":{"prompt_tokens":3,"total_tokens":8,"completion_tokens":5,'
    assert_line 200
}

@test "serves several prompts and choices at once, each a request of the engine" {
    start_simulator --model tiny --preset l4-int4 --time-scale 100
    post /v1/completions '{"prompt":[[1,2],"one"],"n":2,"max_tokens":3,"stream":true,"stream_options":{"include_usage":true}}'
    for index in 0 1 2 3; do
        assert_equal "$(grep -c "\"index\":$index," <<<"$output")" 3
    done
    assert_equal "$(grep -c '"finish_reason":"length"' <<<"$output")" 4
    assert_line --partial '"choices":[],"usage":{"prompt_tokens":4,"total_tokens":16,"completion_tokens":12}'
    metric_is request_params_n_count 2
    metric_is request_params_n_sum 4
    metric_is e2e_request_latency_seconds_count 4
    truth_has '"requests":{"received":1,"completed":1,"disconnected":0,"refused":0,"struck":0},"prompt_tokens":4,"cached_tokens":0,"generation_tokens":12'
    post /v1/chat/completions '{"messages":[{"role":"user","content":"hi"}],"n":2,"max_tokens":2,"stream":true}'
    run sed -nE 's/.*"index":([0-9]),"delta":\{"([a-z]+)".*/\1 \2/p' <<<"$output"
    assert_output $'0 role\n1 role\n0 content\n1 content\n0 content\n1 content'
    post /v1/completions '{"prompt":[[1,2],"one"],"n":2,"max_tokens":3}'
    assert_equal "$(grep -o '"index":[0-9]' <<<"$output" | tr -d '\n')" '"index":0"index":1"index":2"index":3'
    assert_output --partial '"usage":{"prompt_tokens":4,"total_tokens":16,"completion_tokens":12,'
}

@test "sends ids and the prompt back when asked for" {
    start_simulator --model tiny --preset instant
    post /v1/completions '{"prompt":[7,8,9],"max_tokens":2,"return_token_ids":true}'
    assert_line --regexp '"token_ids":\[[0-9]+,[0-9]+\],"prompt_logprobs":null,"prompt_token_ids":\[7,8,9\]'
    post /v1/completions '{"prompt":"say \"hi\"","max_tokens":2,"echo":true}'
    assert_line --partial '"text":"say \"hi\" '
}

@test "stops where a string, a token or chance says so" {
    start_simulator --model tiny --preset instant
    post /v1/completions '{"prompt":[7],"max_tokens":8,"return_token_ids":true}'
    ids=$(sed -n 's/.*"token_ids":\[\([0-9,]*\)\].*/\1/p' <<<"$output")
    # Each request has words of its own, but every request says some of these within so many tokens.
    post /v1/completions '{"prompt":[7],"max_tokens":200,"stop":[" fox who"],"stream":true,"stream_options":{"include_usage":true}}'
    assert_line --partial '"finish_reason":"stop","stop_reason":" fox who"'
    refute_line --partial '" who"'
    post /v1/completions '{"prompt":[7],"max_tokens":200,"stop":" fox who","include_stop_str_in_output":true}'
    assert_line --regexp '"text":"[^"]* fox who","logprobs":null,"finish_reason":"stop","stop_reason":" fox who"'
    post /v1/completions "{\"prompt\":[7],\"max_tokens\":200,\"stop_token_ids\":[${ids%%,*}]}"
    assert_line --partial "\"finish_reason\":\"stop\",\"stop_reason\":${ids%%,*},"
    get /metrics
    assert_line 'vllm:request_success_total{engine="0",finished_reason="stop",model_name="tiny"} 3.0'
    assert_line 'vllm:request_success_total{engine="0",finished_reason="length",model_name="tiny"} 1.0'
    start_simulator --model tiny --preset instant --eos-probability 1
    post /v1/completions '{"prompt":[7],"max_tokens":9,"min_tokens":4}'
    assert_line --partial '"finish_reason":"stop","stop_reason":null'
    assert_line --partial '"completion_tokens":5,'
    post /v1/completions '{"prompt":[7],"max_tokens":9,"ignore_eos":true}'
    assert_line --partial '"completion_tokens":9,'
    post /v1/completions '{"prompt":[7],"stop":""}'
    assert_line --partial 'stop cannot contain an empty string.'
    assert_line 400
}

@test "tells ids, texts and log probabilities apart" {
    start_simulator --model tiny --preset instant
    post /tokenize '{"prompt":"Ask me why","return_token_strs":true}'
    assert_line --regexp '"token_strs":\["<special 1>","Ask"," me"," why"\]'
    ids=$(sed -n 's/.*"tokens":\[\([0-9,]*\)\].*/\1/p' <<<"$output")
    post /detokenize "{\"model\":\"tiny\",\"tokens\":[$ids]}"
    assert_line '{"prompt":"Ask me why"}'
    post /detokenize '{"tokens":[131072]}'
    assert_line 400
    post /v1/completions '{"prompt":[7],"max_tokens":2,"logprobs":2}'
    assert_line --regexp '"logprobs":\{"text_offset":\[0,[0-9]+\],"token_logprobs":\[-[0-9.e-]+,-[0-9.e-]+\],"tokens":\["[^"]+","[^"]+"\],"top_logprobs":\[\{'
    post /v1/chat/completions '{"messages":[{"role":"user","content":"hi"}],"top_logprobs":2}'
    assert_line 400
    get /load
    assert_output $'{"server_load":0}\n200'
}

@test "reasons, and calls the tool it has to call" {
    start_simulator --model tiny --preset instant --reasoning-tokens 3
    local chat='"messages":[{"role":"user","content":"hi"}],"max_tokens":7,"tools":[{"type":"function","function":{"name":"look"}},{"type":"function","function":{"name":"go"}}]'
    post /v1/chat/completions "{$chat,\"stream\":true,\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"go\"}}}"
    run sed -nE 's/.*"delta":\{"([a-z_]+)".*"finish_reason":("[a-z_]+"|null).*/\1 \2/p' <<<"$output"
    assert_output $'role null\nreasoning null\nreasoning null\nreasoning null\ntool_calls null\ntool_calls null\ntool_calls null\ntool_calls "tool_calls"'
    post /v1/chat/completions "{$chat,\"tool_choice\":\"required\"}"
    assert_line --regexp '"content":null,.*"tool_calls":\[\{"id":"chatcmpl-tool-[0-9a-f]+","type":"function","function":\{"name":"look","arguments":"\{\\"text\\":\\"[^"]*\\"\}"\}\}\],"reasoning":"[^"]+"\}'
    assert_line --partial '"finish_reason":"tool_calls"'
    post /v1/chat/completions "{$chat}"
    assert_line --regexp '"content":"[^"]+",.*"reasoning":"[^"]+"'
    assert_line --partial '"finish_reason":"length"'
    post /v1/chat/completions "{$chat,\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"run\"}}}"
    assert_line --partial 'does not match any of the specified'
    assert_line 400
}

@test "a front end that is behind puts several tokens into a chunk" {
    start_simulator --preset instant --frontend-time 5ms --sse-keep-alive-interval 1ms --enable-per-request-metrics
    post /v1/completions '{"prompt":[1],"max_tokens":50,"stream":true,"stream_options":{"include_usage":true}}'
    assert_line --partial '"completion_tokens":50}'
    assert_line --partial '"metrics":{"time_to_first_token_ms":'
    assert_line ': keep-alive'
    chunks=$(grep -c '"index":0' <<<"$output")
    ((chunks < 50))
    truth_has "\"generation_tokens\":50,\"chunks\":$chunks,"
}

@test "tells who it is" {
    start_simulator --model tiny --preset 4xl4-bf16 --time-scale 20 --max-model-len 1000
    get /v1/models
    assert_line --partial '"id":"tiny"'
    assert_line --partial '"owned_by":"vllm"'
    assert_line --partial '"max_model_len":1000'
    get /version
    assert_line '{"version":"0.32.0-simulated","simulator":{"preset":"4xl4-bf16","time_scale":20}}'
    get /health
    assert_output $'\n200'
    post /tokenize '{"model":"tiny","prompt":"one two","add_special_tokens":false}'
    assert_line --regexp '^\{"count":2,"max_model_len":1000,"tokens":\[[0-9]+,[0-9]+\],"token_strs":null\}$'
}

@test "refuses as vLLM does" {
    start_simulator --model tiny --preset instant --max-model-len 100
    get /v1/nothing
    assert_output $'{"detail":"Not Found"}\n404'
    get /v1/completions
    assert_output $'{"detail":"Method Not Allowed"}\n405'
    post /v1/completions '{"model":"big","prompt":"x"}'
    assert_line --regexp 'The model .big. does not exist'
    assert_line 404
    post /v1/completions '{"prompt":"x","max_tokens":99}'
    assert_line --partial "This model's maximum context length is 100 tokens."
    assert_line 400
    post /v1/completions '{"prompt":'
    assert_line --partial "'type': 'json_invalid'"
    assert_line 400
    get /v1/completions -d '{"prompt":"x"}' -H 'Content-Type: text/plain'
    assert_line --partial "Only 'application/json' is allowed"
    assert_line 400
    post /v1/completions '{"prompt":"x","temperature":-1}'
    assert_line --partial "temperature must be non-negative, got -1.0. (parameter=temperature, value=-1.0)"
    assert_line 400
    post /v1/completions '{"prompt":"x","top_p":1.5}'
    assert_line --partial "top_p must be in (0, 1], got 1.5. (parameter=top_p, value=1.5)"
    assert_line 400
    post /v1/chat/completions '{"max_tokens":1}'
    assert_line --partial "'msg': 'Field required', 'input': {\\\"max_tokens\\\":1}}"
    assert_line 400
    truth_has '"requests":{"received":0,"completed":0,"disconnected":0,"refused":7,"struck":0}'
    metric_is prompt_tokens_total 0
}

@test "asks for its key, from a file or the environment, under /v1 only" {
    echo 'secret-1' >key
    start_simulator --preset instant --api-key-file key
    get /v1/models
    assert_output $'{"error":"Unauthorized"}\n401'
    get /v1/models -H 'Authorization: Bearer secret-2'
    assert_line 401
    get /v1/models -H 'Authorization: Bearer secret-1'
    assert_line 200
    get /metrics -o /dev/null
    assert_line 200
    ROIBENCH_API_KEY=secret-3 start_simulator --preset instant
    get /v1/models
    assert_line 401
    get /v1/models -H 'Authorization: Bearer secret-3'
    assert_line 200
}

@test "answers 503 until it is ready" {
    start_simulator --preset instant --ready-after 1h
    for path in /health /v1/models; do
        get "$path"
        assert_line 503
    done
    get /version
    assert_line 200
    start_simulator --preset instant --ready-after 300ms
    ready() { curl -sSf -o /dev/null "$SIM/health"; }
    wait_until ready
}

@test "counters, histograms and truth agree with what was asked for" {
    start_simulator --model tiny --preset l4-int4 --time-scale 100
    for k in 1 2 3; do
        post /v1/completions "{\"prompt\":[1,2,3,4],\"max_tokens\":1$k,\"stream\":true}"
    done
    metric_is prompt_tokens_total 12
    metric_is generation_tokens_total 36
    metric_is time_to_first_token_seconds_count 3
    metric_is inter_token_latency_seconds_count 33
    metric_is e2e_request_latency_seconds_count 3
    metric_is num_requests_running 0
    truth_has '"requests":{"received":3,"completed":3,"disconnected":0,"refused":0,"struck":0},"prompt_tokens":12,"cached_tokens":0,"generation_tokens":36,"chunks":36,"buffered_tokens":0,"ttft_ns":{"count":3,'
}

@test "a prompt that comes again is not computed again, unless caching is off" {
    local body first second
    body='{"prompt":['$(seq -s, 100 2099)'],"max_tokens":1,"stream":true}'
    first_tokens() { # of each request, ns after its arrival
        curl -sS "$SIM/sim/truth" | grep -o '"first_token_ns":[0-9]*' | cut -d: -f2 | tr '\n' ' '
    }
    start_simulator --preset l4-int4 --time-scale 4
    post /v1/completions "$body"
    post /v1/completions "$body"
    truth_has '"prompt_tokens":4000,"cached_tokens":1984,'
    truth_has '"prompt_tokens":2000,"cached_tokens":1984,"output_tokens":1,'
    read -r first second <<<"$(first_tokens)"
    ((first > 5 * second)) # the model's: 30 times
    metric_is prefix_cache_queries_total 4000
    metric_is prefix_cache_hits_total 1984
    metric_is kv_cache_usage_perc 0
    start_simulator --preset l4-int4 --time-scale 4 --prefix-caching off
    post /v1/completions "$body"
    post /v1/completions "$body"
    truth_has '"prompt_tokens":4000,"cached_tokens":0,'
    metric_is prefix_cache_queries_total 0
    read -r first second <<<"$(first_tokens)"
    ((first < 5 * second))
}

@test "the next turn of a conversation finds the last one's answer" {
    local answer ids
    start_simulator --preset instant --enable-prompt-tokens-details
    # The answer's 15th token has no text, but as the last one it is never computed: 18 + 14 tokens are two full blocks.
    post /v1/chat/completions '{"messages":[{"role":"user","content":"a b c d e f g h i"}],"max_tokens":15}'
    assert_output --partial '"prompt_tokens":18,'
    answer=$(grep -o '"content":"[^"]*"' <<<"$output")
    post /v1/chat/completions '{"messages":[{"role":"user","content":"a b c d e f g h i"},{"role":"assistant",'"$answer"'},{"role":"user","content":"j"}],"max_tokens":1}'
    assert_output --partial '"prompt_tokens_details":{"cached_tokens":32'
    ids=$(seq -s, 100 129)
    post /v1/completions '{"prompt":['"$ids"'],"max_tokens":67,"return_token_ids":true}'
    ids+=,$(sed -nE 's/.*"token_ids":\[([0-9,]*)\].*/\1/p' <<<"$output")
    post /v1/completions '{"prompt":['"$ids"'],"max_tokens":1}'
    assert_output --partial '"prompt_tokens_details":{"cached_tokens":96'
}

@test "a long prompt leaves budget to others when it must" {
    local ids
    ids=$(seq -s, 100 399)
    start_simulator --preset l4-int4 --time-scale 10 --max-num-batched-tokens 320 --long-prefill-token-threshold 160
    # Two prompts of 300 tokens: the first does not take the budget of the first step alone, and is not through after it.
    post /v1/completions '{"prompt":[['"$ids"'],[9,'"$ids"']],"max_tokens":1}'
    metric_is iteration_tokens_total_count 1
    metric_is iteration_tokens_total_sum 603
}

@test "/metrics counts HTTP requests and the process, as vLLM's does" {
    http_has() { curl -sS "$SIM/metrics" | grep -qxF "$1"; }
    start_simulator --model tiny --preset instant
    post /v1/completions '{"prompt":[1],"max_tokens":3,"stream":true}'
    post /v1/completions '{"prompt":'
    get /v1/nothing
    get /v1/models
    http_has 'http_requests_total{handler="/v1/completions",method="POST",status="2xx"} 1.0'
    http_has 'http_requests_total{handler="/v1/completions",method="POST",status="4xx"} 1.0'
    http_has 'http_requests_total{handler="none",method="GET",status="4xx"} 1.0'
    http_has 'http_request_duration_highr_seconds_count 4.0'
    http_has 'http_request_size_bytes_sum{handler="/v1/completions"} 53.0'
    curl -sS "$SIM/metrics" | grep -qE '^process_resident_memory_bytes [1-9]'
    curl -sS "$SIM/metrics" | grep -qE '^process_open_fds [1-9]'
}

@test "sends several tokens a chunk after the first" {
    start_simulator --preset instant --stream-interval 4
    post /v1/completions '{"prompt":[1],"max_tokens":14,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}'
    run sed -n 's/.*"index":0.*"completion_tokens":\([0-9]*\).*/\1/p' <<<"$output"
    assert_output $'1\n5\n9\n13\n14'
}

@test "a client that goes ends its generation; one that waits is seen waiting" {
    start_simulator --preset l4-int4 --max-num-seqs 1
    body='{"prompt":[1,2,3],"max_tokens":8000,"stream":true}'
    curl -sS -o /dev/null -H 'Content-Type: application/json' -d "$body" "$SIM/v1/completions" 3>&- &
    first=$!
    wait_until metric_is num_requests_running 1
    curl -sS -o /dev/null -H 'Content-Type: application/json' -d "$body" "$SIM/v1/completions" 3>&- &
    second=$!
    wait_until metric_is num_requests_waiting 1
    kill "$second"
    wait_until metric_is num_requests_waiting 0
    kill "$first"
    wait_until metric_is num_requests_running 0
    truth_has '"requests":{"received":2,"completed":0,"disconnected":2,'
}

# truth_of ID FIELD: the field of a request's line, numbers of an array one a line
truth_of() {
    sed -n "/\"id\":\"$1\"/s/.*\"$2\":\[*\([^]}]*\).*/\1/p" truth | tr , '\n'
}

@test "the truth file has every token's times, also of streams that are cut off" {
    start_simulator --preset l4-int4 --time-scale 50 --truth-file truth
    head -n 1 truth | grep -F '"schema":"roibench/truth-file/v1"'
    post /v1/chat/completions '{"messages":[{"role":"user","content":"Say hi"}],"max_tokens":20,"stream":true}' -H 'X-Request-Id: mine'
    curl -sS -o /dev/null "$SIM/sim/truth" # brings the file up to date
    assert_equal "$(truth_of chatcmpl-mine sent_ns | wc -l)" 20
    assert_equal "$(truth_of chatcmpl-mine sent_ns)" "$(truth_of chatcmpl-mine sent_ns | sort -n)"
    # No token leaves before it is due.
    paste <(truth_of chatcmpl-mine due_ns) <(truth_of chatcmpl-mine sent_ns) | awk '!($1 > 0 && $2 >= $1) { exit 1 }'
    truth_has '"send_lateness_ns":{"count":20,"p50":'
    curl -sS -o stream -H 'X-Request-Id: cut' -H 'Content-Type: application/json' -d '{"prompt":[1],"max_tokens":8000,"stream":true}' \
        "$SIM/v1/completions" 3>&- &
    wait_until grep -qs data: stream
    end_with TERM 143
    grep -F '"id":"cmpl-cut"' truth | grep -F '"disconnected":true'
    assert_equal "$(truth_of cmpl-cut output_tokens | head -n 1)" "$(truth_of cmpl-cut sent_ns | wc -l)"
    assert_equal "$(wc -l <truth)" 3
    simulate --listen 127.0.0.1:0 --truth-file missing/truth
    assert_failure 1
    [[ $stderr == *"cannot write the truth file missing/truth: No such file or directory"* ]]
}

@test "SIGTERM and SIGINT end it, open streams and all" {
    start_simulator --preset l4-int4
    curl -sS -o stream -H 'Content-Type: application/json' -d '{"prompt":[1],"max_tokens":8000,"stream":true}' "$SIM/v1/completions" 3>&- &
    client=$!
    wait_until grep -qs data: stream
    end_with TERM 143
    status=0
    wait "$client" || status=$?
    assert_equal "$status" 18 # curl's word for a transfer that was cut off
    start_simulator --preset instant
    end_with INT 130
}

@test "a port that is taken: which, exit 1" {
    start_simulator --preset instant
    simulate --listen "${SIM#http://}"
    assert_failure 1
    assert_equal "${stderr#*simulate: }" "cannot listen at ${SIM#http://}: Address already in use"
}

@test "settings that make no sense: usage, exit 2" {
    simulate --preset fast
    assert_failure 2
    [[ $stderr == *"instant"*"l4-int4"*"4xl4-bf16"* ]]
    simulate --listen here
    assert_failure 2
    [[ $stderr == *"'here' is no address to listen at"* ]]
    simulate --max-model-len 4096 --kv-blocks 255 --block-size 16
    assert_failure 2
    [[ $stderr == *"255 blocks of 16 tokens cannot hold one request"* ]]
    simulate --time-scale 0
    assert_failure 2
    simulate --model ''
    assert_failure 2
    simulate --speed 3
    assert_failure 2
    : >empty
    simulate --api-key-file empty
    assert_failure 2
}

@test "a port file that cannot be written: which, exit 1" {
    simulate --listen 127.0.0.1:0 --port-file missing/port
    assert_failure 1
    [[ $stderr == *missing/port* ]]
}

@test "a request for millions of tokens in thousands of choices is refused, and holds up nobody" {
    start_simulator --model tiny --preset instant
    post /v1/completions '{"model":"tiny","prompt":[[1],[2],[3]],"n":1000,"temperature":1,"max_tokens":30000,"stop":["zzzz"]}' --max-time 5
    assert_line 503
    post /v1/completions '{"model":"tiny","prompt":[[1],[2]],"n":100,"temperature":1,"max_tokens":20,"stop":["zzzz"]}' --max-time 5
    assert_line 200
}

@test "a reply that would be too large is an error, not half of it" {
    start_simulator --model tiny --preset instant
    body='{"prompt":[1],"n":8,"temperature":1,"max_tokens":32000,"logprobs":20}'
    run curl -sS -o reply -w '%{http_code}' -H 'Content-Type: application/json' -d "$body" "$SIM/v1/completions"
    assert_output 500
    run cat reply
    assert_output --partial '{"error":{"message":"The reply would have more than 67108864 bytes.'
    truth_has '"requests":{"received":1,"completed":1,"disconnected":0,'
    truth_has '"generation_tokens":0,'
}

@test "another model's name is told back, however long, and one that only begins like ours is another" {
    start_simulator --model tiny --preset instant
    printf '{"model":"%0100000d","prompt":[1]}' 7 >body
    get /v1/completions -H 'Content-Type: application/json' -d @body
    assert_line 404
    assert_output --regexp '"The model .0+7. does not exist.'
    post /v1/completions '{"model":"tiny\u0000er","prompt":[1]}'
    assert_line 404
}
