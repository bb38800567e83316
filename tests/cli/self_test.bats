#!/usr/bin/env bats
# run --self-test: the engine held against a simulator in the same process.
load support/simulator

@test "run --self-test measures this machine, also for as many streams as the plan has, and leaves nothing behind" {
    start_simulator --preset instant
    "$ROIBENCH" prepare --workspace ws --target "$SIM/v1" --prompt-tokens 32 --output-tokens 8 --profile concurrent --rate 2,3 --quiet
    stop_simulators
    find . | sort > "$BATS_FILE_TMPDIR/before"
    http_proxy=http://127.0.0.1:9 "$ROIBENCH" run --self-test --workspace ws --workers 1 --quiet > "$BATS_FILE_TMPDIR/out" 2> "$BATS_FILE_TMPDIR/errors"
    find . | sort | diff - "$BATS_FILE_TMPDIR/before"
    [ ! -s "$BATS_FILE_TMPDIR/errors" ]
    [[ $(head -n 1 "$BATS_FILE_TMPDIR/out") == "1 worker on "* ]]
    # Every number of streams has a row in which tokens came, at full speed and at a pace; nobody gets more than the pace allows.
    awk -F'|' '
        $2 ~ /^ *[0-9]+ *$/ {
            gsub(/[ ,%]/, "")
            rows = rows " " $2 + 0
            if (!($3 > 1000 && $4 > 0 && $5 > 0 && $6 > 0 && $7 > 0 && $7 <= 110 * $2 && $8 > 0 && $9 ~ /^-?[0-9]+$/ && $10 > 0)) bad = 1
        }
        END { exit bad || rows != " 1 3 64 512" }' "$BATS_FILE_TMPDIR/out"
    grep -qE "^This pod receives [0-9,]+ tokens/s.*; adds -?[0-9]+ us to TTFT p99 at 512 streams\.$" "$BATS_FILE_TMPDIR/out"
}

@test "run --self-test asks for both ends' descriptors before it begins" {
    ulimit -n 600
    run -1 --separate-stderr "$ROIBENCH" run --self-test --quiet
    [ -z "$output" ]
    [[ $stderr == *"both ends of the streams are in this process: "*" open files, and the limit is 600"* ]]
}

@test "run --self-test takes no folder, and no options of a run" {
    run -2 "$ROIBENCH" run --self-test --interleave
    [[ $output == *"--self-test measures this machine: --interleave has no meaning there"* ]]
    run -2 "$ROIBENCH" run --self-test somewhere
    [[ $output == *"--self-test measures this machine and takes no folder"* ]]
}

@test "run --self-test ends at once when told to" {
    "$ROIBENCH" run --self-test --quiet > "$BATS_TEST_TMPDIR/out" 3>&- &
    local pid=$!
    sleep 1
    kill -TERM $pid
    local status=0
    wait $pid || status=$?
    [ $status -eq 143 ]
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
}
