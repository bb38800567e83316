#!/usr/bin/env bash
# A run of 1 GB to a server that takes a PUT (nginx on this machine): roibench publish against what one would do by hand, in turns.
#
#   tests/bench/publish.sh        BENCH_PUBLISH_MB=1000 (needs three times that on TMPDIR's disk), BENCH_REPEATS=5
#
# tar -cz | curl -T makes the same thing, a tar.gz; tar -c | curl -T sends the same files unpacked. publish also searches all of it for secrets, inside gzip
# too (beside: zcat and grep -E), and knows size and sha256 before the first byte goes. Ends 1 when the median of publish is more than 1.3 times that of tar -cz | curl -T, or it holds more than 64 MB.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly megabytes=${BENCH_PUBLISH_MB:-1000} repeats=${BENCH_REPEATS:-5} ratio_max=1.3 memory_max_kb=65536
roibench=$(realpath "${ROIBENCH:-build/roibench}")
readonly roibench
folder=$(mktemp -d)
processes=()
end() {
    local process
    for process in "${processes[@]}"; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap end EXIT

command -v nginx >/dev/null || { echo "publish: needs nginx (apt install nginx-light)" >&2; exit 1; }

# wait_for COMMAND...
wait_for() {
    local tries
    for ((tries = 0; tries < 400; tries++)); do
        ! "$@" || return 0
        sleep 0.05
    done
    echo "publish: still waiting for $*" >&2
    exit 1
}

start_nginx() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    mkdir -p "$folder/nginx" "$folder/served"
    cat >"$folder/nginx.conf" <<END
daemon off;
user root;
pid nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_max_body_size 0;
    server {
        listen 127.0.0.1:$port;
        root $folder/served;
        location = /ready { return 204; }
        location / { dav_methods PUT; create_full_put_path on; }
    }
}
END
    nginx -p "$folder/nginx" -c "$folder/nginx.conf" 2>"$folder/nginx.log" &
    processes+=($!)
    wait_for curl -sf "http://127.0.0.1:$port/ready"
}

# A small run of the simulator, and its files again and again: 65 % arrivals of tokens and 20 % records, packed as run packs them, 15 % rows of a data file.
make_run() {
    local run share copies
    "$roibench" simulate --listen 127.0.0.1:0 --port-file "$folder/simulator" --preset l4-int4 --time-scale 50 --model tiny >"$folder/simulator.log" 2>&1 &
    processes+=($!)
    wait_for test -s "$folder/simulator"
    "$roibench" prepare --quiet --workspace "$folder/ws" --wait 5 --target "http://127.0.0.1:$(<"$folder/simulator")/v1" --profile concurrent --rate 32 \
        --prompt-tokens 100 --output-tokens 200 --max-requests 3000 >/dev/null
    "$roibench" run --quiet --workspace "$folder/ws" >/dev/null
    run=$folder/ws/$(<"$folder/ws/latest")
    for share in tokens.bin.gz:65 records.jsonl.gz:20; do
        mv "$run/${share%:*}" "$folder/part"
        copies=$((${share#*:} * megabytes * 10000 / $(stat -c %s "$folder/part") + 1))
        for ((; copies > 0; copies--)); do cat "$folder/part"; done >"$run/${share%:*}"
    done
    awk -v size=$((megabytes * 150000)) 'BEGIN {
        srand(1)
        count = split("time people way water long little very after words called just where most know get through back much before go", words, " ")
        for (row = 0; length(block) < 1000000; row++) {
            text = ""
            for (k = 60 + int(rand() * 340); k > 0; k--) text = text words[1 + int(rand() * count)] " "
            block = block "{\"prompt_tokens\":" k ",\"counted\":true,\"output_tokens\":200,\"head\":38,\"prompt\":\"" text "\"}\n"
        }
        for (; size > 0; size -= length(block)) printf "%s", block
    }' >"$run/data.jsonl"
    run_id=${run##*/}
}

# Seconds and kB of a command, into NAME.
measure() { # NAME COMMAND...
    local name=$1
    shift
    /usr/bin/time -f '%e %M' -o "$folder/time" "$@" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
    cat "$folder/time" >>"$folder/$name"
}

median() { # NAME COLUMN
    sort -n -k "$2" "$folder/$1" | awk -v column="$2" '{ value[NR] = $column } END { print value[int((NR + 1) / 2)] }'
}

start_nginx
make_run
cd "$folder/ws"
url=http://127.0.0.1:$port
readonly shapes='[Bb]earer +[A-Za-z0-9._~+/=-]{16}|sk-[A-Za-z0-9_-]{20}|A[KS]IA[A-Z0-9]{16}|eyJ[A-Za-z0-9_-]{13,}\.eyJ|-----BEGIN [A-Z ]*PRIVATE KEY'
for ((round = 0; round < repeats; round++)); do
    measure tar bash -c "tar -c '$run_id' | curl -sf -T - '$url/by-hand.tar'"
    measure tar_gz bash -c "tar -cz '$run_id' | curl -sf -T - '$url/by-hand.tar.gz'"
    measure publish "$roibench" publish --quiet --workspace . --run-id "$run_id" --to "$url/new-$round/"
    measure grep bash -c "for file in '$run_id'/*; do zcat -f \"\$file\" | LC_ALL=C grep -aEm1 '$shapes' && exit 1; done; true"
    rm -rf "$folder/served/"*
done
printf 'publish: a run of %d MB (%d MB unpacked) to nginx, medians of %d in turns: tar -c | curl -T %.1f s, tar -cz | curl -T %.1f s, publish %.1f s; zcat | grep -E of the same shapes alone %.1f s\n' \
    "$(($(du -sm "$run_id" | cut -f 1)))" "$(for file in "$run_id"/*; do zcat -f "$file"; done | wc -c | awk "{ printf \"%d\", \$1 / 1000000 }")" "$repeats" \
    "$(median tar 1)" "$(median tar_gz 1)" "$(median publish 1)" "$(median grep 1)"
printf 'publish: most memory %.1f MB\n' "$(sort -n -k 2 "$folder/publish" | tail -n 1 | awk '{ print $2 / 1024 }')"
awk -v mine="$(median publish 1)" -v theirs="$(median tar_gz 1)" -v most=$ratio_max 'BEGIN { printf "publish / tar -cz | curl -T: %.2f\n", mine / theirs; exit !(mine <= most * theirs) }' ||
    { echo "publish: more than $ratio_max times tar -cz | curl -T" >&2; exit 1; }
awk -v most=$memory_max_kb '$2 > most { exit 1 }' "$folder/publish" || { echo "publish: more than $((memory_max_kb / 1024)) MB were held" >&2; exit 1; }
