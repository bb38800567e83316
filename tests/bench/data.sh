#!/usr/bin/env bash
# A data file of 1 GB: how fast `prepare --data` converts it, how fast `run` gets at its rows, and how much memory both take.
#
#   tests/bench/data.sh        BENCH_DATA_MB=1000; needs twice that on TMPDIR's disk
#
# Ends 1 when either holds more than 64 MB: that is what must not depend on the size of the file. Speeds are shown, not judged.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly megabytes=${BENCH_DATA_MB:-1000} memory_max_kb=65536 roibench=${ROIBENCH:-build/roibench}
folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT

# Rows of 0.3 to 2 kB, of words; one block of them again and again.
awk -v megabytes="$megabytes" 'BEGIN {
    srand(1)
    count = split("time people way water long little very after words called just where most know get through back much before go", words, " ")
    for (row = 0; row < 1000; row++) {
        text = ""
        for (k = 60 + int(rand() * 340); k > 0; k--) text = text words[1 + int(rand() * count)] " "
        block = block "{\"id\": " row ", \"prompt\": \"" text "\\\"quoted\\\"\\n\", \"max_tokens\": " 10 + int(rand() * 200) "}\n"
    }
    for (size = 0; size < megabytes * 1000000; size += length(block)) printf "%s", block
}' >"$folder/data.jsonl"

"$roibench" simulate --listen 127.0.0.1:0 --port-file "$folder/port" --preset instant --model tiny >"$folder/simulator.log" 2>&1 &
server=$!
for ((tries = 0; tries < 200; tries++)); do
    [[ ! -s $folder/port ]] || break
    sleep 0.05
done

# Prints seconds and the most memory of one command.
measure() { # NAME COMMAND...
    local name=$1
    shift
    /usr/bin/time -f '%e %M' -o "$folder/$name" "$@" >/dev/null 2>"$folder/$name.log" || { cat "$folder/$name.log" >&2; exit 1; }
}

measure prepare "$roibench" prepare --workspace "$folder/ws" --wait 5 --target "http://127.0.0.1:$(<"$folder/port")/v1" --data "$folder/data.jsonl" \
    --profile concurrent --rate 4 --max-requests 20000 --data-order shuffled
measure run "$roibench" run --workspace "$folder/ws"

read -r prepare_s prepare_kb <"$folder/prepare"
read -r run_s run_kb <"$folder/run"
rows=$(sed -nE 's/.*"rows": *([0-9]+).*/\1/p' "$folder"/ws/*/plan.json)
printf 'prepare --data: %d MB, %d rows: %.1f s (%.0f MB/s), %.1f MB of memory\n' "$megabytes" "$rows" "$prepare_s" \
    "$(awk -v mb="$megabytes" -v s="$prepare_s" 'BEGIN { print mb / s }')" "$(awk -v kb="$prepare_kb" 'BEGIN { print kb / 1024 }')"
printf 'run: 20,000 requests of shuffled rows: %.1f s, %.1f MB of memory\n' "$run_s" "$(awk -v kb="$run_kb" 'BEGIN { print kb / 1024 }')"
((prepare_kb <= memory_max_kb && run_kb <= memory_max_kb)) || { echo "data: more than $((memory_max_kb / 1024)) MB were held" >&2; exit 1; }
