#!/usr/bin/env bash
# The main job from one end to the other, on two simulated deployments of one 24B model:
# INT4 on one L4 for 0.85 $/h, BF16 on four for 3.40 $/h, simulated ten times faster than real.
#
#   scripts/demo.sh [FOLDER]     FOLDER (default build/demo) is the workspace; an old one is removed
#
# The two are measured side by side, compared, and the result is published to FOLDER/published.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly roibench=${ROIBENCH:-$PWD/build/roibench}
readonly workspace=${1:-build/demo}
readonly marker=$workspace/.roibench-demo
servers=()

say() { printf '\n== %s\n' "$*"; }

end_servers() {
    local server
    for server in "${servers[@]}"; do
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
}

fresh_workspace() {
    if [[ -e $workspace && ! -e $marker ]] && [[ -n $(ls -A "$workspace") ]]; then
        echo "demo: $workspace is not a folder of an earlier demo; name another one" >&2
        exit 2
    fi
    rm -rf "$workspace"
    mkdir -p "$workspace/ports"
    touch "$marker"
}

# start MODEL PRESET: a simulated server; its port comes into ports/MODEL.
start() {
    "$roibench" simulate --listen 127.0.0.1:0 --port-file "$workspace/ports/$1" \
        --model "$1" --preset "$2" --time-scale 10 2>"$workspace/$1.log" &
    servers+=($!)
}

# port MODEL: waits for the server to listen.
port() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        [[ -s $workspace/ports/$1 ]] && break
        sleep 0.1
    done
    cat "$workspace/ports/$1"
}

# measure MODEL LEVELS HARDWARE GPUS PRICE: the three steps on one deployment.
measure() {
    local common=(--workspace "$workspace" --run-id "$1")
    "$roibench" prepare "${common[@]}" --target "http://127.0.0.1:$(port "$1")/v1" --model "$1" \
        --profile sweep --levels "concurrent:$2" --scenario stress --stream-start together \
        --warmup 0 --max-seconds 60 --hardware "$3" --gpus "$4" --price-per-hour "$5" \
        --price-source "on-demand price, as quoted with the reference results" >/dev/null
    "$roibench" run "${common[@]}" >/dev/null
    "$roibench" summarize "${common[@]}" >/dev/null
}

# Lines of both come in between each other: each says whose it is.
label() { sed -u "s/^/$1 | /" >&2; }

fresh_workspace
trap end_servers EXIT

say "two simulated deployments start (presets l4-int4 and 4xl4-bf16, time scale 10)"
start mistral-3-int4 l4-int4
start mistral-3-bf16 4xl4-bf16

say "prepare, run and summarize, both side by side: twelve levels of 60 model seconds"
measure mistral-3-int4 1,3,5,8,10,15 "1 x L4 (g6.4xlarge)" 1 0.85 2> >(label int4) &
int4=$!
measure mistral-3-bf16 1,5,10,15,20,30 "4 x L4 (g6.12xlarge)" 4 3.40 2> >(label bf16) &
bf16=$!
wait "$int4"
wait "$bf16"

say "compare"
"$roibench" summarize --workspace "$workspace" "$workspace/mistral-3-int4" "$workspace/mistral-3-bf16"

say "publish"
comparison=$(ls "$workspace/comparisons")
"$roibench" publish --workspace "$workspace" --comparison "$comparison" --to "$workspace/published"

say "where the files are"
printf '%s\n' "$workspace/mistral-3-int4/report.md" "$workspace/mistral-3-bf16/report.md" \
    "$workspace/comparisons/$comparison/report.md" "$workspace"/published/*
