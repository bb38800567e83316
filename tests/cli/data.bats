#!/usr/bin/env bats
# roibench prepare --data: every format goes from the file to the server, and what cannot be used is said before the load.

load support/simulator

prepare() {
    run --separate-stderr "$ROIBENCH" prepare --workspace ws --wait 5 --target "$SIM/v1" --profile concurrent --run-id r --rate "${rate:-2}" --max-requests "${requests:-20}" "$@"
}

field() { # FILE NAME: the first member of that name
    sed -nE "s/.*\"$2\": *\"?([^\",]*)\"?,?/\1/p" "$1" | head -1
}

# Runs the plan; every request must end well, with the tokens that the plan's rows have.
run_all() {
    run --separate-stderr "$ROIBENCH" run --workspace ws --quiet
    assert_success
    [ "$(zcat ws/r/records.jsonl.gz | grep -c '"outcome":"ok"')" -ge 20 ]
    ! zcat ws/r/records.jsonl.gz | grep -q '"outcome":"error"'
}

@test "each format is recognised, converted and sent" {
    start_simulator --preset instant --model tiny
    printf '[{"prompt": "What is this?"},\n {"prompt": "And that?", "max_tokens": 7}]' >json
    printf '{"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Gr\\u00fc\\u00dfe, \\"you\\"!"}],"output_tokens":3}\n' >jsonl
    printf 'prompt,output_tokens\n"a, b\n""c""",7\n# hash,8\n' >csv
    printf '[{"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Hello, you there"}]}]' >sharegpt
    printf '{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"x","messages":[{"role":"user","content":"a"}],"max_tokens":9}}\n' >openai_batch
    printf '{"timestamp": 0, "input_length": 100, "output_length": 5, "hash_ids": [0]}\n' >mooncake
    local format
    for format in json jsonl csv sharegpt openai_batch mooncake; do
        rm -rf ws
        prepare --data $format
        assert_success
        assert_equal "$(field ws/r/plan.json format)" $format
        run_all
    done
}

@test "the server counts what the plan says, for texts and for traces" {
    start_simulator --preset instant --model tiny
    printf '{"prompt":"one two three","max_tokens":5}\n{"prompt":"a much longer question than the one before it","max_tokens":5}\n' >texts
    printf '{"timestamp": 0, "input_length": 1000, "output_length": 5, "hash_ids": [0, 1]}\n{"timestamp": 1, "input_length": 77, "output_length": 5}\n' >trace
    local file endpoint
    for file in texts trace; do
        for endpoint in chat completions; do
            rm -rf ws
            prepare --data $file --endpoint $endpoint
            assert_success
            assert_equal "$(field ws/r/plan.json counted)" 2
            run_all
            diff <(sed -E 's/.*"prompt_tokens":([0-9]+).*/\1/' ws/r/data.jsonl | sort -n) \
                <(zcat ws/r/records.jsonl.gz | grep '"outcome":"ok"' | sed -E 's/.*"prompt_tokens":([0-9]+).*/\1/' | sort -nu)
        done
    done
}

@test "two nights with one seed: nothing is cached; --allow-prefix-cache: the second night is" {
    start_simulator --preset instant --model tiny --prefix-caching on --enable-prompt-tokens-details
    local k
    for k in 1 2 3 4 5 6 7 8; do printf '{"prompt":"%s","max_tokens":2}\n' "$k $(printf 'word%s ' {1..80})"; done >texts
    local nights
    for ((nights = 0; nights < 2; nights++)); do
        rm -rf ws
        requests=8 prepare --data texts
        assert_success
        "$ROIBENCH" run --workspace ws --quiet
        ! zcat ws/r/records.jsonl.gz | grep -q '"cached_tokens":[1-9]'
    done
    for ((nights = 0; nights < 2; nights++)); do
        rm -rf ws
        requests=8 prepare --data texts --allow-prefix-cache
        assert_success
        "$ROIBENCH" run --workspace ws --quiet
    done
    zcat ws/r/records.jsonl.gz | grep -q '"cached_tokens":[1-9]'
}

@test "equal hash ids of a trace are met by the server's prefix cache" {
    start_simulator --preset instant --model tiny --prefix-caching on --enable-prompt-tokens-details
    local k
    for k in {1..20}; do printf '{"timestamp": %d, "input_length": 1100, "output_length": 2, "hash_ids": [1, 2, %d]}\n' "$k" $((k + 10)); done >trace
    rate=1 prepare --data trace
    assert_success
    "$ROIBENCH" run --workspace ws --quiet
    # Of 1100 tokens the first 1024 are alike, in blocks of the server's.
    [ "$(zcat ws/r/records.jsonl.gz | grep -cE '"cached_tokens":(9[5-9].|10[0-2].)')" -ge 18 ]
}

@test "rows that are too long: left out, shortened, refused, before the load" {
    start_simulator --preset instant --model tiny --max-model-len 200
    { printf '{"prompt":"short","max_tokens":5}\n' && printf '{"prompt":"%s","max_tokens":20}\n' "$(printf 'word%s ' {1..400})" && printf '{"prompt":"short too","max_tokens":900}\n'; } >texts
    prepare --data texts
    assert_success
    [[ $stderr == *"texts: 2 rows do not fit into the model's context of 200 tokens together with the answer and were left out: lines 2, 3"* ]]
    assert_equal "$(field ws/r/plan.json too_long)" 2
    assert_equal "$(field ws/r/plan.json rows)" 1
    rm -rf ws
    prepare --data texts --too-long trim
    assert_success
    [[ $stderr == *"1 row was shortened"* ]]
    assert_equal "$(field ws/r/plan.json rows)" 2
    run_all
    rm -rf ws
    prepare --data texts --too-long refuse
    assert_failure 2
    [[ $stderr == *"texts: line 2: a prompt of "*" tokens and an answer of 20 do not fit into the model's context of 200 tokens. --too-long skip"* ]]
    [ ! -e ws/r ]
}

@test "too long on servers without /tokenize: asked by requests of one token; a chat's longest message is shortened" {
    local long
    long=$(printf 'wörd %.0s' {1..600})
    {
        printf '{"messages":[{"role":"system","content":"%s"},{"role":"user","content":[{"type":"text","text":"short"}]}],"max_tokens":20}\n' "$long"
        printf '{"messages":[{"role":"user","content":"short"}],"max_tokens":20}\n{"prompt":"what?","max_tokens":20}\n'
    } >chats
    local dialect
    for dialect in llamacpp tgi; do
        start_simulator --preset instant --model tiny --dialect $dialect --max-model-len 400
        rm -rf ws
        prepare --data chats --too-long trim
        assert_success
        [[ $stderr == *"1 row was shortened"* ]]
        assert_equal "$(field ws/r/plan.json rows)" 3
        run_all
    done
    start_simulator --preset instant --model tiny --dialect openai --max-model-len 400 # which does not tell its context
    rm -rf ws
    prepare --data chats
    assert_success
    [[ $stderr == *"the server does not tell how long a request may be; 1 that it refused when they were counted were left out: line 1"* ]]
    run_all
}

# talk TURNS WORDS: a ShareGPT row of so many turns, each with so many words.
talk() {
    local k words
    words=$(printf 'word%s ' $(seq "$2"))
    printf '{"conversations":[{"from":"system","value":"Be kind."}'
    for ((k = 0; k < $1; k++)); do printf ',{"from":"human","value":"%s%d"},{"from":"gpt","value":"and %d"}' "$words" $k $k; done
    printf ']}\n'
}

@test "conversations of ShareGPT: turns carry what the file has, are counted, and are met by the prefix cache" {
    start_simulator --preset instant --model tiny --prefix-caching on --enable-prompt-tokens-details
    { talk 3 40 && talk 1 5 && talk 5 60 && talk 3 50; } >talks
    rate=2 requests=18 prepare --data talks --turns 3
    assert_success
    [[ $stderr == *"talks: 1 conversation has fewer than 3 turns and was left out (--turns)"* ]]
    assert_equal "$(field ws/r/plan.json rows)" 9
    assert_equal "$(field ws/r/plan.json too_short)" 1
    run --separate-stderr "$ROIBENCH" run --workspace ws --quiet
    assert_success
    [ "$(zcat ws/r/records.jsonl.gz | grep -c '"outcome":"ok"')" -ge 18 ]
    # Row 3c + t is turn t of conversation c: the server counts what the row has, and the first turn alone finds nothing in the cache.
    zcat ws/r/records.jsonl.gz | grep '"outcome":"ok"' |
        sed -E 's/.*"prompt_tokens":([0-9]+).*"conversation":([0-9]+),"turn":([0-9]+).*/\2 \3 \1/' |
        while read -r conversation turn tokens; do
            [ "$tokens" -eq "$(sed -nE "$((conversation % 3 * 3 + turn + 1))s/.*\"prompt_tokens\":([0-9]+).*/\1/p" ws/r/data.jsonl)" ]
        done
    assert_equal "$(zcat ws/r/records.jsonl.gz | grep '"turn":0' | grep -c '"cached_tokens":[1-9]')" 0
    [ "$(zcat ws/r/records.jsonl.gz | grep -c '"turn":[12].*"outcome":"ok"\|"outcome":"ok".*"turn":[12]')" -ge 9 ]
    assert_equal "$(zcat ws/r/records.jsonl.gz | grep '"outcome":"ok"' | grep '"turn":[12]' | grep -cv '"cached_tokens":[1-9]')" 0
    run "$ROIBENCH" summarize --workspace ws --format markdown
    refute_output --partial "cached prompts"
}

@test "conversations of data: what does not fit is left out whole or refused, never cut; a dry run takes the first" {
    start_simulator --preset instant --model tiny --max-model-len 300
    { talk 3 30 && talk 3 80 && printf '{"conversations":[{"from":"human","value":"a"},{"from":"tool","value":"b"}]}\n'; } >talks
    prepare --data talks --turns 3 --skip-bad --data-rows 5
    assert_success
    [[ $stderr == *"talks: 1 row does not fit into the model's context of 300 tokens together with the answer and was left out: line 2"* ]]
    assert_equal "$(field ws/r/plan.json rows)" 3
    assert_equal "$(field ws/r/plan.json bad)" 1
    run_all
    prepare --data talks --turns 3 --skip-bad --dry-run
    assert_success
    [[ $output == *"in conversations of 3 turns"* ]]
    rm -rf ws
    prepare --data talks --turns 3 --too-long refuse
    assert_failure 2
    [[ $stderr == *"talks: line 2: a prompt of "*"--too-long skip leaves such rows out" ]]
    prepare --data talks --turns 3 --too-long trim
    assert_failure 2
    [[ $stderr == *"--too-long trim would cut what later turns say again"* ]]
    prepare --data talks --turns 9 --skip-bad
    assert_failure 2
    [[ $stderr == *"2 conversations have fewer than 9 turns and were left out"*"no row is left"* ]]
}

@test "a bad row: file, line, column, what was expected; --skip-bad goes on" {
    start_simulator --preset instant --model tiny
    printf '{"prompt":"a"}\n{"prompt":"b",}\n{"prompt":"c"}\n' >bad.jsonl
    prepare --data bad.jsonl
    assert_failure 2
    [[ $stderr == *"bad.jsonl: line 2, column 15: expected JSON"*"1 row before it was good; --skip-bad"* ]]
    [ ! -e ws/r ]
    prepare --data bad.jsonl --skip-bad
    assert_success
    [[ $stderr == *"bad.jsonl: 1 of 3 rows were left out; the first: line 2, column 15"* ]]
    assert_equal "$(field ws/r/plan.json bad)" 1
    run_all
    # All rows of a packed file can be read, but for the checksum behind them.
    rm -rf ws
    seq -f '{"prompt":"%g"}' 30 | gzip | head -c -8 >cut.gz
    prepare --data cut.gz
    assert_failure 2
    [[ $stderr == *"cut.gz: line 30, column 1: expected more behind this row: the file is cut off. 30 rows before it were good; --skip-bad"* ]]
    prepare --data cut.gz --skip-bad
    assert_success
    assert_equal "$(field ws/r/plan.json rows)" 30
}

@test "what is said when --data and its options make no sense" {
    SIM=http://127.0.0.1:1
    printf '["a"]' >a.json
    prepare --data nothing.json
    assert_failure 2
    [[ $stderr == *nothing.json* ]]
    prepare --data a.json --prompt-tokens 5 --output-tokens 5
    assert_failure 2
    [[ $stderr == *"--data says how long prompts are: --prompt-tokens contradicts it"* ]]
    prepare --data a.json --data-format parquet
    assert_failure 2
    [[ $stderr == *"openai_batch"*"sharegpt"* ]]
    prepare --data a.json --data-column text
    assert_failure 2
    [[ $stderr == *"--data-column: expected prompt=NAME"* ]]
    prepare --skip-bad
    assert_failure 2
    [[ $stderr == *"--skip-bad says how a file is read: it needs --data FILE"* ]]
    local option
    for option in data-order=shuffled too-long=trim data-rows=2 trace-block=5; do
        prepare "--$option"
        assert_failure 2
        [[ $stderr == *"--${option%=*} says how a file is read: it needs --data FILE"* ]]
    done
    prepare --data a.json --trace-block 16
    assert_failure 2
    [[ $stderr == *"--trace-block is for traces"*"a.json is read as json"* ]]
    printf '{"conversations":[{"from":"human","value":"a"}]}' >talks.one
    prepare --data talks.one --data-format sharegpt --data-column prompt=conversations
    assert_failure 2
    [[ $stderr == *"--data-column names columns of json, jsonl and csv; --data-format sharegpt has its own"* ]]
    printf '"abcdefghij"' | gzip -n | head -c 18 >cut.gz
    prepare --data cut.gz
    assert_failure 2
    [[ $stderr == *"cut.gz: line 1, column "*"(the file is cut off)"* ]]
    prepare --data prompt_tokens=5
    assert_failure 2
    [[ $stderr == *"output_tokens is missing"* ]]
}

@test "GuideLLM's way to write lengths" {
    start_simulator --preset instant --model tiny
    prepare --data prompt_tokens=100,prompt_tokens_stdev=5,output_tokens=10,samples=1000
    assert_success
    [[ $stderr == *"--data: samples: has no meaning here"* ]]
    [[ $stderr == *"prompts of 100 (standard deviation 5, 75 to 125) tokens, answers of 10"* ]]
    [ ! -e ws/r/data.jsonl ]
    run_all
    rm -rf ws
    prepare --data prompt_tokens=256,prompt_tokens_min=60,prompt_tokens_max=90,output_tokens=10
    assert_success
    [[ $stderr == *"prompts of 75 (uniform, 60 to 90) tokens, answers of 10"* ]]
    run_all
    [ "$(zcat ws/r/records.jsonl.gz | grep '"outcome":"ok"' | sed -E 's/.*"prompt_tokens":([0-9]+).*/\1/' | sort -u | wc -l)" -gt 5 ]
}

@test "--profile replay takes the times of the data's own trace" {
    start_simulator --preset instant --model tiny
    local k
    for k in {0..9}; do printf '{"timestamp": %d, "input_length": 50, "output_length": 2, "hash_ids": [%d]}\n' $((k * 20)) "$k"; done >trace
    run --separate-stderr "$ROIBENCH" prepare --workspace ws --wait 5 --target "$SIM/v1" --profile replay --data trace --run-id r
    assert_success
    [[ $stderr != *"times of the replay"* ]]
    "$ROIBENCH" run --workspace ws --quiet
    assert_equal "$(zcat ws/r/records.jsonl.gz | grep -c '"outcome":"ok"')" 10
    # As an array, packed, with a row that is none.
    { printf '[' && sed 's/$/,/' trace && printf '{"input_length":5}]'; } | gzip >packed
    run --separate-stderr "$ROIBENCH" prepare --workspace ws --wait 5 --target "$SIM/v1" --profile replay --data packed --run-id packed
    assert_failure 2
    [[ $stderr == *"--data, as the trace of --profile replay: packed: line 11, column 1: expected a member or column timestamp; the row has: input_length"* ]]
    run --separate-stderr "$ROIBENCH" prepare --workspace ws --wait 5 --target "$SIM/v1" --profile replay --data packed --run-id packed --skip-bad
    assert_success
    [[ $stderr == *"packed: 1 row"*"left out of the replay"* ]]
    cmp <(zcat ws/r/arrivals.jsonl.gz) <(zcat ws/packed/arrivals.jsonl.gz)
    run --separate-stderr "$ROIBENCH" prepare --workspace ws --wait 5 --target "$SIM/v1" --profile replay --data trace --data-rows 5 --run-id s
    assert_success
    [[ $stderr == *"there are more times than rows"* ]]
}

@test "the same seed and nonce: the same rows; a dry run writes nothing" {
    start_simulator --preset instant --model tiny
    local nonce=00112233445566778899aabbccddeeff
    printf '["one", "two", "three"]' >a.json
    prepare --data a.json --nonce $nonce --data-order shuffled
    assert_success
    mv ws one
    prepare --data a.json --nonce $nonce --data-order shuffled
    assert_success
    cmp one/r/data.jsonl ws/r/data.jsonl
    cmp one/r/data.index ws/r/data.index
    diff <(grep -vE '"(run_id|created|e2e_ns)"' one/r/plan.json) <(grep -vE '"(run_id|created|e2e_ns)"' ws/r/plan.json)
    rm -rf ws
    prepare --data a.json --dry-run
    assert_success
    [[ $output == *"a.json (3 rows of json)"* ]]
    [ ! -e ws ]
}

@test "a run whose rows were changed is refused" {
    start_simulator --preset instant --model tiny
    printf '["one", "two", "three"]' >a.json
    prepare --data a.json
    assert_success
    truncate -s 100 ws/r/data.jsonl
    run --separate-stderr "$ROIBENCH" run --workspace ws --quiet
    assert_failure 2
    [[ $stderr == *"data.jsonl and data.index do not belong together"* ]]
}
