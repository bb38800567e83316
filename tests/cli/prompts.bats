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
