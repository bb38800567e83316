#!/usr/bin/env bash
# What it costs to start `run`, against the simulator on this machine; what it costs to go on is tests/bench/engine.py's. Ends 1 beyond a limit.
#
#   --help                     from before fork to the end of the process: the median of 21          < 5 ms
#   first request              from before fork to `sent` of the first record                        < 50 ms
#   1,000 streams              the largest resident memory of the process                            < 60 MB
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${ROIBENCH:?names the program to be measured}"
out=$(mktemp -d)
server=
over=0

stop_server() {
    [[ -n $server ]] || return 0
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
}
trap 'stop_server; rm -rf "$out"' EXIT
ulimit -n 4096
"${CC:-gcc}" -std=gnu17 -D_GNU_SOURCE -O2 -o "$out/measure" tests/bench/measure.c

# check WHAT VALUE UNIT LIMIT: below the limit?
check() {
    local verdict
    verdict=$(awk -v v="$2" -v l="$4" 'BEGIN { printf "%s, %.0f %% of it", v < l ? "ok" : "BEYOND", 100 * v / l }')
    printf '%-46s %10s %-3s limit %s (%s)\n' "$1" "$2" "$3" "$4" "$verdict"
    [[ $verdict == ok* ]] || over=1
}

start_server() { # OPTIONS...
    stop_server
    rm -f "$out/port"
    "$ROIBENCH" simulate --quiet --listen 127.0.0.1:0 --port-file "$out/port" --model bench "$@" &
    server=$!
    for ((tries = 0; tries < 200; tries++)); do
        if [[ -s $out/port ]]; then
            port=$(<"$out/port")
            return
        fi
        sleep 0.05
    done
    echo "run: the simulator does not start" >&2
    exit 1
}

# load STREAMS REQUESTS PROMPT OUTPUT: prepares and runs; sets date, mb
load() {
    rm -rf "$out/ws"
    "$ROIBENCH" prepare --quiet --workspace "$out/ws" --run-id r --target "http://127.0.0.1:$port/v1" --prompt-tokens "$3" \
        --output-tokens "$4" --profile concurrent --rate "$1" --max-requests "$2" --stream-start together --warmup 0 >/dev/null
    "$out/measure" "$out/result" "$ROIBENCH" run --quiet --workspace "$out/ws"
    read -r date _ _ mb <"$out/result"
    zcat "$out/ws/r/records.jsonl.gz" >"$out/records"
    [[ $(grep -c '"outcome":"ok"' "$out/records") == "$2" ]] || { echo "run: not every request ended well" >&2; exit 1; }
}

for ((k = 0; k < 21; k++)); do
    "$out/measure" "$out/result" "$ROIBENCH" run --help >/dev/null
    awk '{ print $2 * 1000 }' "$out/result"
done >"$out/times"
check '--help (median)' "$(sort -g "$out/times" | sed -n 11p)" ms 5

start_server --preset instant
load 4 40 64 16
# Dates of the header and times since it, in ms: awk's numbers do not hold ns since 1970.
anchor=$(date -d "$(head -n 1 "$out/records" | grep -o '"anchor":"[^"]*' | cut -d '"' -f 4)" +%s%N)
first=$(grep -o '"sent":[0-9]*' "$out/records" | cut -d : -f 2 | sort -n | head -n 1)
check 'first request' "$(awk -v ns=$((anchor - date + first)) 'BEGIN { printf "%.1f", ns / 1e6 }')" ms 50

start_server --preset l4-int4 --time-scale 10 --max-num-seqs 2000 --max-num-batched-tokens 8192 --kv-blocks 1000000
load 1000 3000 32 128
check '1,000 streams, resident memory' "$mb" MB 60
exit "$over"
