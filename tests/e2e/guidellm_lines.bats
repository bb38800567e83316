#!/usr/bin/env bats
# roibench benchmark beside GuideLLM itself: the same command line sends the same requests, the tables are the same, and no option is unknown.
# shellcheck disable=SC2154  # set by bats and the file loaded here
load support

readonly REQUESTS=24 PROMPT=64 OUTPUT=16

setup_file() {
    local tokenizer=$E2E_CACHE/tiny-tokenizer
    export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_HOME=$E2E_CACHE/cache/huggingface PYTHONDONTWRITEBYTECODE=1 NO_COLOR=1 TZ=UTC COLUMNS=400
    [[ -d $tokenizer ]] || {
        "$E2E_CACHE/venv-guidellm/bin/python" "$BATS_TEST_DIRNAME/make_tiny_tokenizer.py" "$tokenizer.new"
        mv "$tokenizer.new" "$tokenizer"
    }
    export TOKENIZER=$tokenizer REAL=$E2E_CACHE/venv-guidellm/bin/guidellm
    ln -s "$ROIBENCH" "$BATS_FILE_TMPDIR/guidellm"
}

setup() { cd "$BATS_TEST_TMPDIR" || return; }

teardown() { stop_process simulator; }

# Sets SIM: a new simulator, whose /sim/truth begins at 0.
start_model() {
    local port
    port=$(free_port)
    SIM=http://127.0.0.1:$port
    start_process simulator "$ROIBENCH" simulate --preset l4-int4 --time-scale 20 --model tiny --listen "127.0.0.1:$port"
    wait_for simulator 30 answers "$SIM/sim/truth"
}

# The line that both are called with.
line() { # FILE
    printf '%s\n' run --backend "kind=openai_http,target=$SIM,model=tiny" --profile kind=concurrent,streams=4 --constraint "kind=max_requests,count=$REQUESTS" \
        --tokenizer "kind=huggingface_auto,model=$TOKENIZER" --data "kind=synthetic_text,prompt_tokens=$PROMPT,output_tokens=$OUTPUT" --output "kind=json,path=$1"
}

truth() { curl --silent --fail "$SIM/sim/truth" | jq --compact-output "$1"; }

@test "every option of guidellm run is known" {
    "$REAL" run --help | grep -oE '(^|[ ,])--[a-z][a-z-]+' | tr -d ' ,' | sort -u >theirs
    "$BATS_FILE_TMPDIR/guidellm" run --help | grep -oE -- '--[a-z][a-z-]+' | sort -u >ours
    echo --help >>ours
    assert [ "$(wc -l <theirs)" -gt 15 ]
    assert_equal "$(grep -vxFf ours theirs)" ""
}

@test "one line, two programs: the same requests and tokens" {
    local -a words
    local of_real of_ours
    start_model
    mapfile -t words < <(line real.json)
    timeout 200 "$REAL" "${words[@]}" --disable-console
    of_real=$(truth '[.requests.received, .requests.completed, .generation_tokens]')
    stop_process simulator
    start_model
    mapfile -t words < <(line ours.json)
    "$BATS_FILE_TMPDIR/guidellm" "${words[@]}" --disable-console
    # What prepare asked the server is a few requests more; those of the level are counted in the report.
    of_ours=$(jq --compact-output '[.benchmarks[0].metrics | .request_totals.total, .request_totals.successful, (.output_token_count.successful.total_sum | round)]' ours.json)
    assert_equal "$of_ours" "$of_real"
    assert_equal "$of_ours" "[$REQUESTS,$REQUESTS,$((REQUESTS * OUTPUT))]"
    assert_equal "$(jq --compact-output '[.benchmarks[].config.strategy | .type_, .streams]' ours.json)" "$(jq --compact-output '[.benchmarks[].config.strategy | .type_, .streams]' real.json)"
}

# A table by its title, without what lies around it.
table() { # FILE TITLE
    awk -v title="ℹ $2" '$0 == title { on = 1; next } on && !/^\|/ { exit } on' "$1"
}

@test "GuideLLM loads our report, and prints the tables that we print" {
    local -a words
    start_model
    mapfile -t words < <(line ours.json)
    "$BATS_FILE_TMPDIR/guidellm" "${words[@]}" --override profile.streams 2,4 >ours.txt
    "$REAL" export ours.json --output kind=console >real.txt
    local title
    for title in "Run Summary Info" "Text Metrics Statistics (Completed Requests)" "Request Token Statistics (Completed Requests)" "Server Throughput Statistics (All Requests)"; do
        assert [ -n "$(table real.txt "$title")" ]
        assert_equal "$(table ours.txt "$title")" "$(table real.txt "$title")"
    done
}
