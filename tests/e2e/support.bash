# What the end-to-end tests share: servers that are started, waited for and ended by their process id,
# the counters of a server, and the sums of a run's records.
# shellcheck shell=bash disable=SC2154  # bats sets the variables that seem unset here

bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.5.0

# A port of 127.0.0.1 that nobody listens on, below the range that outgoing connections draw from.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
            echo "$port"
            return
        }
    done
    echo "no free port found" >&2
    return 1
}

# start_process NAME COMMAND...: starts it in a process group of its own, which stop_process NAME ends; should
# bats itself be killed, the process is asked to end too. What it says goes to $BATS_FILE_TMPDIR/NAME.log.
start_process() {
    local name=$1
    shift
    setsid setpriv --pdeathsig TERM "$@" >"$BATS_FILE_TMPDIR/$name.log" 2>&1 </dev/null 3>&- &
    echo $! >"$BATS_FILE_TMPDIR/$name.pid"
}

# Asks the process to end, and kills its group when it has not within 20 s. Fine if it never started.
stop_process() {
    local pid
    pid=$(cat "$BATS_FILE_TMPDIR/$1.pid" 2>/dev/null) || return 0
    kill -TERM "$pid" 2>/dev/null || true
    for _ in {1..100}; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
    rm -f "$BATS_FILE_TMPDIR/$1.pid"
}

# wait_for NAME SECONDS COMMAND...: until the command succeeds. Fails at once when the process NAME has ended.
wait_for() {
    local name=$1 pid deadline=$((SECONDS + $2)) limit=$2
    shift 2
    pid=$(cat "$BATS_FILE_TMPDIR/$name.pid")
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
            echo "$name is not ready after $limit s or has ended; the end of its log:" >&2
            tail -n 30 "$BATS_FILE_TMPDIR/$name.log" >&2
            return 1
        fi
        sleep 0.2
    done
}

answers() { curl --silent --fail --max-time 5 --output /dev/null "$1"; }

# counter URL NAME: the sum of a metric over all its label sets; fails when the server has no such metric.
counter() {
    curl --silent --fail --max-time 10 "$1" |
        awk -v name="$2" '
            /^#/ { next }
            { split($1, part, "{") }
            part[1] == name { sum += $NF; found = 1 }
            END { if (!found) exit 1; printf "%d\n", sum }'
}

# settled_counters URL RUNNING NAME...: the counters, one a line, as they stay once nothing runs any more:
# llama.cpp adds a request's tokens to its counters only some time after the response has ended.
settled_counters() {
    local url=$1 running=$2 before="" now name
    shift 2
    for _ in {1..60}; do
        now=$(for name in "$@"; do counter "$url" "$name" || exit 1; done) || {
            echo "no such metric at $url: one of $*" >&2
            return 1
        }
        if [[ $now == "$before" && $(counter "$url" "$running") == 0 ]]; then
            echo "$now"
            return
        fi
        before=$now
        sleep 0.5
    done
    echo "the counters at $url still change after 30 s" >&2
    return 1
}

# records FOLDER FILTER: a jq filter over the array of a run's records, without header and level lines.
records() {
    zcat "$1/records.jsonl.gz" | jq --slurp --compact-output "map(select(has(\"outcome\"))) | $2"
}

# prepare_run WORKSPACE OPTION...: prepare; prints the run's folder.
prepare_run() {
    local workspace=$1 run_id
    shift
    run_id=$("$ROIBENCH" prepare --workspace "$workspace" "$@" | tail -n 1) || return
    [[ -n $run_id && -f $workspace/$run_id/plan.json ]] || {
        echo "prepare's last line is no run-id: '$run_id'" >&2
        return 1
    }
    echo "$workspace/$run_id"
}

# assert_published FOLDER WORKSPACE URL DESTINATION: publishing to URL leaves one archive in the folder DESTINATION;
# it holds the run's files byte by byte, and the receipt has its checksum.
assert_published() {
    local archive name extracted=$BATS_TEST_TMPDIR/extracted
    run -0 "$ROIBENCH" publish --workspace "$2" --run-id "$(basename "$1")" --to "$3"
    archive=$(find "$4" -name '*.tar.gz')
    assert [ -f "$archive" ]
    mkdir "$extracted"
    tar -xzf "$archive" -C "$extracted"
    while read -r name; do
        cmp "$1/$name" "$(find "$extracted" -type f -name "$name")"
    done < <(find "$1" -maxdepth 1 -type f ! -name publish.json -printf '%f\n')
    assert [ -z "$(find "$extracted" -name publish.json)" ]
    assert_equal "$(jq --raw-output .schema "$1/publish.json")" roibench/publish/v1
    grep -F "$(sha256sum "$archive" | cut -d ' ' -f 1)" "$1/publish.json"
}
