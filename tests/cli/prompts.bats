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
