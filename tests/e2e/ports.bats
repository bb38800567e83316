#!/usr/bin/env bats
# Local ports run out, in a network namespace that has few: said before the load, by what is really free.
# shellcheck disable=SC2016  # the inner shell expands
load support

@test "run refuses streams that have no ports, also where TIME_WAIT holds them; doctor sees the same" {
    cd "$BATS_TEST_TMPDIR"
    run unshare --net bash -euc '
        ip link set lo up
        echo "40000 40029" > /proc/sys/net/ipv4/ip_local_port_range
        "$ROIBENCH" simulate --quiet --preset instant --listen 127.0.0.1:18000 &
        simulator=$!
        trap "kill $simulator" EXIT
        for _ in {1..100}; do
            if curl -sf http://127.0.0.1:18000/health; then break; fi
            sleep 0.1
        done
        prepare() {
            "$ROIBENCH" prepare --quiet --workspace ws --run-id "$1" --target http://127.0.0.1:18000/v1 --profile concurrent --rate "$2" \
                --prompt-tokens 32 --output-tokens 8 --max-requests $((2 * $2)) >&2
        }
        prepare many 31
        prepare some 20
        prepare again 20
        "$ROIBENCH" run --quiet --workspace ws --run-id many || echo "many: $?"
        "$ROIBENCH" run --quiet --workspace ws --run-id some && echo "some: $?"
        "$ROIBENCH" run --quiet --workspace ws --run-id again || echo "again: $?"
        "$ROIBENCH" doctor --quiet --workspace ws --run-id again || echo "doctor: $?"
    ' 3>&-
    assert_success
    assert_line --regexp '^roibench run: 31 streams need a local port each, and [0-9]+ of 30 are free \(TIME_WAIT holds one for a minute\)\. Widen net\.ipv4\.ip_local_port_range'
    assert_line 'many: 1'
    assert_line 'some: 0'
    assert_line --regexp '^roibench run: 20 streams need a local port each, and [0-9] of 30 are free '
    assert_line 'again: 1'
    assert_line --regexp '^LACKS    local ports  [0-9] of 30 are free, and 20 streams need one each\.'
    assert_line 'doctor: 1'
    # refused before anything was written: the plan can be run later
    assert [ ! -e ws/many/records.jsonl.gz ]
    assert [ ! -e ws/again/records.jsonl.gz ]
}
