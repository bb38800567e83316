#!/usr/bin/env bats
# roibench run on several threads: the same load, whoever carries it out.

load support/simulator # setup and teardown too

# prepare OPTIONS...: run "r" of workspace ws on the simulator
prepare() {
    "$ROIBENCH" prepare --workspace ws --run-id r --target "$SIM/v1" --prompt-tokens 32 --output-tokens "${output_tokens:-8}" "$@" >/dev/null 2>&1
}

run_plan() {
    run --separate-stderr timeout 100 "$ROIBENCH" run --workspace ws "$@"
}

# field NAME: its values, one a line, in the order of the file
field() {
    zcat ws/r/records.jsonl.gz | grep -v '"schema"\|"level_end"' | grep -o "\"$1\":[^,}]*" | cut -d : -f 2
}

server_runs() { # REQUESTS
    (($(curl -sS "$SIM/sim/truth" | grep -o '"running":[0-9]*' | head -n 1 | cut -d : -f 2) == $1))
}

level_end() { # NAME: its value in the journal's first level_end
    grep level_end ws/r/journal.jsonl | head -n 1 | grep -o "\"$1\":[^]}]*[]}]"
}

@test "streams are shared out: each has its requests, each body is sent once" {
    start_simulator --preset instant
    prepare --profile concurrent --rate 7 --max-requests 70 --stream-start together
    run_plan --workers 3
    assert_success
    assert_equal "$(field outcome | sort | uniq -c | xargs)" '70 ok'
    assert_equal "$(field stream | sort -nu | xargs)" '0 1 2 3 4 5 6'
    assert_equal "$(field i | sort -n | uniq -d)" ''
    # i = stream + k x streams, whatever the worker
    paste <(field stream) <(field i) | awk '$2 % 7 != $1 { exit 1 }'
    [[ $(level_end cpu) =~ ^\"cpu\":\[[0-9.]+,[0-9.]+,[0-9.]+\]$ ]]
    [[ $(level_end context_switches) == *voluntary* ]]
}

@test "an open loop's arrivals are the same on one thread and on four" {
    start_simulator --preset instant
    prepare --profile poisson --rate 200 --max-seconds 2 --drain 5 --seed 3
    run_plan --workers 1
    assert_success
    zcat ws/r/records.jsonl.gz | grep -o '"level_end":{.*"start":[0-9]*' | grep -o '"start":[0-9]*' | cut -d : -f 2 >start1
    paste <(field i) <(field intended) | awk -v s="$(<start1)" '{ print $1, $2 - s }' | sort -n >one
    rm -r ws
    prepare --profile poisson --rate 200 --max-seconds 2 --drain 5 --seed 3
    run_plan --workers 4
    assert_success
    zcat ws/r/records.jsonl.gz | grep -o '"level_end":{.*"start":[0-9]*' | grep -o '"start":[0-9]*' | cut -d : -f 2 >start4
    paste <(field i) <(field intended) | awk -v s="$(<start4)" '{ print $1, $2 - s }' | sort -n >four
    (($(wc -l <one) > 300))
    diff one four
}

@test "no more workers than streams, at least one, at most 256" {
    start_simulator --preset instant
    prepare --profile concurrent --rate 2 --max-requests 4
    run_plan --workers 8
    assert_success
    [[ $(level_end cpu) =~ ^\"cpu\":\[[0-9.]+,[0-9.]+\]$ ]]
    for workers in 0 257 two; do
        run_plan --workers "$workers"
        assert_failure 2
        [[ $stderr == *--workers* ]]
    done
}

@test "SIGTERM stops all workers: everything is recorded, exit 143" {
    start_simulator --preset l4-int4
    local output_tokens=200
    prepare --profile concurrent --rate 8 --max-seconds 60 --stream-start together
    "$ROIBENCH" run --workspace ws --workers 4 2>errors &
    local pid=$! status=0
    wait_until server_runs 8
    kill -TERM "$pid"
    wait "$pid" || status=$?
    assert_equal "$status" 143
    assert_equal "$(field outcome | sort | uniq -c | xargs)" '8 incomplete'
    grep -q '"reason":"stopped"' ws/r/journal.jsonl
}

@test "a server that refuses stops all workers" {
    start_simulator --preset instant
    prepare --profile concurrent --rate 6 --max-seconds 30
    curl -sS -X PUT -d '["status=400"]' "$SIM/sim/fault" >/dev/null
    run_plan --workers 3
    assert_failure 3
    [[ $stderr == *"refuses every request"* ]]
    grep -q '"reason":"target_refuses"' ws/r/journal.jsonl
}
