#!/usr/bin/env bash
# What `run` costs, against the simulator on this machine, beside a client that only reads. Ends 1 beyond a limit.
#
#   --help                     from before fork to the end of the process: the median of 21          < 5 ms
#   first request              from before fork to `sent` of the first record                        < 50 ms
#   1,000 streams              the largest resident memory of the process                            < 60 MB
#   in flight                  of the same run, while requests are sent: 99 % of what was asked for, and never more
#   CPU per million tokens     user and system, whole process; twice: answers as fast as they can be read, and one token
#                              at a time on 1,000 streams. No limit: the ratio to tests/bench/bare_reader.c is shown
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
for program in measure bare_reader; do
    "${CC:-gcc}" -std=gnu17 -D_GNU_SOURCE -O2 -o "$out/$program" "tests/bench/$program.c"
done

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

# load STREAMS REQUESTS PROMPT OUTPUT: prepares and runs; sets date, cpu, mb, tokens
load() {
    rm -rf "$out/ws"
    "$ROIBENCH" prepare --quiet --workspace "$out/ws" --run-id r --target "http://127.0.0.1:$port/v1" --prompt-tokens "$3" \
        --output-tokens "$4" --profile concurrent --rate "$1" --max-requests "$2" --stream-start together --warmup 0 >/dev/null
    "$out/measure" "$out/result" "$ROIBENCH" run --quiet --workspace "$out/ws"
    read -r date _ cpu mb <"$out/result"
    tokens=$(($2 * $4))
    zcat "$out/ws/r/records.jsonl.gz" >"$out/records"
    [[ $(grep -c '"outcome":"ok"' "$out/records") == "$2" ]] || { echo "run: not every request ended well" >&2; exit 1; }
}

# compare NAME STREAMS REQUESTS PROMPT OUTPUT: the run just loaded beside the bare reader's cost of the same
compare() {
    local words='' k bare
    for ((k = 0; k < $4; k++)); do words+='one '; done
    printf '{"model":"bench","messages":[{"role":"user","content":"%s"}],"max_tokens":%d,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}' \
        "$words" "$5" >"$out/body"
    "$out/measure" "$out/result" "$out/bare_reader" "$port" "$2" "$3" "$out/body" >/dev/null
    read -r _ _ bare _ <"$out/result"
    awk -v name="$1" -v run="$cpu" -v bare="$bare" -v tokens="$tokens" 'BEGIN {
        printf "%-46s %10.2f s   bare reader %.2f s (ratio %.1f; %d tokens)\n", name, run / tokens * 1e6, bare / tokens * 1e6,
               (bare > 0 ? run / bare : 0), tokens }'
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

load 64 4000 64 256
compare 'CPU per million tokens, as fast as can be' 64 4000 64 256

start_server --preset l4-int4 --time-scale 10 --max-num-seqs 2000 --max-num-batched-tokens 8192 --kv-blocks 1000000
load 1000 3000 32 128
check '1,000 streams, resident memory' "$mb" MB 60
# At 1,000 times between the start of the last stream and the last request that was sent.
read -r mean most < <(grep -o '"sent":[0-9]*\|"end":[0-9]*\|"i":[0-9]*' "$out/records" | awk -F: '
    $1 == "\"i\"" { i = $2 }
    $1 == "\"sent\"" { sent[++n] = $2; if (i < 1000 && $2 > from) from = $2; if ($2 > last) last = $2 }
    $1 == "\"end\"" && n in sent { gone[n] = $2 }
    END {
        for (k = 0; k < 1000; k++) {
            t = from + (last - from) * (k + 0.5) / 1000
            now = 0
            for (r = 1; r <= n; r++) now += sent[r] <= t && t < gone[r]
            if (now > most) most = now
            sum += now
        }
        printf "%.1f %d\n", sum / 1000, most
    }')
printf '%-46s %10s     asked 1000 (most %s)\n' '1,000 streams, in flight (mean)' "$mean" "$most"
awk -v mean="$mean" -v most="$most" 'BEGIN { exit !(mean >= 990 && most <= 1000) }' || { echo 'run: in flight is not what was asked for'; over=1; }
compare 'CPU per million tokens, one at a time' 1000 3000 32 128
exit "$over"
