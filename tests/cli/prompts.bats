#!/usr/bin/env bats
# Prompts as the simulator gets them: how long, in which language, what of them it finds in its cache.

load support/simulator # setup and teardown too

prepare() {
    run --separate-stderr timeout 60 "$ROIBENCH" prepare --workspace ws --target "$SIM/v1" "$@"
}

@test "every language is exact by /tokenize" {
    start_simulator --preset instant --model tiny
    local language
    for language in en de fr es zh; do
        prepare --language $language --run-id $language --prompt-tokens 300 --output-tokens 2 --rate 3
        assert_success
        [[ $(<ws/$language/plan.json) == *"\"language\": \"$language\""* ]]
        [[ $(<ws/$language/plan.json) == *'"exact": true'* ]]
    done
    zcat ws/de/prompts.jsonl.gz | grep -qF '{"word":" Die","cost":1,"kind":"first"}'
    zcat ws/zh/prompts.jsonl.gz | grep -qF '。'
}

@test "a language that is not known: which are" {
    start_simulator --preset instant --model tiny
    prepare --language tlh
    assert_failure 2
    [[ $stderr == *"--language"*"en de fr es zh"* ]]
}

lengths() { # RUN FIELD: of its requests' records, one a line
    zcat "ws/$1/records.jsonl.gz" | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p"
}

@test "lengths of a histogram are what the server counts; run does not need the file" {
    start_simulator --preset instant --model tiny
    printf 'tokens,weight\n40,1\n90,2\n' >lengths.csv
    prepare --run-id h --profile concurrent --rate 4 --max-requests 60 --prompt-tokens histogram:lengths.csv --output-tokens uniform:2-5
    assert_success
    rm lengths.csv
    run timeout 60 "$ROIBENCH" run --workspace ws
    assert_success
    assert_equal "$(lengths h prompt_tokens | sort -nu | xargs)" "40 90"
    assert_equal "$(lengths h output_tokens | sort -nu | xargs)" "2 3 4 5"
}

@test "lengths that are no lengths: one sentence, exit 2" {
    start_simulator --preset instant --model tiny
    echo '40,x' >broken.csv
    local text
    for text in weibull:3 lognormal:mean=40 uniform:9-3 histogram:broken.csv histogram:nowhere.csv exponential:mean=9000000; do
        prepare --prompt-tokens "$text" --output-tokens 2
        assert_failure 2
        [[ $stderr == "roibench prepare: --prompt-tokens"* ]]
        assert_equal "$(wc -l <<<"$stderr")" 1
    done
    prepare --prompt-tokens lognormal:mean=100,sigma=1 --output-tokens 2 --profile concurrent --rate 1
    assert_failure 2
    [[ $stderr == *"1 tokens are too few"*"at least "* ]]
}

run_it() { # RUN: carries it out
    run timeout 60 "$ROIBENCH" run --workspace ws --run-id "$1"
    assert_success
}

@test "two nights with one seed: nothing is found in the cache; with --allow-prefix-cache all of it is" {
    start_simulator --preset instant --model tiny --prefix-caching on --enable-prompt-tokens-details
    local night common=(--profile concurrent --rate 1 --max-requests 40 --prompt-tokens 200 --output-tokens 2 --seed 7)
    for night in first second; do
        prepare --run-id $night "${common[@]}"
        assert_success
        run_it $night
        assert_equal "$(lengths $night cached_tokens | sort -nu | xargs)" 0
    done
    for night in third fourth; do
        prepare --run-id $night "${common[@]}" --allow-prefix-cache
        assert_success
        run_it $night
    done
    assert_equal "$(lengths third cached_tokens | sort -nu | xargs)" 0
    assert_equal "$(lengths fourth cached_tokens | sort -nu | xargs)" 192
}

@test "a shared prefix is what the cache finds, by /tokenize and by ids, and the report expects it" {
    start_simulator --preset instant --model tiny --prefix-caching on --enable-prompt-tokens-details
    local endpoint
    for endpoint in chat completions; do
        prepare --run-id $endpoint --endpoint $endpoint --profile concurrent --rate 1 --max-requests 90 --prompt-tokens 300 --output-tokens 2 \
            --shared-prefix-tokens 160 --shared-prefix-groups 2
        assert_success
        run_it $endpoint
        assert_equal "$(lengths $endpoint prompt_tokens | sort -nu | xargs)" 300
        assert_equal "$(lengths $endpoint cached_tokens | sort -nu | xargs)" "0 160"
        assert_equal "$(lengths $endpoint cached_tokens | grep -cx 0)" 1 # the other prefix is known from the request that prepare timed
        run "$ROIBENCH" summarize --workspace ws --run-id $endpoint
        assert_success
        refute_output --partial "in its cache"
    done
}

@test "a shared prefix that does not fit: one sentence, exit 2" {
    start_simulator --preset instant --model tiny
    prepare --shared-prefix-groups 3
    assert_failure 2
    [[ $stderr == *"--shared-prefix-groups"*"give --shared-prefix-tokens"* ]]
    prepare --shared-prefix-tokens 300 --prompt-tokens 300 --output-tokens 2
    assert_failure 2
    [[ $stderr == *"a prefix of 300 tokens leaves nothing of a prompt of 300"* ]]
    prepare --shared-prefix-tokens 297 --prompt-tokens 300 --output-tokens 2
    assert_failure 2
    [[ $stderr == *"chat template"*"leave nothing of a prompt of 300"* ]]
    echo '{"prompt":"a"}' >rows.jsonl
    prepare --shared-prefix-tokens 3 --data rows.jsonl
    assert_failure 2
    [[ $stderr == *"--shared-prefix-tokens is for prompts that are made"* ]]
}

@test "conversations: every turn is as long as what was said, by /tokenize, ids and usage, over two workers" {
    local endpoint dialect=vllm
    for endpoint in chat completions usage; do
        if [ $endpoint = usage ]; then dialect=openai; fi
        start_simulator --preset instant --model tiny --dialect $dialect
        prepare --run-id $endpoint --endpoint "${endpoint/usage/chat}" --profile concurrent --rate 3 --max-requests 60 --turns 4 --prompt-tokens 50 --output-tokens 10
        assert_success
        run timeout 60 "$ROIBENCH" run --workspace ws --run-id $endpoint --workers 2
        assert_success
        run bash -c "zcat ws/$endpoint/records.jsonl.gz | sed -n 's/.*\"prompt_tokens\":\([0-9]*\).*\"turn\":\([0-9]*\).*/\2 \1/p' | sort -u | xargs"
        assert_output "0 50 1 110 2 170 3 230"
        run bash -c "zcat ws/$endpoint/records.jsonl.gz | grep -c '\"conversation\":0,'"
        assert_output 4
        stop_simulators
    done
}

@test "conversations are refused where nobody holds them: one sentence, exit 2" {
    start_simulator --preset instant --model tiny
    prepare --turns 3
    assert_failure 2
    [[ $stderr == "roibench prepare: --turns: conversations are held by streams"* ]]
    prepare --turns 3 --profile poisson --rate 2
    assert_failure 2
    prepare --turns 3 --find breaking
    assert_failure 2
    prepare --turns 0 --profile concurrent --rate 2
    assert_failure 2
    echo '{"prompt":"a"}' >rows.jsonl
    prepare --turns 3 --data rows.jsonl --profile concurrent --rate 2
    assert_failure 2
    [[ $stderr == *"rows.jsonl: line 1, column 1: expected the messages of a conversation"* ]]
    prepare --turns 3 --profile concurrent --rate 2 --prompt-tokens 12 --output-tokens 2
    assert_failure 2
    [[ $stderr == *"too few for a later turn"* ]]
    prepare --turns 900 --profile concurrent --rate 2 --prompt-tokens 100 --output-tokens 2
    assert_failure 3
    [[ $stderr == *"do not fit into the model's context"*"or --turns"* ]]
}
