#!/usr/bin/env bats
# The binary alone, with /etc/resolv.conf, in an empty root under a random UID of group 0, as OpenShift runs it; the model
# server is found by names as a pod sees them: search domains and ndots:5. Client and servers are in network
# namespaces of their own, so that nothing else on this machine can answer.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support

SERVER_ADDRESS=198.18.3.1 CLIENT_ADDRESS=198.18.3.2
RANDOM_USER=1000660000
NAME=tiny-predictor.private-ai.svc

setup_file() {
    export ROOT=$BATS_FILE_TMPDIR/root
    make_network
    make_root
    start_process dnsmasq nsenter --net="$(space server)" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv \
        --no-hosts --user=root --pid-file="$BATS_FILE_TMPDIR/dnsmasq.own.pid" --listen-address="$SERVER_ADDRESS" \
        --bind-interfaces --log-queries --log-facility=- --local=/cluster.local/ --local=/svc/ \
        --host-record="$NAME.cluster.local,$SERVER_ADDRESS"
    start_process simulator nsenter --net="$(space server)" "$ROIBENCH" simulate --listen "$SERVER_ADDRESS:8080" \
        --model tiny --preset instant
    wait_for simulator 20 nsenter --net="$(space client)" curl --silent --fail "http://$SERVER_ADDRESS:8080/health"
    wait_for dnsmasq 20 grep -q started "$BATS_FILE_TMPDIR/dnsmasq.log"
}

teardown_file() {
    local name
    for name in simulator dnsmasq client server; do stop_process "$name"; done
}

# A namespace lives as long as the process that holds it, and takes its interfaces along: nothing has to be
# removed, however the test ends.
make_network() {
    local name
    for name in client server; do
        start_process "$name" unshare --net sleep infinity
        wait_for "$name" 10 has_own_network "$name"
    done
    ip_in client link add link0 type veth peer name link0 netns "$(cat "$BATS_FILE_TMPDIR/server.pid")"
    ip_in client address add "$CLIENT_ADDRESS/24" dev link0
    ip_in server address add "$SERVER_ADDRESS/24" dev link0
    for name in client server; do
        ip_in "$name" link set lo up
        ip_in "$name" link set link0 up
    done
}

space() { echo "/proc/$(cat "$BATS_FILE_TMPDIR/$1.pid")/ns/net"; }

has_own_network() { [[ $(readlink "$(space "$1")") != $(readlink /proc/self/ns/net) ]]; }

ip_in() {
    local space
    space=$(space "$1")
    shift
    nsenter --net="$space" ip "$@"
}

# Read-only for the user but for the workspace, which belongs to group 0.
make_root() {
    mkdir -p "$ROOT/etc" "$ROOT/workspace"
    install -m 555 "$ROIBENCH" "$ROOT/roibench"
    printf '%s\n' "nameserver $SERVER_ADDRESS" \
        "search private-ai.svc.cluster.local svc.cluster.local cluster.local" "options ndots:5" >"$ROOT/etc/resolv.conf"
    chown root:root "$ROOT/workspace"
    chmod 2775 "$ROOT/workspace"
    chmod 555 "$ROOT" "$ROOT/etc"
}

# Runs the binary in the empty root, with an empty environment.
in_root() {
    nsenter --net="$(space client)" env -i "$(type -P chroot)" --userspec="$RANDOM_USER:0" --groups=0 "$ROOT" /roibench "$@"
}

# prepare_in_root RUN_ID TARGET_OPTION...
prepare_in_root() {
    local run_id=$1
    shift
    in_root prepare --workspace /workspace --run-id "$run_id" "$@" --wait 10 --profile concurrent --rate 1,2 \
        --prompt-tokens 32 --output-tokens 16 --max-requests 4 --stream-start together
}

# The names that the DNS server was asked for since the file's setup, each once.
names_asked() { sed -n 's/.*query\[A\] \([^ ]*\) from.*/\1/p' "$BATS_FILE_TMPDIR/dnsmasq.log" | sort -u; }

@test "there is nothing in the root but the binary and resolv.conf" {
    run find "$ROOT" -type f -printf '%P\n'
    assert_equal "$(sort <<<"$output")" $'etc/resolv.conf\nroibench'
}

@test "prepare and run find the server by a name that needs a search domain" {
    prepare_in_root short --target "http://$NAME:8080/v1"
    in_root run --workspace /workspace --run-id short
    assert_equal "$(records "$ROOT/workspace/short" 'map(.outcome)')" \
        '["ok","ok","ok","ok","ok","ok","ok","ok"]'
    run names_asked
    assert_line "$NAME.private-ai.svc.cluster.local"
    assert_line "$NAME.svc.cluster.local"
    assert_line "$NAME.cluster.local"
}

@test "prepare and run find a model by the default address of its InferenceService" {
    prepare_in_root long --model tiny
    in_root run --workspace /workspace --run-id long
    assert_equal "$(records "$ROOT/workspace/long" 'map(.outcome) | unique')" '["ok"]'
    assert_equal "$(jq --raw-output '.target[0]' "$ROOT/workspace/long/plan.json")" "http://$NAME.cluster.local:8080/v1"
}

@test "summarize and publish work there too" {
    in_root summarize --workspace /workspace --run-id short
    in_root publish --workspace /workspace --run-id short
    assert [ -s "$ROOT/workspace/short/report.md" ]
    assert [ -n "$(find "$ROOT/workspace/archives" -name '*.tar.gz')" ]
}

@test "another user of group 0 can go on with every file" {
    run find "$ROOT/workspace" -mindepth 1 ! \( -uid "$RANDOM_USER" -gid 0 -perm -g=rw \)
    assert_output ""
    run find "$ROOT/workspace" -mindepth 1 -uid "$RANDOM_USER"
    refute_output ""
}

@test "nothing was written beside the workspace" {
    run find "$ROOT" -path "$ROOT/workspace" -prune -o -type f -printf '%P\n'
    assert_equal "$(sort <<<"$output")" $'etc/resolv.conf\nroibench'
}

@test "a name that nobody knows: exit 3, with the name" {
    run -3 --separate-stderr in_root prepare --workspace /workspace --run-id unknown --target http://no-such.svc:8080/v1 \
        --wait 2 --profile concurrent --rate 1 --prompt-tokens 32 --output-tokens 4 --max-requests 1
    [[ $stderr == *no-such.svc* ]]
}
