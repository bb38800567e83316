#!/usr/bin/env bash
# What summarizing 100,000 requests of 256 arrivals each costs: below 3 s and 200 MB.
#
#   tests/bench/summarize.sh [REQUESTS]     with another number nothing is asserted
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly requests=${1:-100000} most_seconds=3 most_mb=200
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"${CC:-gcc}" -std=gnu17 -D_GNU_SOURCE -O2 -Isrc -isystem build/deps/include -o "$out/bench" tests/bench/summarize.c \
    build/libroibench.a -ljansson -lcrypto -lz -lm
mkdir "$out/run"
"$out/bench" "$requests" "$out/run"
cat >"$out/run/plan.json" <<'END'
{"schema": "roibench/plan/v1", "run_id": "bench", "created": "2026-11-24T04:06:51.000Z", "target": ["http://127.0.0.1:1/v1"],
 "model": "bench", "endpoint": "chat",
 "server": {"kind": "vllm", "version": "0.11.0", "preset": null, "time_scale": 1, "max_model_len": null,
  "features": {"usage": true, "continuous_usage": true, "ignore_eos": true, "token_ids": false, "tokenize": true, "metrics": true}},
 "profile": "sweep", "levels": [{"index": 0, "kind": "concurrent", "load": 64, "unit": "streams"}],
 "sweep_levels": null, "sweep_arrivals": "poisson", "stream_start": "spread",
 "workload": {"scenario": null, "prompt_tokens": {"mean": 256, "stddev": 0, "min": 256, "max": 256},
  "output_tokens": {"mean": 256, "stddev": 0, "min": 256, "max": 256}},
 "limits": {"max_seconds": 60, "max_requests": null, "drain_seconds": 60, "timeout_seconds": null, "stall_timeout_seconds": 60,
  "max_concurrency": 512, "warmup": null, "cooldown": null},
 "deployment": {"hardware": null, "gpus": null, "price_per_hour": null, "price_source": null},
 "seed": 1, "nonce": "00112233445566778899aabbccddeeff",
 "calibration": {"method": "usage", "exact": true, "template_tokens": 0, "e2e_ns": null}}
END
read -r seconds cpu mb < <("$out/bench" --run "$ROIBENCH" summarize --quiet "$out/run" | tail -n 1)
echo "summarize: $requests requests of 256 arrivals: $seconds s ($cpu s CPU), $mb MB"
[[ $requests == 100000 ]] || exit 0
awk -v s="$seconds" -v m="$mb" -v S=$most_seconds -v M=$most_mb 'BEGIN { exit !(s < S && m < M) }' ||
    { echo "summarize: the limits are $most_seconds s and $most_mb MB"; exit 1; }
