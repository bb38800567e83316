#!/usr/bin/env bats
# What `roibench run` says of a server that fails, against what the server says that it did: class by class, count by count.

load support/simulator # setup and teardown too

# 27 to 30 requests of 16 tokens in 4 streams: limits are model time, 50 times wall time
under() { # FAULT [TIMEOUT [OPTIONS of simulate...]]
    local fault=$1 timeout=${2:-60}
    rm -rf ws
    start_simulator --preset l4-int4 --time-scale 50 --model tiny "${@:3}"
    "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" --prompt-tokens 32 --output-tokens 16 --profile concurrent \
        --rate 4 --max-requests 24 --timeout "$timeout" --stall-timeout 20 >/dev/null 2>&1
    run curl -sSf -X PUT -d "[\"$fault\"]" "$SIM/sim/fault"
    assert_output --partial "\"fault\":\"$fault\",\"kind\":\"${fault%%[:=]*}\""
    run --separate-stderr timeout 60 "$ROIBENCH" run --workspace ws
    assert_success
}

records() { # TEXT: how many have it
    zcat ws/r/records.jsonl.gz | grep -c -- "$1" || true
}

sum() { # FIELD: over all records
    zcat ws/r/records.jsonl.gz | grep -o "\"$1\":[0-9]*" | awk -F: '{ n += $2 } END { print n + 0 }'
}

# One number of what the simulator really did; the first of that name.
truth() {
    curl -sS "$SIM/sim/truth" | grep -o "\"$1\":[0-9]*" | head -n 1 | grep -o '[0-9]*$'
}

struck() { # KIND: how often it has
    curl -sS "$SIM/sim/truth" | sed 's/.*"faults":{\([^}]*\)}.*/\1/' | grep -o "\"$1\":[0-9]*" | grep -o '[0-9]*$' || echo 0
}

# Every strike is a failure of this class, there is one at least, and nothing else has failed.
assert_all_are() { # KIND CLASS
    local count
    count=$(struck "$1")
    ((count > 0))
    assert_equal "$(records "\"error\":\"$2\"")" "$count"
    assert_equal "$(records '"outcome":"error"')" "$count"
    assert_server_is_left
}

assert_no_harm() { # KIND
    (($(struck "$1") > 0))
    assert_equal "$(records '"outcome":"ok"')" "$(records '"id"')"
    assert_equal "$(sum output_tokens)" $((16 * $(records '"id"')))
    assert_server_is_left
}

# Nothing is left in the server, and every request it took has one end.
assert_server_is_left() {
    wait_until server_is_idle
    assert_equal "$(truth received)" $(($(truth completed) + $(truth disconnected) + $(truth struck)))
    kill -0 "$SIM_PID"
}

truth_is() { # FIELD VALUE
    [[ $(truth "$1") == "$2" ]]
}

server_is_idle() {
    (($(truth running) + $(truth waiting) == 0))
}

server_is_ready() {
    curl -sSf -o /dev/null "$SIM/health"
}

@test "reset in mid-stream: reset" {
    under reset:every=5,after=3
    assert_all_are reset reset
    assert_equal "$(truth struck)" "$(struck reset)"
}

@test "reset before any byte: reset, unless the connection was an old one and the request went again" {
    under reset:rate=0.3,after=0
    local count
    count=$(struck reset)
    ((count > 0))
    assert_equal $(($(records '"error":"reset"') + $(sum reconnected))) "$count"
    assert_equal "$(records '"error"')" "$(records '"error":"reset"')"
    assert_server_is_left
}

@test "stall in mid-stream: stall" {
    under stall:every=8,after=2
    assert_all_are stall stall
    assert_equal "$(truth disconnected)" "$(struck stall)"
}

@test "a stalled stream gets no comment, and nothing that was waiting for the front end" {
    under stall:every=8,after=2 60 --sse-keep-alive-interval 50ms --frontend-time 20ms
    assert_all_are stall stall
    under sigterm:at=10,down=40,loading=0 60 --sse-keep-alive-interval 50ms --frontend-time 20ms
    (($(records '"error":"stall"') > 0))
    assert_equal "$(records '"error":"stall"')" "$(truth disconnected)"
    assert_server_is_left
}

@test "stall before the headers: stall" {
    under stall:at=7,after=0
    assert_all_are stall stall
    assert_equal "$(struck stall)" 1
}

@test "FIN in mid-stream, after the first token or the last: truncated" {
    under truncate:every=4
    assert_all_are truncate truncated
    under truncate:every=4,after=16
    assert_all_are truncate truncated
}

@test "a response that ends well but early: truncated" {
    under end-early:first=5,after=7
    assert_all_are end-early truncated
    assert_equal "$(struck end-early)" 5
}

@test "no [DONE], or [DONE] and no last HTTP chunk: the answer is whole" {
    under no-done
    assert_no_harm no-done
    under no-terminator
    assert_no_harm no-terminator
}

@test "a status: http_429, http_4xx, http_5xx, and the server's words" {
    under status=429:every=5,retry-after=3
    assert_all_are status http_429
    [[ $stderr == *"told to answer so (--fault status=429:every=5,retry-after=3)"* ]]
    under status=404:every=6
    assert_all_are status http_4xx
    under status=500:every=6
    assert_all_are status http_5xx
    under status:every=6
    assert_all_are status http_5xx
    assert_equal "$(truth refused)" "$(struck status)"
}

@test "Retry-After is sent; requests without a stream get a status too, and no other fault" {
    start_simulator --preset instant --fault status=503:first=1,retry-after=7 --fault reset:after=1 --fault no-done
    ask() { curl -sS -i -d '{"prompt":[1],"max_tokens":2}' -H 'Content-Type: application/json' "$SIM/v1/completions"; }
    run ask
    assert_line --regexp '^HTTP/1.1 503 '
    assert_line --regexp '^retry-after: 7'
    run ask
    assert_line --regexp '^HTTP/1.1 200 '
    assert_output --partial '"completion_tokens":2'
    assert_equal "$(struck status) $(struck reset)" "1 0"
}

@test "slow headers: nothing, stall or timeout, as the limits are" {
    under slow-headers=2:every=5
    assert_no_harm slow-headers
    under slow-headers=60:every=12
    assert_all_are slow-headers stall
    under slow-headers=60:every=12 15
    assert_all_are slow-headers timeout
}

@test "a client that goes before the engine has its request is none that the engine has lost" {
    start_simulator --preset instant --fault slow-headers=30:first=1 --fault reset:first=1,after=0
    run curl -sS --max-time 0.3 -d '{"prompt":[1],"max_tokens":2,"n":3,"stream":true}' -H 'Content-Type: application/json' "$SIM/v1/completions"
    assert_failure 28
    run curl -sS -d '{"prompt":[1],"max_tokens":2,"stream":true}' -H 'Content-Type: application/json' "$SIM/v1/completions"
    wait_until truth_is disconnected 1
    assert_server_is_left
    run curl -sS "$SIM/metrics"
    assert_line --regexp '^vllm:request_success_total\{.*finished_reason="abort".* 0\.0$'
}

@test "an error in the stream, whole response and all: error_event" {
    under error-event:every=5
    assert_all_are error-event error_event
    under error-event:every=5,after=0
    assert_all_are error-event error_event
    [[ $stderr == *"EngineCore encountered an issue"* ]]
}

@test "no usage: tokens are counted" {
    under no-usage
    assert_no_harm no-usage
    assert_equal "$(records '"chunk_tokens":"counted"')" "$(struck no-usage)"
}

@test "garbage in the stream: protocol" {
    under garbage:every=5
    assert_all_are garbage protocol
}

@test "a line without end: protocol, and the client goes" {
    under endless-line=1000000000000:every=12 100000
    assert_all_are endless-line protocol
    assert_equal "$(truth disconnected)" "$(struck endless-line)"
}

@test "a wrong chunk size: protocol" {
    under chunk-size:every=4
    assert_all_are chunk-size protocol
}

@test "byte by byte: nothing changes" {
    under byte-by-byte
    assert_no_harm byte-by-byte
    assert_equal "$(records '"chunk_tokens":"exact"')" "$(records '"id"')"
}

@test "a wrong Date: nothing changes" {
    under clock-skew=-2h
    assert_equal "$(records '"outcome":"ok"')" "$(records '"id"')"
    local told
    told=$(curl -sS -o /dev/null -D - "$SIM/health" | tr -d '\r' | sed -n 's/^[Dd]ate: //p')
    (($(date +%s) - $(date -d "$told" +%s) >= 7200))
}

@test "refused for a while: connect; then all is well" {
    under refuse:from=0,to=60
    assert_all_are_connect
    assert_equal "$(struck refuse)" 1
    assert_server_is_left
}

assert_all_are_connect() {
    (($(records '"error":"connect"') > 0))
    assert_equal "$(records '"outcome":"error"')" "$(records '"error":"connect"')"
}

@test "a restart: reset, then connect, then http_5xx; the counters begin again" {
    under restart:at=10,down=20,loading=60
    assert_equal "$(struck restart)" 1
    (($(records '"error":"connect"') > 0))
    assert_equal "$(records '"error":"http_5xx"')" "$(truth refused)"
    (($(truth refused) > 0))
    (($(records '"error":"reset"') > 0))
    # One that got no byte on an old connection goes again, and then it may be refused.
    (($(records '"error":"reset"') <= $(truth struck)))
    assert_equal "$(records '"outcome":"error"')" $(($(records '"error":"connect"') + $(records '"error":"http_5xx"') + $(records '"error":"reset"')))
    local since_then
    wait_until server_is_ready
    curl -sSf -o /dev/null -d '{"prompt":[1],"max_tokens":5}' -H 'Content-Type: application/json' "$SIM/v1/completions"
    since_then=$(curl -sS "$SIM/metrics" | sed -n 's/^vllm:generation_tokens_total{[^}]*} \([0-9]*\)\.0$/\1/p')
    ((since_then >= 5 && since_then < $(truth generation_tokens)))
    assert_server_is_left
}

@test "SIGTERM as vLLM takes it: open streams stall, new ones cannot connect; then all is well" {
    under sigterm:at=10,down=40,loading=0
    assert_equal "$(struck sigterm)" 1
    (($(records '"error":"stall"') > 0))
    (($(records '"error":"connect"') > 0))
    assert_equal "$(records '"outcome":"error"')" $(($(records '"error":"stall"') + $(records '"error":"connect"')))
    assert_equal "$(records '"error":"stall"')" "$(truth disconnected)"
    assert_server_is_left
}

@test "faults at run time: listed, added, replaced, cleared" {
    start_simulator --preset instant --fault reset:at=3
    list() { curl -sS "$@" "$SIM/sim/fault" | grep -o '"fault":"[^"]*"' | cut -d'"' -f4 | paste -sd ' '; }
    assert_equal "$(list)" "reset:at=3"
    assert_equal "$(list -d '["stall","no-usage:rate=0.5"]')" "reset:at=3 stall no-usage:rate=0.5"
    assert_equal "$(list -X PUT -d '["garbage"]')" "garbage"
    run curl -sS -w '\n%{http_code}' -d '["stall","explode"]' "$SIM/sim/fault"
    assert_line --partial "'explode' is no fault"
    assert_line 400
    run curl -sS -w '\n%{http_code}' -d 'stall' "$SIM/sim/fault"
    assert_line --partial "expected a JSON list"
    assert_line 400
    assert_equal "$(list)" "garbage"
    assert_equal "$(list -X DELETE)" ""
    run curl -sS -o /dev/null -w '%{http_code}' -X PATCH "$SIM/sim/fault"
    assert_output 405
}

@test "faults that make no sense: what is known, exit 2" {
    refuses() { # FAULT TEXT
        run --separate-stderr timeout 20 "$ROIBENCH" simulate --listen 127.0.0.1:0 --fault "$1"
        assert_failure 2
        [[ $stderr == *"--fault: "*"$2"* ]]
    }
    refuses explode "'explode' is no fault: expected KIND[:KEY=VALUE,...], KIND one of refuse, restart, "
    refuses reset:when=3 "the fault reset has no 'when'; it knows from, to, rate, every, first, at, after"
    refuses refuse:rate=0.1 "the fault refuse has no 'rate'; it knows from, to"
    refuses status=200 "code='200': expected a status from 400 to 599"
    refuses reset:rate=2 "rate='2': expected a share"
    refuses no-usage=3 "takes no value"
}

@test "--help and the page name every fault" {
    local help kind root=$BATS_TEST_DIRNAME/../..
    local -a kinds
    help=$("$ROIBENCH" simulate --help | tr -s ' \n' ' ')
    mapfile -t kinds < <(sed -n 's/^FAULT([a-z_]*, "\([a-z-]*\)".*/\1/p' "$root/src/serve/faults.def")
    assert_equal "${#kinds[@]}" "$(grep -c '^FAULT(' "$root/src/serve/faults.def")"
    for kind in "${kinds[@]}"; do
        [[ $help == *" $kind "* || $help == *" $kind; "* ]]
        grep -q "^| \`$kind\` |" "$root/docs/simulator.md"
    done
}
