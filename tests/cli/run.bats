#!/usr/bin/env bats
# roibench run against the simulator: what is recorded, and what is kept when things go wrong.

load support/simulator # setup and teardown too

# prepare OPTIONS...: run "r" of workspace ws on the simulator
prepare() {
    "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" --prompt-tokens 64 --output-tokens 16 "$@" >/dev/null 2>&1
}

run_plan() {
    run --separate-stderr timeout 100 "$ROIBENCH" run --workspace ws "$@"
}

records() { # counts lines with the text
    zcat ws/r/records.jsonl.gz 2>/dev/null | grep -c -- "$1" || true
}

ends_with() { # STATUS PID
    local status=0
    wait "$2" || status=$?
    assert_equal "$status" "$1"
}

# One number of the simulator's /metrics.
metric() {
    curl -sS "$SIM/metrics" | sed -n "s/^vllm:$1{[^}]*} \([0-9]*\)\.0$/\1/p"
}

# One number of what the simulator really did; the first of that name.
truth() {
    curl -sS "$SIM/sim/truth" | grep -o "\"$1\":[0-9]*" | head -n 1 | grep -o '[0-9]*$'
}

server_is_idle() {
    (($(truth running) == 0))
}

server_is_full() {
    (($(truth received) > 20))
}

# sum FIELD: over all records
sum() {
    zcat ws/r/records.jsonl.gz | grep -o "\"$1\":[0-9]*" | awk -F: '{ n += $2 } END { print n + 0 }'
}

# The whole folder, packed files too, holds no such text.
assert_nowhere() { # TEXT
    run ! grep -rq -- "$1" ws
    local file
    for file in ws/r/*.gz; do
        run ! zgrep -aq -- "$1" "$file"
    done
}

# Another user, for whom permissions count; the shell itself when it is one. The program and the folder must be open to it.
as_nobody() {
    if (($(id -u) == 0)); then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}

@test "every request has a record, and the tokens are those that the server counted" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 1,4 --max-requests 20 --stream-start together
    local asked answered before chunks queried
    asked=$(metric prompt_tokens_total) answered=$(metric generation_tokens_total)
    before=$(truth completed) chunks=$(truth chunks) queried=$(metric prefix_cache_queries_total)
    run_plan
    assert_success
    assert_equal "$(records '"outcome":"ok"')" 40
    assert_equal "$(records '"prompt_tokens":64,"output_tokens":16')" 40
    assert_equal "$(records '"chunk_tokens":"exact"')" 40
    assert_equal "$(records level_end)" 2
    assert_equal $(($(metric prompt_tokens_total) - asked)) $((40 * 64))
    assert_equal $(($(metric generation_tokens_total) - answered)) $((40 * 16))
    assert_equal $(($(truth completed) - before)) 40
    # No prompt begins as another does.
    assert_equal $(($(metric prefix_cache_queries_total) - queried)) $((40 * 64))
    assert_equal "$(metric prefix_cache_hits_total)" 0
    assert_equal "$(truth cached_tokens)" 0
    assert_equal "$(truth received)" "$(truth completed)"
    # Beside its tokens an answer has the role's chunk and that of the usage.
    assert_equal $(($(truth chunks) - chunks)) $(($(sum chunks) - 2 * 40))
    assert_equal "$(sum coalesced)" $((40 * 16 - $(sum arrivals)))
    assert_equal "$(grep -c '"reason":"max_requests"' ws/r/journal.jsonl)" 2
    assert_equal "$(grep -o '"tokens":[0-9]*' ws/r/journal.jsonl | awk -F: '{ n += $2 } END { print n }')" $((40 * 16))
    grep -q '"step": *"run"' ws/r/manifest.json
    [ -s ws/r/tokens.bin.gz ]
    zcat ws/r/metrics.jsonl.gz | grep -q num_requests_running
    # Connections are kept: five were opened at most, one more for each level's start.
    (($(records '"reused":false') <= 5))
}

@test "a plan that is run again meets its own prompts in the cache, and the summary says so" {
    start_simulator --preset instant --enable-prompt-tokens-details
    prepare --profile concurrent --rate 2 --max-requests 20
    cp -r ws again
    run_plan
    assert_success
    assert_equal "$(sum cached_tokens)" 0
    "$ROIBENCH" run --workspace again >/dev/null 2>&1
    run --separate-stderr "$ROIBENCH" summarize --workspace ws
    refute_output --partial "in its cache"
    run --separate-stderr "$ROIBENCH" summarize --workspace again
    assert_output --partial "the server found more of a prompt in its cache than the shared template"
}

@test "open loop: requests are sent when they are due" {
    start_simulator --preset instant --model tiny
    prepare --profile constant --rate 50 --max-seconds 1
    run_plan
    assert_success
    assert_equal "$(records '"outcome":"ok"')" 49
    assert_equal "$(records '"stream"')" 0
}

@test "a sweep finds its own levels" {
    start_simulator --preset instant --model tiny --time-scale 1
    prepare --profile sweep --rate 3 --max-concurrency 4 --max-requests 10
    run_plan
    assert_success
    assert_equal "$(records level_end)" 3
    assert_equal "$(records '"kind":"poisson"')" 1
}

@test "SIGTERM in the middle: everything is recorded, exit 143" {
    start_simulator --preset l4-int4 --model tiny
    prepare --profile concurrent --rate 3 --max-seconds 60 --stream-start together
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until test -s ws/r/journal.jsonl
    sleep 2
    kill -TERM $pid
    ends_with 143 $pid
    assert_equal "$(records '"stopped"')" 0
    assert_equal "$(grep -c '"reason":"stopped"' ws/r/journal.jsonl)" 1
    assert_equal "$(records level_end)" 1
    (($(records cancelled) >= 1))
    grep -q '"exit_code": *143' ws/r/manifest.json
    wait_until server_is_idle # it was not left to generate for nobody
    run "$ROIBENCH" summarize --workspace ws
    assert_success
}

@test "SIGINT while requests wait for their turn: exit 130, and they are recorded too" {
    start_simulator --preset l4-int4 --model tiny --max-num-seqs 1
    prepare --profile constant --rate 1000 --max-seconds 60 --max-concurrency 20
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until server_is_full
    sleep 0.2
    kill -INT $pid
    ends_with 130 $pid
    (($(records '"stream"') == 0))
    (($(records '"id"') > 21))
    assert_equal "$(records '"id"')" "$(grep -o '"drawn":[0-9]*' ws/r/journal.jsonl | grep -o '[0-9]*$')"
}

@test "kill -9: what was measured can be read" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 3 --max-seconds 60
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until test -s ws/r/journal.jsonl
    sleep 2
    kill -KILL $pid
    ends_with 137 $pid
    (($(records '"outcome":"ok"') > 3))
    # It is missing what was answered in the last second before the end; of two seconds a quarter must be there on any machine.
    local answered
    answered=$(truth completed)
    (($(records '"outcome":"ok"') > answered / 4))
    run "$ROIBENCH" summarize --workspace ws
    assert_success
}

@test "the server dies: one sentence, exit 3, and what came before is kept" {
    start_simulator --preset instant --model tiny
    prepare --profile sweep --levels concurrent:1,2,3 --max-seconds 1 --drain 1
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until test -s ws/r/journal.jsonl
    sleep 0.5
    kill -KILL "$SIM_PID"
    ends_with 3 $pid
    grep -q 'could not be reached during the whole of level 2 ' log
    (($(records '"outcome":"ok"') > 0))
}

@test "a wrong key: the server's own words, exit 3" {
    printf right >key
    printf wrong >other
    start_simulator --preset instant --model tiny --api-key-file key
    prepare --api-key-file key --profile concurrent --rate 2 --max-seconds 2
    run_plan --api-key-file other
    assert_failure 3
    [[ $stderr == *"HTTP 401: Unauthorized"*"It needs an API key: --api-key-file or ROIBENCH_API_KEY"* ]]
    assert_nowhere right
    assert_nowhere wrong
    # Nothing but refusals: the load ends at once, not after --max-seconds.
    (($(records '"error":"http_4xx"') < 20))
}

@test "a model that is gone, prompts that are too long: the server's own words, exit 3" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 2 --max-requests 4
    cp ws/r/plan.json plan.json
    sed -i 's/"model": "tiny"/"model": "gone"/' ws/r/plan.json
    local url=$SIM
    run_plan
    assert_failure 3
    [[ $stderr == *"HTTP 404: The model \`"*"\` does not exist."* ]]
    start_simulator --preset instant --model tiny --max-model-len 50
    rm ws/r/records.jsonl.gz
    sed "s#$url#$SIM#" plan.json >ws/r/plan.json
    run_plan
    assert_failure 3
    [[ $stderr == *"HTTP 400: "*"maximum context length is 50 tokens"* ]]
}

@test "a file that may not grow: path, reason, exit 1, and the files can be read" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 8 --max-seconds 60
    run --separate-stderr bash -c "ulimit -f 64; exec timeout 100 '$ROIBENCH' run --workspace ws"
    assert_failure 1
    [[ $stderr == *ws/r/*"arge"* ]]
    (($(records '"outcome":"ok"') > 0))
}

@test "a full disk: path, reason, exit 1, and the load ends" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 8 --max-seconds 60
    ln -s /dev/full ws/r/tokens.bin.gz
    run_plan
    assert_failure 1
    [[ $stderr == *"cannot write ws/r/tokens.bin.gz: No space left on device. Free some space"* ]]
    (($(records '"outcome":"ok"') > 0))
    grep -q '"exit_code": *1,' ws/r/manifest.json
}

@test "a full disk for the server's metrics alone is told at the end" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 2 --max-requests 10 --stream-start together
    ln -s /dev/full ws/r/metrics.jsonl.gz
    run_plan
    assert_failure 1
    [[ $stderr == *"cannot write ws/r/metrics.jsonl.gz: No space left on device"* ]]
    assert_equal "$(records '"outcome":"ok"')" 10
}

@test "a folder that cannot be written to: path, reason, exit 1 before any load" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 2 --max-requests 10
    local before open
    before=$(truth received)
    # A place that another user can come to, wherever bats works.
    open=$(mktemp -d /tmp/roibench-run.XXXXXX)
    cp -r ws "$ROIBENCH" "$open"
    chmod -R a+rX "$open"
    chmod a-w "$open/ws/r"
    run --separate-stderr as_nobody "$open/roibench" run --workspace "$open/ws"
    rm -rf "$open"
    assert_failure 1
    [[ $stderr == *"$open/ws/r"*"Permission denied"* ]]
    # The same where root cannot write either.
    mkdir ws/r/journal.jsonl
    run_plan
    assert_failure 1
    [[ $stderr == *"ws/r/journal.jsonl: Is a directory"* ]]
    assert_equal "$(truth received)" "$before"
}

@test "too few descriptors for the streams are told before any load" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 500 --max-requests 10
    run --separate-stderr bash -c "ulimit -n 256; exec '$ROIBENCH' run --workspace ws --workers 2"
    assert_failure 1
    [[ $stderr == *"500 streams need 572 open files, and the limit is 256. Raise it"* ]]
    [ ! -e ws/r/records.jsonl.gz ]
}

@test "streams that go to several targets need a descriptor for each" {
    start_simulator --preset instant --model tiny
    prepare --target "${SIM/127.0.0.1/localhost}/v1" --profile concurrent --rate 100 --max-requests 400
    run --separate-stderr bash -c "ulimit -n 200; exec '$ROIBENCH' run --workspace ws --workers 2"
    assert_failure 1
    [[ $stderr == *"100 streams to each of 2 targets need 272 open files, and the limit is 200. Raise it"* ]]
}

@test "the server dies in the only level: what came is kept, and the failures are told" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 2 --max-seconds 1 --drain 1
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until test -s ws/r/journal.jsonl
    sleep 0.3
    kill -KILL "$SIM_PID"
    ends_with 0 $pid
    grep -q 'requests failed; the newest: .*refused' log
    (($(records '"outcome":"ok"') > 0))
    (($(records '"error":"connect"') > 0))
}

@test "progress: lines on a pipe, objects with --log-format json, nothing with --quiet" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 2 --max-requests 10 --stream-start together
    run_plan
    assert_success
    assert_output ''
    [[ $stderr == *"1/1    concurrent 2 streams"*"done: 10 requests in 1 finished level are in ws/r."* ]]
    [[ $stderr != *$'\e'* && $stderr != *$'\r'* ]]
    rm ws/r/records.jsonl.gz
    run_plan --log-format json
    assert_success
    run ! grep -qvE '^\{"time":"2[^"]*","level":"info","command":"run","message":"[^"]*"(,"progress":\{.*\})?\}$' <<<"$stderr"
    jq -es 'any(.[]; .progress.levels == 1 and .progress.load == 2 and .progress.last_error == null)' <<<"$stderr" >/dev/null
    rm ws/r/records.jsonl.gz
    run_plan --quiet
    assert_success
    [ -z "$stderr" ]
}

@test "a level that fails whole: that is said, and time limits in model time" {
    start_simulator --preset l4-int4 --model tiny --time-scale 10
    prepare --profile synchronous --max-requests 2
    sed -i 's/"timeout_seconds": null/"timeout_seconds": 0.2/' ws/r/plan.json
    run_plan
    assert_success
    [[ $stderr == *"2 of 2 requests failed; the newest: no end of the response within 200 ms"* ]]
    [[ $stderr == *"done: 2 requests, every one failed, in 1 finished level are in ws/r"* ]]
    assert_equal "$(records '"error":"timeout"')" 2
}

@test "SIGHUP is a signal to stop, too; nohup is obeyed" {
    start_simulator --preset l4-int4 --model tiny
    prepare --profile concurrent --rate 3 --max-seconds 60 --stream-start together
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until test -s ws/r/journal.jsonl
    sleep 1
    kill -HUP $pid
    ends_with 129 $pid
    grep -q '"exit_code": *129' ws/r/manifest.json
    run cat log
    assert_output --regexp 'stopped: [0-9]+ requests? in 0 finished levels \([0-9]+ were sent\) are in ws/r'
    rm ws/r/records.jsonl.gz ws/r/journal.jsonl
    sed -i 's/"max_seconds": 60/"max_seconds": 1/' ws/r/plan.json
    (trap '' HUP && exec "$ROIBENCH" run --workspace ws 2>log 3>&-) &
    pid=$!
    wait_until test -s ws/r/journal.jsonl
    kill -HUP $pid
    ends_with 0 $pid
}

@test "the live row is as long as the terminal's" {
    start_simulator --preset l4-int4 --model tiny --time-scale 10
    prepare --profile synchronous --max-requests 4
    script -qec "stty cols 40; '$ROIBENCH' run --workspace ws" typescript >/dev/null
    grep -q 'done: 4 requests' typescript
    tr '\r' '\n' <typescript | sed 's/\x1b\[[0-9]*[mK]//g' | grep -E '^(level|1/1) ' >rows
    (($(wc -l <rows) >= 2))
    assert_equal "$(awk 'length > 39' rows)" ''
}

@test "--help names every option, and no other is taken" {
    run "$ROIBENCH" run --help
    assert_success
    local option
    for option in workers warm-connections warm-model interleave shard start-at api-key-file cacert header insecure workspace run-id config log-format quiet verbose help; do
        assert_output --regexp "(^|[[:space:]])--$option"
    done
    for option in --resume --no-token-gaps --metrics-interval --strict --speed; do
        run --separate-stderr "$ROIBENCH" run "$option" 1
        assert_failure 2
        [[ $stderr == *"$option"* ]]
    done
    run --separate-stderr "$ROIBENCH" run --log-format xml
    assert_failure 2
    [[ $stderr == *text*json* ]]
    run --separate-stderr "$ROIBENCH" run folder
    assert_failure 2
    [[ $stderr == *"there is no run folder: neither a folder nor a run of the workspace"* ]]
}

@test "plans that cannot be run: exit 2 and what to do" {
    run_plan
    assert_failure 2
    [[ $stderr == *prepare* ]]
    mkdir -p ws/r
    echo r >ws/latest
    echo '{"schema":"roibench/plan/v1","run_id":"r","created":"x"}' >ws/r/plan.json
    run_plan
    assert_failure 2
    [[ $stderr == *"ws/r/plan.json: created: expected a date"* ]]
    echo '{"schema":"roibench/plan/v2"}' >ws/r/plan.json
    run_plan
    assert_failure 2
    [[ $stderr == *ws/r/plan.json*schema*roibench/plan/v1* ]]
    echo '{"schema":' >ws/r/plan.json
    run_plan
    assert_failure 2
    [[ $stderr == *ws/r/plan.json*line* ]]
    rm ws/r/plan.json
    run_plan
    assert_failure 2
    [[ $stderr == *ws/r/plan.json* ]]
    run_plan --run-id ../r
    assert_failure 2
}

@test "a plan whose prompts are missing or broken: exit 2, and which file" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 2 --max-requests 10
    echo nothing | gzip >ws/r/prompts.jsonl.gz
    run_plan
    assert_failure 2
    [[ $stderr == *ws/r/prompts.jsonl.gz* ]]
    rm ws/r/prompts.jsonl.gz
    run_plan
    assert_failure 2
    [[ $stderr == *ws/r/prompts.jsonl.gz* ]]
}

@test "not one request gets through TLS: exit 3 at the end of the first level, with the reason" {
    start_simulator --preset instant --model tiny
    prepare --profile sweep --levels concurrent:2,3 --max-requests 4
    sed -i 's#"http://127#"https://127#' ws/r/plan.json
    run_plan
    assert_failure 3
    [[ $stderr == *"could not be reached during the whole of level 1 (the server speaks plain HTTP, not TLS"* ]]
    assert_equal "$(records level_end)" 1
}

@test "the CA file of prepare is used by run, and missed when it is not there" {
    start_simulator --preset instant --model tiny
    cp "$BATS_TEST_DIRNAME/../data/ca.pem" ca.pem
    prepare --cacert ca.pem --profile concurrent --rate 2 --max-requests 4
    grep -q "\"ca_file\": \"$PWD/ca.pem\"" ws/r/plan.json
    mv ca.pem other.pem
    run_plan
    assert_failure 2
    [[ $stderr == *"$PWD/ca.pem, the CA file that prepare was given, is not here. Give it by --cacert"* ]]
    echo nothing >ca.pem
    run_plan
    assert_failure 2
    [[ $stderr == *"cannot read certificates from $PWD/ca.pem"* ]]
    run_plan --cacert other.pem
    assert_success
}

@test "two runs of one plan started together: one measures, the other is refused before any load" {
    start_simulator --preset l4-int4 --model tiny
    prepare --profile concurrent --rate 2 --max-requests 6 --stream-start together
    local first second one=0 two=0 before
    before=$(truth received)
    "$ROIBENCH" run --workspace ws 2>first 3>&- &
    first=$!
    "$ROIBENCH" run --workspace ws 2>second 3>&- &
    second=$!
    wait $first || one=$?
    wait $second || two=$?
    assert_equal $((one + two)) 2
    cat first second | grep -qE 'ws/r/records.jsonl.gz is (being written by another run|there already)'
    assert_equal "$(records '"outcome":"ok"')" 6
    assert_equal "$(records '"schema"')" 1
    assert_equal $(($(truth received) - before)) 6
    run "$ROIBENCH" summarize --workspace ws
    assert_success
}

@test "an attempt in which no request ended well may be repeated" {
    printf right >key
    start_simulator --preset instant --model tiny --api-key-file key
    prepare --api-key-file key --profile concurrent --rate 2 --max-requests 4
    run_plan
    assert_failure 3
    run_plan --api-key-file key
    assert_success
    [[ $stderr == *"ws/r: an attempt in which no request ended well is written over"* ]]
    assert_equal "$(records '"outcome":"ok"')" "$(records '"id"')"
}

@test "a start that fails before any load leaves nothing: the plan can be run afterwards" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 2 --max-requests 4
    cp ws/r/plan.json plan.json
    sed -i "s|$SIM/v1|http://nobody.invalid:1/v1|" ws/r/plan.json
    run_plan
    assert_failure 3
    [[ $stderr == *nobody.invalid* ]]
    [ ! -e ws/r/records.jsonl.gz ]
    cp plan.json ws/r/plan.json
    run_plan
    assert_success
    [[ $stderr != *"written over"* ]]
}

@test "kill -9 before anything ended: the plan can be run" {
    start_simulator --preset l4-int4 --model tiny
    prepare --profile concurrent --rate 2 --max-requests 4 --stream-start together
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until test -e ws/r/records.jsonl.gz
    kill -KILL $pid
    ends_with 137 $pid
    run_plan
    assert_success
    assert_equal "$(records '"outcome":"ok"')" 4
    assert_equal "$(records '"schema"')" 1
}

@test "kill -9 in the middle: the archive's manifest has what was measured" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 3 --max-seconds 60
    "$ROIBENCH" run --workspace ws 2>log 3>&- &
    local pid=$!
    wait_until test -s ws/r/journal.jsonl
    kill -KILL $pid
    ends_with 137 $pid
    run --separate-stderr "$ROIBENCH" publish --workspace ws --to out
    assert_success
    [[ $stderr != *"not what its manifest.json says"* ]]
    assert_equal "$(tar -xzOf out/r.tar.gz r/manifest.json | jq -r '.files["records.jsonl.gz"].sha256')" \
        "$(sha256sum ws/r/records.jsonl.gz | cut -d ' ' -f 1)"
}

@test "a manifest that cannot be read is told before any load" {
    start_simulator --preset instant --model tiny
    prepare --profile concurrent --rate 2 --max-requests 4
    local before
    before=$(truth received)
    echo '{"schema":' >ws/r/manifest.json
    run_plan
    assert_failure 2
    [[ $stderr == *"ws/r/manifest.json"*line* ]]
    assert_equal "$(truth received)" "$before"
    [ ! -e ws/r/records.jsonl.gz ]
}

@test "a plan is run once" {
    start_simulator --preset instant --model tiny
    prepare --profile synchronous --max-requests 2
    run_plan
    assert_success
    run_plan
    assert_failure 2
    [[ $stderr == *"this plan was run"* ]]
}

@test "--warm-model: as many at once as each level will send, before it, and in no record" {
    start_simulator --preset instant --model tiny
    timeout 60 "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" --profile concurrent --rate 2,5 --max-requests 5 --prompt-tokens 16 \
        --output-tokens 4
    local before after
    before=$(curl -sS "$SIM/metrics" | sed -n 's/^vllm:request_success_total{.*finished_reason="length".*} \([0-9]*\).*/\1/p')
    run --separate-stderr timeout 60 "$ROIBENCH" run --workspace ws --warm-model
    assert_success
    [[ $stderr == *"--warm-model: 7 requests in "* ]]
    after=$(curl -sS "$SIM/metrics" | sed -n 's/^vllm:request_success_total{.*finished_reason="length".*} \([0-9]*\).*/\1/p')
    assert_equal $((after - before)) $((7 + $(zcat ws/r/records.jsonl.gz | grep -c '"outcome"')))
}
