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

@test "--warm-connections: no request has to open one" {
    start_simulator --preset instant
    prepare --profile concurrent --rate 6 --max-requests 30 --stream-start together
    run_plan --workers 2 --warm-connections
    assert_success
    assert_equal "$(field reused | sort | uniq -c | xargs)" '30 true'
    grep -q '"connections_warmed":6' ws/r/journal.jsonl
    rm -r ws
    prepare --profile concurrent --rate 6 --max-requests 30 --stream-start together
    run_plan
    assert_success
    (($(field reused | grep -c false) == 6))
    grep -q '"connections_warmed":0' ws/r/journal.jsonl
}

@test "--warm-connections: towards each of several targets, from each worker, what its streams need" {
    start_simulator --preset instant --model m
    local first=$SIM
    start_simulator --preset instant --model m
    "$ROIBENCH" prepare --workspace ws --run-id r --target "$first/v1" --target "$SIM/v1" --profile concurrent --rate 8 --max-requests 8 \
        --stream-start together --prompt-tokens 32 --output-tokens 8 >/dev/null 2>&1
    run_plan --workers 2 --warm-connections
    assert_success
    assert_equal "$(field i | sort -n | uniq -d)" ''
    assert_equal "$(zcat ws/r/records.jsonl.gz | grep '"i":[0-7],' | grep -c '"connected"')" 0
}

@test "--interleave: the levels of two plans take turns, and both say so" {
    start_simulator --preset instant
    prepare --profile concurrent --rate 1,2,3 --max-requests 6
    mv ws/r ws/a
    sed -i 's/"run_id": *"r"/"run_id":"a"/' ws/a/plan.json
    prepare --profile concurrent --rate 1,2 --max-requests 6
    run --separate-stderr timeout 60 "$ROIBENCH" run ws/a ws/r --interleave
    assert_success
    for run in a r; do
        zcat "ws/$run/records.jsonl.gz" | head -n 1 | grep -q '"pair_id":"a+r"'
        grep level_start "ws/$run/journal.jsonl" | grep -o '"load":[0-9]*' | cut -d : -f 2 | sed "s/^/$run/" >"$run.order"
        # when each level started, by the clock of both
        anchor=$(date -d "$(zcat "ws/$run/records.jsonl.gz" | head -n 1 | grep -o '"anchor":"[^"]*' | cut -d '"' -f 4)" +%s%N)
        grep level_start "ws/$run/journal.jsonl" | grep -o '"start":[0-9]*' | cut -d : -f 2 | while read -r t; do echo $((anchor + t)); done |
            paste - "$run.order" >"$run.times"
    done
    assert_equal "$(sort -n a.times r.times | cut -f 2 | xargs)" 'a1 r1 r2 a2 a3'
    grep -q '"run"' ws/a/manifest.json
    grep -q '"run"' ws/r/manifest.json
}

@test "--interleave needs two folders, and each of them a plan" {
    start_simulator --preset instant
    prepare --profile concurrent --rate 1 --max-requests 2
    run --separate-stderr "$ROIBENCH" run ws/r ws/r --interleave --run-id r
    assert_failure 2
    [[ $stderr == *"--run-id has no meaning beside --interleave"* ]]
    run --separate-stderr "$ROIBENCH" run ws/r --interleave
    assert_failure 2
    [[ $stderr == *"two runs"* ]]
    run --separate-stderr "$ROIBENCH" run ws/r ws/nothing --interleave
    assert_failure 2
    [[ $stderr == *"there is no run ws/nothing"* ]]
    run --separate-stderr "$ROIBENCH" run ws/r ws/r --interleave
    assert_failure 2
    # nothing was begun: the plan can still be run, also by its name
    run timeout 60 "$ROIBENCH" run r --workspace ws --quiet
    assert_success
    run -2 "$ROIBENCH" run r r --workspace ws
    [[ $output == *"2 runs are given: one at a time, or two with --interleave"* ]]
}

@test "shards: part of the streams each, all start together, and files of their own" {
    start_simulator --preset instant
    prepare --profile concurrent --rate 5 --max-seconds 1 --drain 1 --stream-start together
    local start pids=() shard
    start=$(date -u -d '+2 seconds' +%FT%T.%3NZ)
    for shard in 0 1; do
        "$ROIBENCH" run --workspace ws --quiet --shard "$shard/2" --start-at "$start" --workers 2 3>&- &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    for shard in 0 1; do
        zcat "ws/r/records-$shard.jsonl.gz" | grep '"id"' | grep -o '"stream":[0-9]*' | sort -u | cut -d : -f 2 >"streams.$shard"
        grep -q '"sent"' "ws/r/journal-$shard.jsonl"
    done
    assert_equal "$(xargs <streams.0)" '0 2 4'
    assert_equal "$(xargs <streams.1)" '1 3'
}

@test "shards that could not agree are refused before any load" {
    start_simulator --preset instant
    prepare --profile concurrent --rate 2 --max-requests 5
    local later
    later=$(date -u -d '+20 seconds' +%FT%TZ)
    for wrong in 2/2 -1/2 1 1/0 a/2 0/2x 0/1001; do
        run_plan "--shard=$wrong" --start-at "$later"
        assert_failure 2
        [[ $stderr == *"--shard"* ]]
    done
    run_plan --shard 0/2
    assert_failure 2
    [[ $stderr == *"--start-at"* ]]
    run_plan --shard 0/2 --start-at 2020-01-01T00:00:00Z
    assert_failure 2
    [[ $stderr == *"ago"* ]]
    run_plan --shard 0/2 --start-at "$later"
    assert_failure 2
    [[ $stderr == *"--max-seconds"* ]]
    rm -r ws
    prepare --profile sweep --rate 3 --max-seconds 1
    run_plan --shard 0/2 --start-at "$later"
    assert_failure 2
    [[ $stderr == *"--levels"* ]]
}

@test "several targets: the report says which of them failed" {
    start_simulator --preset instant --model m
    local first=$SIM
    start_simulator --preset instant --model m
    "$ROIBENCH" prepare --workspace ws --run-id r --target "$first/v1" --target "$SIM/v1" --profile concurrent --rate 2 --max-requests 20 \
        --stream-start together --prompt-tokens 32 --output-tokens 8 >/dev/null 2>&1
    curl -sS -X PUT -d '["status=503"]' "$SIM/sim/fault" >/dev/null
    run_plan
    assert_success
    run --separate-stderr "$ROIBENCH" summarize --workspace ws
    assert_success
    [[ $output =~ "of 2 targets $SIM/v1 failed most: "([0-9]+)" of all "([0-9]+)" requests that failed by the server's doing" ]]
    ((BASH_REMATCH[1] == BASH_REMATCH[2] && BASH_REMATCH[1] > 5))
}

@test "several targets take turns" {
    start_simulator --preset instant --model m
    local first=$SIM
    start_simulator --preset instant --model m
    prepare --model m --profile concurrent --rate 4 --max-requests 20 --stream-start together
    sed -i 's#"target": *\[#&"'"$first"'/v1", #' ws/r/plan.json
    run_plan --workers 2
    assert_success
    # within each stream, one after the other
    assert_equal "$(paste <(field stream) <(field i) <(field target) | awk '{ print ($1 + ($2 - $1) / 4) % 2 == $3 }' | sort -u)" 1
    assert_equal "$(field target | sort -u | xargs)" '0 1'
}
