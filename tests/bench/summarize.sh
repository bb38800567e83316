#!/usr/bin/env bash
# What summarizing requests of 256 arrivals each costs, on one core: 100,000 below 2 s of its time and 100 MB, 1,000,000 below 20 s and 300 MB. GuideLLM's
# report, with distributions over all times of a level, may take longer, not more memory.
#
#   tests/bench/summarize.sh [REQUESTS...]     of another number nothing is asserted; a million takes 1.3 GB in $TMPDIR
set -euo pipefail
cd "$(dirname "$0")/../.."

(($# > 0)) || set -- 100000 1000000
declare -A most_seconds=([100000]=2 [1000000]=20) most_mb=([100000]=100 [1000000]=300)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"${CC:-gcc}" -std=gnu17 -D_GNU_SOURCE -O2 -Isrc -isystem build/deps/include -o "$out/bench" tests/bench/summarize.c \
    build/libroibench.a -ljansson -lcrypto -lz -lm
cat >"$out/plan.json" <<'END'
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
status=0
for requests in "$@"; do
    mkdir "$out/run"
    cp "$out/plan.json" "$out/run"
    "$out/bench" "$requests" "$out/run"
    read -r seconds cpu mb < <("$out/bench" --run "$ROIBENCH" summarize --quiet "$out/run" | tail -n 1)
    read -r _ guidellm_cpu guidellm_mb < <("$out/bench" --run "$ROIBENCH" summarize --quiet --format guidellm "$out/run" | tail -n 1)
    rm -r "$out/run"
    echo "summarize: $requests requests of 256 arrivals: $cpu s CPU ($seconds s), $mb MB; --format guidellm: $guidellm_cpu s CPU, $guidellm_mb MB"
    [[ -n ${most_mb[$requests]:-} ]] || continue
    awk -v s="$cpu" -v m="$mb" -v g="$guidellm_mb" -v S="${most_seconds[$requests]}" -v M="${most_mb[$requests]}" 'BEGIN { exit !(s < S && m < M && g < M) }' || {
        echo "summarize: the limits are ${most_seconds[$requests]} s and ${most_mb[$requests]} MB"
        status=1
    }
done
exit $status
