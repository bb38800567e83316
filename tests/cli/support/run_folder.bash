# Run folders made by hand, in the workspace $W.
#
#   make_run ID TTFT_MS PRICE    two levels of 10 s: at one stream the first token takes TTFT_MS, at two three seconds
#     REQUESTS of each level (10), DATE of the plan (2026-11-24), MODEL (model-ID), TTFT_STEP_MS by which the TTFTs go up (0)

make_plan() { # ID PRICE
    cat <<JSON
{"schema": "roibench/plan/v1", "run_id": "$1", "created": "${DATE:-2026-11-24}T04:06:51.000Z", "target": ["http://127.0.0.1:1/v1"],
 "model": "${MODEL:-model-$1}", "endpoint": "chat",
 "server": {"kind": "vllm", "version": "0.11.0", "preset": null, "time_scale": 1, "max_model_len": null,
  "features": {"usage": true, "continuous_usage": true, "ignore_eos": true, "token_ids": false, "tokenize": true, "metrics": true}},
 "profile": "sweep",
 "levels": [{"index": 0, "kind": "concurrent", "load": 1, "unit": "streams"}, {"index": 1, "kind": "concurrent", "load": 2, "unit": "streams"}],
 "sweep_levels": null, "sweep_arrivals": "poisson", "stream_start": "spread",
 "workload": {"scenario": null, "prompt_tokens": {"mean": 10, "stddev": 0, "min": 10, "max": 10},
  "output_tokens": {"mean": 11, "stddev": 0, "min": 11, "max": 11}},
 "limits": {"max_seconds": 10, "max_requests": null, "drain_seconds": 60, "timeout_seconds": null, "stall_timeout_seconds": 60,
  "max_concurrency": 512, "warmup": null, "cooldown": null},
 "deployment": {"hardware": null, "gpus": null, "price_per_hour": $2, "price_source": null},
 "seed": 1, "nonce": "00112233445566778899aabbccddeeff",
 "calibration": {"method": "usage", "exact": true, "template_tokens": 0, "e2e_ns": null}}
JSON
}

make_records() { # ID TTFT_MS
    local level i ttft sent start requests=${REQUESTS:-10}
    echo "{\"schema\":\"roibench/records/v1\",\"anchor\":\"${DATE:-2026-11-24}T04:07:00.000000000Z\",\"run_id\":\"$1\",\"levels\":[" \
        '{"index":0,"kind":"concurrent","load":1,"unit":"streams"},{"index":1,"kind":"concurrent","load":2,"unit":"streams"}]}'
    for level in 0 1; do
        start=$((1000 + level * 20000))
        for ((i = 0; i < requests; i++)); do
            ttft=$(((level ? 3000 : $2) + i * ${TTFT_STEP_MS:-0}))
            sent=$((start + i * 10000 / requests))
            echo "{\"id\":\"$level.0.$i\",\"level\":$level,\"repeat\":0,\"shard\":0,\"stream\":0,\"i\":$i,\"intended\":${sent}000000," \
                "\"sent\":${sent}000000,\"first_token\":$((sent + ttft))000000,\"last_token\":$((sent + ttft + 500))000000," \
                "\"end\":$((sent + ttft + 500))000000,\"status\":200,\"outcome\":\"ok\",\"prompt_tokens\":10,\"output_tokens\":11," \
                '"chunks":11,"arrivals":11,"coalesced":0,"first_tokens":1,"chunk_tokens":"exact","bytes":1,"reused":true,"target":0}'
        done
        echo "{\"level_end\":{\"index\":$level,\"repeat\":0,\"kind\":\"concurrent\",\"load\":$((level + 1)),\"unit\":\"streams\"," \
            "\"start\":${start}000000,\"end\":$((start + 10000))000000,\"window_start\":${start}000000,\"window_end\":$((start + 10000))000000}}"
    done
}

make_run() { # ID TTFT_MS PRICE
    mkdir -p "$W/$1"
    make_plan "$1" "$3" >"$W/$1/plan.json"
    make_records "$1" "$2" | gzip -n >"$W/$1/records.jsonl.gz"
    for i in $(seq 2 11) $(seq 22 31); do
        echo "{\"tick\":{\"t\":${i}000000000,\"tokens\":11}}"
    done >"$W/$1/journal.jsonl"
}
