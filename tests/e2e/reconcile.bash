# The four subcommands on a real server, and the same numbers on both sides of the wire. A test file sets
#   RUNNING, GENERATED, PROMPTED   the server's metrics: requests running, tokens generated, tokens of prompts
# and, in setup_file, exports $URL.
# shellcheck shell=bash disable=SC2154  # bats and the test file set what seems unset here

LEVELS=1,2,4 REQUESTS=8 SENT=24

# Both kinds of run, one after the other, before any test: what went wrong is told by the tests of that kind.
run_both_endpoints() {
    prepare_and_run "$BATS_FILE_TMPDIR/chat" chat 64 64 >"$BATS_FILE_TMPDIR/chat.log" 2>&1 || true
    prepare_and_run "$BATS_FILE_TMPDIR/completions" completions 32 24 >"$BATS_FILE_TMPDIR/completions.log" 2>&1 || true
}

# Sets $work and $folder to those of the run that the test's description begins with: "chat:" or "completions:".
find_run() {
    local kind=${BATS_TEST_DESCRIPTION%%:*}
    work=$BATS_FILE_TMPDIR/$kind
    [[ -f $work/differences ]] || {
        cat "$BATS_FILE_TMPDIR/$kind.log"
        fail "prepare or run failed on $kind"
    }
    folder=$(cat "$work/folder")
}

# prepare_and_run FOLDER ENDPOINT PROMPT_TOKENS OUTPUT_TOKENS: leaves the run's folder in FOLDER/folder, and in
# FOLDER/differences what the server itself counted during `run` alone: tokens generated, tokens of prompts.
# Everything is bounded by requests, nothing by time.
prepare_and_run() {
    local folder before after
    mkdir -p "$1"
    folder=$(prepare_run "$1/workspace" --target "$URL/v1" --endpoint "$2" --wait 30 --profile concurrent \
        --rate "$LEVELS" --prompt-tokens "$3" --output-tokens "$4" --max-requests "$REQUESTS" \
        --stream-start together --hardware "a test machine" --gpus 1 --price-per-hour 1.00) || return
    echo "$folder" >"$1/folder"
    before=$(settled_counters "$URL/metrics" "$RUNNING" "$GENERATED" "$PROMPTED") || return
    "$ROIBENCH" run --workspace "$1/workspace" || return
    after=$(settled_counters "$URL/metrics" "$RUNNING" "$GENERATED" "$PROMPTED") || return
    paste <(echo "$before") <(echo "$after") | awk '{ print $2 - $1 }' >"$1/differences"
}

# Every request of a run bounded by requests ended well, and none was cancelled or sent twice.
assert_all_ended() { # FOLDER
    assert_equal "$(records "$1" length)" "$SENT"
    assert_equal "$(records "$1" 'map(.outcome) | unique')" '["ok"]'
    assert_equal "$(records "$1" 'group_by(.level) | map(length)')" "[$REQUESTS,$REQUESTS,$REQUESTS]"
    assert_equal "$(records "$1" 'map(.id) | unique | length')" "$SENT"
}

# The client's token counts are the server's, to the token.
assert_same_counts() { # FOLDER of prepare_and_run
    local counted
    counted=$(records "$(cat "$1/folder")" '(map(.output_tokens) | add), (map(.prompt_tokens) | add)')
    assert_equal "$counted" "$(cat "$1/differences")"
    assert [ "${counted%%[^0-9]*}" -gt 0 ]
}

# Lengths are what was asked for, as the server counts them, in every single request.
assert_lengths() { # FOLDER PROMPT_TOKENS OUTPUT_TOKENS
    assert_equal "$(records "$1" 'map(.prompt_tokens) | unique')" "[$2]"
    assert_equal "$(records "$1" 'map(.output_tokens) | unique')" "[$3]"
}

assert_summary() { # FOLDER WORKSPACE
    run -0 "$ROIBENCH" summarize --workspace "$2" --format markdown,json,csv
    assert_equal "$(jq --raw-output .schema "$1/summary.json")" roibench/summary/v1
    assert_equal "$(jq --compact-output '[.levels[].load]' "$1/summary.json")" "[1,2,4]"
    assert_equal "$(jq --compact-output '[.levels[].requests | .ok, .error, .incomplete]' "$1/summary.json")" \
        "[$REQUESTS,0,0,$REQUESTS,0,0,$REQUESTS,0,0]"
    # A server whose front end gets no time on a busy machine sends these short answers whole: a level may have no TPOT, and says why.
    jq --exit-status 'all(.levels[]; .ttft_ms.p50 > 0 and .output_tps > 0 and
        (.tpot_ms.p50 > 0 or (.missing.user_tps | contains("more than one arrival")))) and any(.levels[]; .tpot_ms.p50 > 0)' "$1/summary.json"
    assert [ -s "$1/report.md" ]
    assert [ -s "$1/summary.csv" ]
}

# Nobody else was there, so requests and tokens of each level are the same on both sides; a server that counts a request when it has ended may
# add the last ones later.
assert_reconciled() { # FOLDER WORKSPACE
    run -0 "$ROIBENCH" summarize --workspace "$2" --run-id "$(basename "$1")" --format json
    jq --exit-status '.levels | all(.server.reconciled | map(select(.over == "level" and .what != "ttft_p95_ms")) | length >= 2 and
        all(.agreement != "differs")) and all(.validity.reasons | all(test("traffic beside ours|one of several") | not))' "$1/summary.json"
}
