#!/usr/bin/env bats
# A server that comes back at another address under the same name, as a pod does that is scheduled again.
# /etc/hosts belongs to a mount namespace of the test's own; who may not make one cannot run this file.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support

hosts_say() { # ADDRESS
    printf '127.0.0.1 localhost\n%s model.test\n' "$1" >"$HOSTS"
}

simulate_at() { # ADDRESS
    start_process simulator "$ROIBENCH" simulate --listen "$1:$PORT" --model tiny --preset instant
    wait_for simulator 20 answers "http://$1:$PORT/health"
}

setup() {
    export PORT HOSTS=$BATS_TEST_TMPDIR/hosts
    PORT=$(free_port)
}

teardown() {
    stop_process simulator
}

# Everything in it finds model.test where HOSTS says, now and later.
with_hosts() {
    # shellcheck disable=SC2016  # for the inner shell
    unshare --mount sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$HOSTS" "$@"
}

@test "the name is looked up again when nobody answers at its old address" {
    local workspace=$BATS_TEST_TMPDIR/ws pid
    hosts_say 127.0.0.2
    simulate_at 127.0.0.2
    with_hosts "$ROIBENCH" prepare --workspace "$workspace" --run-id r --target "http://model.test:$PORT/v1" --profile constant --rate 50 \
        --prompt-tokens 32 --output-tokens 4 --max-seconds 8 --drain 2
    with_hosts "$ROIBENCH" run --workspace "$workspace" --workers 2 &
    pid=$!
    sleep 3
    stop_process simulator
    hosts_say 127.0.0.3
    simulate_at 127.0.0.3
    wait "$pid"
    # Both ends of the level were served, and in between somebody was missing.
    zcat "$workspace/r/records.jsonl.gz" | grep '"id"' >"$BATS_TEST_TMPDIR/records"
    grep -q '"error":"connect"' "$BATS_TEST_TMPDIR/records"
    tail -n 50 "$BATS_TEST_TMPDIR/records" >"$BATS_TEST_TMPDIR/last"
    [[ $(grep -c '"outcome":"ok"' "$BATS_TEST_TMPDIR/last") == 50 ]]
}
