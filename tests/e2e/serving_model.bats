#!/usr/bin/env bats
# The simulator against a second implementation of its model (serving_model.py), at loads that no preset was fitted to.
#
# Every level is a run of its own with a simulator of its own, and all of them go on side by side, in real time: they
# sleep nearly all the time, and what a busy machine delays is small against a deployment's step of 50 ms. It still happens
# that a request comes too late for a step; in a closed loop all that follows depends on it. So a level that does not
# agree is measured once more: an error of the model or the program is there again.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support

readonly presets=(l4-int4 4xl4-bf16) scenarios=(chat summarization) kinds=(spread together poisson)
readonly streams=(2 7 12 25) rates=(0.1 0.3 0.8 2 5)

setup_file() {
    local preset scenario kind load pids=()
    for preset in "${presets[@]}"; do
        for scenario in "${scenarios[@]}"; do
            for kind in "${kinds[@]}"; do
                for load in $(loads "$kind"); do
                    measure_level "$preset" "$scenario" "$kind" "$load" &
                    pids+=($!)
                    sleep 0.1
                done
            done
        done
    done
    wait "${pids[@]}"
}

teardown_file() {
    local pid_file
    for pid_file in "$BATS_FILE_TMPDIR"/*.pid; do stop_process "$(basename "$pid_file" .pid)"; done
}

loads() { # KIND
    if [[ $1 == poisson ]]; then echo "${rates[@]}"; else echo "${streams[@]}"; fi
}

# measure_level PRESET SCENARIO KIND LOAD: one level, a second time if the first does not agree. Leaves NAME.table, what
# compare_with_model.py says; without it something failed, and NAME.out tells what.
measure_level() {
    local name=$1-$2-$3-$4 attempt
    for attempt in 1 2; do
        run_level "$name" "$@" "$name.$attempt" >"$BATS_FILE_TMPDIR/$name.out" 2>&1 3>&- || return
        ! python3 "$BATS_TEST_DIRNAME/compare_with_model.py" "$BATS_FILE_TMPDIR/$name.$attempt" >"$BATS_FILE_TMPDIR/$name.table" 2>&1 || return 0
    done
}

# run_level NAME PRESET SCENARIO KIND LOAD RUN_ID
run_level() {
    local name=$1 port_file=$BATS_FILE_TMPDIR/$1.port options command
    local -a workspace=(--quiet --workspace "$BATS_FILE_TMPDIR" --run-id "$6")
    case $4 in
    poisson) options=(--profile poisson --rate "$5" --max-seconds 40 --stall-timeout 600) ;;
    *) options=(--profile concurrent --rate "$5" --max-seconds 60 --stream-start "$4") ;;
    esac
    rm -f "$port_file"
    start_process "$name" nice -n -15 "$ROIBENCH" simulate --model "$2" --preset "$2" --listen 127.0.0.1:0 --port-file "$port_file"
    wait_for "$name" 60 test -s "$port_file"
    "$ROIBENCH" prepare "${workspace[@]}" --target "http://127.0.0.1:$(<"$port_file")/v1" --scenario "$3" "${options[@]}" &&
        nice -n -15 "$ROIBENCH" run "${workspace[@]}" &&
        "$ROIBENCH" summarize "${workspace[@]}"
    local status=$?
    stop_process "$name"
    return "$status"
}

# agrees PRESET SCENARIO KIND: no number of any load is off by more than 5 %.
agrees() {
    local load name agree=true
    for load in $(loads "$3"); do
        name=$BATS_FILE_TMPDIR/$1-$2-$3-$load
        if [[ -f $name.table ]]; then
            sed 's/^/# /' "$name.table" >&3
            ! grep -q BEYOND "$name.table" || agree=false
        else
            cat "$name.out"
            agree=false
        fi
    done
    "$agree"
}

@test "l4-int4, 64/64: streams spread" { agrees l4-int4 chat spread; }
@test "l4-int4, 64/64: streams started together" { agrees l4-int4 chat together; }
@test "l4-int4, 64/64: Poisson arrivals" { agrees l4-int4 chat poisson; }
@test "l4-int4, 512/128: streams spread" { agrees l4-int4 summarization spread; }
@test "l4-int4, 512/128: streams started together" { agrees l4-int4 summarization together; }
@test "l4-int4, 512/128: Poisson arrivals, up to three times what it can serve" { agrees l4-int4 summarization poisson; }
@test "4xl4-bf16, 64/64: streams spread" { agrees 4xl4-bf16 chat spread; }
@test "4xl4-bf16, 64/64: streams started together" { agrees 4xl4-bf16 chat together; }
@test "4xl4-bf16, 64/64: Poisson arrivals" { agrees 4xl4-bf16 chat poisson; }
@test "4xl4-bf16, 512/128: streams spread" { agrees 4xl4-bf16 summarization spread; }
@test "4xl4-bf16, 512/128: streams started together" { agrees 4xl4-bf16 summarization together; }
@test "4xl4-bf16, 512/128: Poisson arrivals" { agrees 4xl4-bf16 summarization poisson; }
