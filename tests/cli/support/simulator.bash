# Simulators for command tests. Each is started on a free port of 127.0.0.1.
#
# Whoever loads this gets the assertions, and a setup and teardown: each test in its own folder, without a key.
#
#   start_simulator [OPTIONS...]     sets SIM (http://127.0.0.1:PORT), SIM_PID, SIM_LOG
#   stop_simulators                  ends all that were started; for teardown
#   wait_until COMMAND...            repeats it until it succeeds; fails after 20 s

wait_until() {
    local tries
    for ((tries = 0; tries < 400; tries++)); do
        if "$@"; then return 0; fi
        sleep 0.05
    done
    echo "still false after 20 s: $*" >&2
    return 1
}

start_simulator() {
    local folder
    folder=$(mktemp -d "$BATS_TEST_TMPDIR/simulator.XXXXXX")
    SIM_LOG=$folder/log
    # bats waits for whoever holds its descriptor 3
    "$ROIBENCH" simulate --listen 127.0.0.1:0 --port-file "$folder/port" "$@" >"$SIM_LOG" 2>&1 3>&- &
    SIM_PID=$!
    SIM_PIDS+=("$SIM_PID")
    if ! wait_until test -s "$folder/port"; then
        cat "$SIM_LOG" >&2
        return 1
    fi
    # shellcheck disable=SC2034  # for the caller
    SIM=http://127.0.0.1:$(<"$folder/port")
}

stop_simulators() {
    local pid
    for pid in "${SIM_PIDS[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    SIM_PIDS=()
}

SIM_PIDS=()

bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.5.0

setup() {
    unset ROIBENCH_API_KEY
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_simulators
}
