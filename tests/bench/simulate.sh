#!/usr/bin/env bash
# What the simulator costs, and how late it is, on this machine. Ends 1 beyond a limit.
#
#   instant            CPU of `roibench simulate --preset instant` a million tokens, user and system, with 64 and with 10,000
#                      streams that tests/bench/bare_reader.c reads; 10,000 streams: < 3.33 s, which is 300,000 tokens/s on one core.
#                      Beside it the blaster (tests/bench/blaster.c), which sends the same from memory: eight tokens a write, as
#                      `instant` does, and one a write, which is what the kernel alone costs
#   lateness           1, 1,000 and 10,000 streams of l4-int4, ten times as fast: how long after a step was due its tokens began to be sent
#                      (mean), and how long after that each was handed to the kernel, one after the other
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
for program in measure bare_reader blaster; do
    "${CC:-gcc}" -std=gnu17 -D_GNU_SOURCE -O2 -o "$out/$program" "tests/bench/$program.c"
done

# A stream is a descriptor of the server and one of the client.
most=$(ulimit -Hn)
[[ $most != unlimited ]] || most=20000
ulimit -n "$most"
many=$((most > 10200 ? 10000 : most - 200))
((many == 10000)) || echo "simulate: $many streams instead of 10,000: no more descriptors may be open here"

wait_for_port() {
    for ((tries = 0; tries < 200; tries++)); do
        if [[ -s $out/port ]]; then
            port=$(<"$out/port")
            return
        fi
        sleep 0.05
    done
    echo "simulate: the server does not start" >&2
    exit 1
}

start_server() { # COMMAND...
    stop_server
    rm -f "$out/port"
    "$@" &
    server=$!
    wait_for_port
}

start_simulator() { # OPTIONS...
    start_server "$ROIBENCH" simulate --quiet --listen 127.0.0.1:0 --port-file "$out/port" --model bench "$@"
}

# User and system, in ticks.
cpu_of() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# read_streams STREAMS REQUESTS OUTPUT WORDS: sets seconds, server_cpu (s)
read_streams() {
    local before after words='' k
    for ((k = 0; k < $4; k++)); do words+='one '; done
    printf '{"model":"bench","messages":[{"role":"user","content":"%s"}],"max_tokens":%d,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true}}' \
        "$words" "$3" >"$out/body"
    before=$(cpu_of "$server")
    "$out/measure" "$out/result" "$out/bare_reader" "$port" "$1" "$2" "$out/body" >/dev/null
    after=$(cpu_of "$server")
    read -r _ seconds _ <"$out/result"
    server_cpu=$(awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" 'BEGIN { print t / hz }')
}

show_speed() { # NAME TOKENS CPU SECONDS [LIMIT]
    local line
    line=$(awk -v name="$1" -v tokens="$2" -v cpu="$3" -v seconds="$4" -v limit="${5:-0}" 'BEGIN {
        printf "%-44s %6.2f s per million tokens = %7d tokens/s on one core; %7d tokens/s here", name, cpu / tokens * 1e6,
               (cpu > 0 ? tokens / cpu : 0), tokens / seconds
        if (limit) printf " limit %.2f s (%s)", limit, (cpu / tokens * 1e6 < limit ? "ok" : "BEYOND") }')
    echo "$line"
    [[ $line != *BEYOND* ]] || over=1
}

# blast NAME STREAMS REQUESTS OUTPUT TOKENS_A_WRITE
blast() {
    local cpu total
    rm -f "$out/port"
    "$out/measure" "$out/blast" "$out/blaster" "$out/port" requests="$3" tokens="$4" a-write="$5" &
    server=$!
    wait_for_port
    echo '{}' >"$out/body"
    "$out/measure" "$out/result" "$out/bare_reader" "$port" "$2" "$3" "$out/body" >/dev/null
    wait "$server"
    server=
    read -r _ _ cpu _ <"$out/blast"
    read -r _ total _ <"$out/result"
    show_speed "$1" $(($3 * $4)) "$cpu" "$total"
    blaster_cpu=$cpu
}

ratio() { awk -v a="$server_cpu" -v b="$blaster_cpu" 'BEGIN { printf "%-44s %6.1f\n", "  simulator : blaster", (b > 0 ? a / b : 0) }'; }

compare() { # STREAMS REQUESTS OUTPUT [LIMIT]
    start_simulator --preset instant
    read_streams "$1" "$2" "$3" 32
    show_speed "instant, $1 streams" $(($2 * $3)) "$server_cpu" "$seconds" "${4:-}"
    stop_server
    blast "  blaster, eight tokens a write" "$1" "$2" "$3" 8
    ratio
    blast "  blaster, one token a write" "$1" $(($2 / 4)) "$3" 1
}

# From /sim/truth: one number of a member. field MEMBER NAME
field() { sed -n "s/.*\"$1\":{[^}]*\"$2\":\([0-9]*\).*/\1/p" "$out/truth"; }

lateness() { # STREAMS OUTPUT
    start_simulator --preset l4-int4 --time-scale 10 --max-num-seqs 16384 --max-num-batched-tokens 1000000 --kv-blocks 1000000
    read_streams "$1" "$1" "$2" 1
    curl -sS "http://127.0.0.1:$port/sim/truth" >"$out/truth"
    awk -v streams="$1" -v sum="$(field lateness_ns sum)" -v count="$(field lateness_ns count)" -v p50="$(field send_lateness_ns p50)" \
        -v p99="$(field send_lateness_ns p99)" -v max="$(field send_lateness_ns max)" -v cpu="$server_cpu" -v seconds="$seconds" 'BEGIN {
        printf "late, %5d streams: step %8.3f ms (mean)   hand-over %8.3f ms (p50) %8.3f (p99) %8.3f (max)   CPU %2.0f %%\n", streams,
               sum / count / 1e6, p50 / 1e6, p99 / 1e6, max / 1e6, 100 * cpu / seconds }'
}

compare 64 8000 256
start_simulator --preset instant --truth-file "$out/truth-file"
read_streams 64 8000 256 32
show_speed "instant, 64 streams, --truth-file" $((8000 * 256)) "$server_cpu" "$seconds"
compare "$many" $((2 * many)) 128 3.33
lateness 1 2000
lateness 1000 100
lateness "$many" 20
exit "$over"
