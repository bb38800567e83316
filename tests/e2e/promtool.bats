#!/usr/bin/env bats
# The simulator's /metrics as Prometheus' own tool reads it, under load and after, and whether it adds up.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support

setup_file() {
    export PORT BEFORE=$BATS_FILE_TMPDIR/before LOADED=$BATS_FILE_TMPDIR/loaded AFTER=$BATS_FILE_TMPDIR/after WORKSPACE=$BATS_FILE_TMPDIR/workspace FOLDER
    PORT=$(free_port)
    start_process simulator "$ROIBENCH" simulate --listen "127.0.0.1:$PORT" --model tiny --preset l4-int4 --time-scale 20
    wait_for simulator 20 answers "http://127.0.0.1:$PORT/health"
    FOLDER=$(prepare_run "$WORKSPACE" --target "http://127.0.0.1:$PORT/v1" --wait 10 --profile concurrent --rate 8 \
        --prompt-tokens 64 --output-tokens 64 --max-requests 64 --warmup 0)
    curl --silent --fail "http://127.0.0.1:$PORT/metrics" >"$BEFORE" # the preparation has asked, too
    start_process run "$ROIBENCH" run --workspace "$WORKSPACE"
    wait_for run 20 is_running
    curl --silent --fail "http://127.0.0.1:$PORT/metrics" >"$LOADED"
    wait_for_end run 60
    curl --silent --fail "http://127.0.0.1:$PORT/metrics" >"$AFTER"
}

teardown_file() {
    stop_process run
    stop_process simulator
}

is_running() { (($(counter "http://127.0.0.1:$PORT/metrics" vllm:num_requests_running) >= 4)); }

# wait_for_end NAME SECONDS
wait_for_end() {
    local pid deadline=$((SECONDS + $2))
    pid=$(cat "$BATS_FILE_TMPDIR/$1.pid")
    while kill -0 "$pid" 2>/dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

# What promtool finds amiss, one a line. It ends 3 for bad style and 1 for what is no metrics page.
complaints() {
    local status=0
    "$E2E_CACHE/promtool/usr/bin/promtool" check metrics 2>&1 <"$1" || status=$?
    ((status == 0 || status == 3)) || echo "promtool ended $status"
}

# All histograms of a page: buckets that never fall, the last one equal to _count; and _count > 0 where it is wanted.
assert_adds_up() { # FILE
    awk '
        /^#/ { next }
        {
            name = $0; sub(/ [^ ]*$/, "", name)
            series = name; sub(/le="[^"]*",?/, "", series); sub(/,}/, "}", series); sub(/{}/, "", series)
        }
        name ~ /_bucket{/ {
            sub(/_bucket/, "", series)
            if ($NF < last[series] + 0) { print "falls: " name; bad = 1 }
            last[series] = $NF
            if (name ~ /le="\+Inf"/) infinite[series] = $NF
        }
        name ~ /_count/ { sub(/_count/, "", series); count[series] = $NF }
        name ~ /_sum/ { sub(/_sum/, "", series); sum[series] = $NF }
        END {
            for (s in infinite) {
                n++
                if (!(s in count) || !(s in sum) || infinite[s] != count[s]) { print "does not add up: " s; bad = 1 }
                if (count[s] == 0 && sum[s] != 0) { print "a sum of nothing: " s; bad = 1 }
            }
            if (n < 19) { print n " histograms"; bad = 1 }
            exit bad
        }' "$1"
}

@test "promtool complains of nothing that it does not complain of in vLLM's own page" {
    sed '1,/^\r*$/d' tests/data/wire/vllm/get_metrics.raw >"$BATS_TEST_TMPDIR/vllm"
    for page in "$LOADED" "$AFTER"; do
        run comm -13 <(complaints "$BATS_TEST_TMPDIR/vllm" | sort) <(complaints "$page" | sort)
        assert_output ''
    done
    run complaints <(echo 'no metrics at all')
    assert_output --partial 'promtool ended 1'
}

@test "histograms add up, under load and after" {
    assert_adds_up "$LOADED"
    assert_adds_up "$AFTER"
    assert [ "$(sed -n 's/^vllm:num_requests_running{.*} //p' "$LOADED")" != 0.0 ]
    assert_equal "$(sed -n 's/^vllm:num_requests_running{.*} //p' "$AFTER")" 0.0
}

@test "the page counts what the client counted" {
    total() { sed -n "s/^$1{[^}]*} //p" "$2" | awk '{ sum += $1 } END { print sum + 0 }'; }
    metric() { echo $(($(total "$1" "$AFTER") - $(total "$1" "$BEFORE"))); }
    local requests tokens
    requests=$(records "$FOLDER" 'map(select(.outcome == "ok")) | length')
    tokens=$(records "$FOLDER" 'map(.output_tokens) | add')
    assert [ "$requests" -ge 64 ]
    assert_equal "$(metric vllm:request_success_total)" "$requests"
    assert_equal "$(metric vllm:generation_tokens_total)" "$tokens"
    assert_equal "$(metric vllm:inter_token_latency_seconds_count)" "$((tokens - requests))"
    assert_equal "$(metric vllm:time_to_first_token_seconds_count)" "$requests"
    assert_equal "$(metric vllm:e2e_request_latency_seconds_count)" "$requests"
    assert_equal "$(metric http_requests_total)" "$(metric http_request_duration_seconds_count)"
}
