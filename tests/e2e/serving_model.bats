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
readonly few_blocks=300 # of the KV cache: seven requests of 512/128 tokens that have ended, or nine that begin

setup_file() {
    local preset scenario kind load pids
    measure_level l4-int4 summarization poisson 1.5 "$few_blocks" &
    pids=($!)
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

# measure_level PRESET SCENARIO KIND LOAD [KV_BLOCKS]: one level, a second time if the first does not agree. Leaves NAME.agrees if
# one did, NAME.table with what compare_with_model.py says, NAME.out with what the program said, NAME.truth with what the simulator did.
measure_level() {
    local name=$1-$2-$3-$4${5:+-$5} attempt
    for attempt in 1 2; do
        run_level "$name" "$name.$attempt" "$@" >"$BATS_FILE_TMPDIR/$name.out" 2>&1 3>&- || return
        ! python3 "$BATS_TEST_DIRNAME/compare_with_model.py" "$BATS_FILE_TMPDIR/$name.$attempt" ${5:+"$5"} \
            >"$BATS_FILE_TMPDIR/$name.table" 2>&1 || {
            touch "$BATS_FILE_TMPDIR/$name.agrees"
            return
        }
    done
}

run_level() { # NAME RUN_ID PRESET SCENARIO KIND LOAD [KV_BLOCKS]
    local name=$1 port_file=$BATS_FILE_TMPDIR/$1.port options status=0
    local -a workspace=(--quiet --workspace "$BATS_FILE_TMPDIR" --run-id "$2")
    case $5 in
    poisson) options=(--profile poisson --rate "$6" --max-seconds 40 --stall-timeout 600) ;;
    *) options=(--profile concurrent --rate "$6" --max-seconds 60 --stream-start "$5") ;;
    esac
    rm -f "$port_file"
    start_process "$name" nice -n -15 "$ROIBENCH" simulate --model "$3" --preset "$3" ${7:+--kv-blocks "$7" --max-model-len 4096} \
        --listen 127.0.0.1:0 --port-file "$port_file"
    wait_for "$name" 60 test -s "$port_file" &&
        "$ROIBENCH" prepare "${workspace[@]}" --target "http://127.0.0.1:$(<"$port_file")/v1" --scenario "$4" "${options[@]}" &&
        nice -n -15 "$ROIBENCH" run "${workspace[@]}" &&
        "$ROIBENCH" summarize "${workspace[@]}" &&
        curl --silent --fail "http://127.0.0.1:$(<"$port_file")/sim/truth" |
        jq --compact-output 'del(.recent)' >"$BATS_FILE_TMPDIR/$name.truth" || status=$?
    stop_process "$name"
    return "$status"
}

# agrees NAME...: no number of these levels is off by more than 5 %. Prints them; if one is, also how late the simulator was.
agrees() {
    local name file agree=true
    for name in "$@"; do
        file=$BATS_FILE_TMPDIR/$name
        [[ ! -f $file.table ]] || sed 's/^/# /' "$file.table" >&3
        [[ -f $file.agrees ]] || {
            cat "$file.out" "$file.truth"
            agree=false
        }
    done
    "$agree"
}

agrees_at_all_loads() { # PRESET SCENARIO KIND
    local load names=()
    for load in $(loads "$3"); do names+=("$1-$2-$3-$load"); done
    agrees "${names[@]}"
}

@test "l4-int4, 64/64: streams spread" { agrees_at_all_loads l4-int4 chat spread; }
@test "l4-int4, 64/64: streams started together" { agrees_at_all_loads l4-int4 chat together; }
@test "l4-int4, 64/64: Poisson arrivals" { agrees_at_all_loads l4-int4 chat poisson; }
@test "l4-int4, 512/128: streams spread" { agrees_at_all_loads l4-int4 summarization spread; }
@test "l4-int4, 512/128: streams started together" { agrees_at_all_loads l4-int4 summarization together; }
@test "l4-int4, 512/128: Poisson arrivals, up to three times what it can serve" { agrees_at_all_loads l4-int4 summarization poisson; }
@test "4xl4-bf16, 64/64: streams spread" { agrees_at_all_loads 4xl4-bf16 chat spread; }
@test "4xl4-bf16, 64/64: streams started together" { agrees_at_all_loads 4xl4-bf16 chat together; }
@test "4xl4-bf16, 64/64: Poisson arrivals" { agrees_at_all_loads 4xl4-bf16 chat poisson; }
@test "4xl4-bf16, 512/128: streams spread" { agrees_at_all_loads 4xl4-bf16 summarization spread; }
@test "4xl4-bf16, 512/128: streams started together" { agrees_at_all_loads 4xl4-bf16 summarization together; }
@test "4xl4-bf16, 512/128: Poisson arrivals" { agrees_at_all_loads 4xl4-bf16 summarization poisson; }

@test "l4-int4, 512/128: a KV cache so small that requests are preempted" {
    agrees "l4-int4-summarization-poisson-1.5-$few_blocks"
    assert [ "$(jq .preemptions "$BATS_FILE_TMPDIR/l4-int4-summarization-poisson-1.5-$few_blocks.truth")" -gt 5 ]
}
