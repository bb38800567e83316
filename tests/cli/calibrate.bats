#!/usr/bin/env bats
# roibench calibrate: from a measurement to a preset, and back.
# shellcheck disable=SC2154  # stderr is set by run

load support/simulator # setup and teardown too

calibrate() {
    # Thousands of rehearsals: with sanitizers on a busy machine they take their time.
    run --separate-stderr timeout 200 "$ROIBENCH" calibrate "$@"
}

# Runs levels of requests of so many tokens against the simulator.
measure() { # RUN-ID PROMPT-TOKENS OUTPUT-TOKENS LEVELS
    "$ROIBENCH" prepare --quiet --run-id "$1" --target "$SIM/v1" --endpoint completions --prompt-tokens "$2" --output-tokens "$3" \
        --levels "$4" --max-seconds 12 >/dev/null
    "$ROIBENCH" run --quiet --run-id "$1"
}

# A cost of a preset's file lies within PERCENT of what it should be.
assert_cost() { # FILE NAME EXPECTED PERCENT
    jq -e --arg name "$2" --argjson expected "$3" --argjson percent "$4" \
        '.step_ns[$name] / $expected | . > 1 - $percent / 100 and . < 1 + $percent / 100' "$1" >/dev/null ||
        fail "$2 is $(jq ".step_ns.$2" "$1"), expected $3 within $4 %"
}

table() { # LINES...
    printf '%s\n' 'load,unit,prompt_tokens,output_tokens,ttft_p95_ms,tpot_p95_ms' "$@" >table.csv
}

@test "runs on a simulator give its preset back, and the file is a preset" {
    start_simulator --preset l4-int4 --time-scale 10
    measure short 64 32 concurrent:1,4,12
    measure long 1024 32 concurrent:1,6
    calibrate short long --output preset.json --name again --max-num-batched-tokens 2048
    assert_success
    assert_output --partial '| 12 streams'
    assert_output --partial 'The model deviates by'
    assert_cost preset.json base 50.5e6 15
    assert_cost preset.json prefill_token 1.07e6 15
    assert_equal "$(jq -r '[.schema, .name, .max_model_len] | join(" ")' preset.json)" 'roibench/preset/v1 again 8192'
    start_simulator --preset-file preset.json --time-scale 10
    run curl -sS "$SIM/version"
    assert_output --partial '"preset":"again"'
    [[ $stderr != *cache* ]]
    zcat short/records.jsonl.gz | sed 's/"prompt_tokens":64,/&"cached_tokens":48,/' | gzip >records
    mv records short/records.jsonl.gz
    calibrate short
    [[ $stderr == *'1 streams: of '*' found the beginning of their prompt in the server'*'12 streams: of '* ]]
}

@test "a published table is fitted; a row of weight 0 is only shown" {
    cat >table.csv <<'CSV'
# what somebody has published
load,unit,prompt_tokens,output_tokens,requests,weight,ttft_mean_ms,tpot_mean_ms
1,streams,256,64,4,0,9999,20
1,streams,256,64,4,1,45,20
8,streams,256,64,32,,130,21.5
0.5,req/s,256,64,,,50,20.5
CSV
    calibrate --levels table.csv --context-token-ns 100
    assert_success
    assert_line --regexp '1 streams, 256 \+ 64 .*9,999.*not fitted'
    assert_line --regexp '0\.5 req/s, 256 \+ 64'
    assert_line --regexp 'context_token +\| +0\.1 .*given'
    assert_line --regexp 'base .*measured'
}

@test "the reference's table: every figure but those of one stream within 12 %" {
    sed 's/^load,/weight,load,/; s/^1,/0,1,/; t; /^[0-9]/s/^/1,/' "$BATS_TEST_DIRNAME/../data/reference-int4.csv" |
        cut -d, -f1-7 >table.csv # without throughput, which contradicts the other columns in places
    calibrate --levels table.csv --context-token-ns 270 --output preset.json
    assert_success
    jq -e '[.fit.levels[] | select(.weight > 0) | to_entries[] | select(.value | type == "object") | .value.model / .value.measured] |
        length == 10 and all(. > 0.88 and . < 1.12)' preset.json || fail "$output"
}

@test "a table that cannot be read says where and why" {
    table '1,streams,256'
    calibrate --levels table.csv
    assert_failure 2
    assert_equal "$stderr" 'roibench calibrate: --levels: table.csv: line 2: 3 fields where the header has 6'
    table '1,users,256,64,100,20'
    calibrate --levels table.csv
    assert_failure 2
    [[ $stderr == *"line 2: unit: expected streams or req/s, got 'users'"* ]]
    table '1,streams,256,64,soon,20'
    calibrate --levels table.csv
    assert_failure 2
    [[ $stderr == *"line 2: ttft_p95_ms: 'soon' is not a number"* ]]
    echo 'load,unit,ttft' >table.csv
    calibrate --levels table.csv
    assert_failure 2
    [[ $stderr == *"there is no column 'ttft'. Known: load, unit, prompt_tokens"* ]]
    echo 'load,unit,prompt_tokens' >table.csv
    calibrate --levels table.csv
    assert_failure 2
    [[ $stderr == *'the column output_tokens is missing'* ]]
    : >table.csv
    calibrate --levels table.csv
    assert_failure 2
    [[ $stderr == *'table.csv: no header'* ]]
}

@test "a row that is no measurement is refused" {
    for row in '1.5,streams,256,64,300,20|load: expected a whole number from 1 to 20000' '30000,streams,256,64,300,20|load: expected a whole' \
        '0,req/s,256,64,300,20|load: expected a number from 1e-06' '1,streams,256.5,64,300,20|prompt_tokens: expected a whole number from 1' \
        '1,streams,256,0,300,20|output_tokens: expected a whole number' '1,streams,256,64,0,20|ttft_p95_ms: expected a number from 0.001' \
        '1,streams,256,64,300,-5|tpot_p95_ms: expected a number' '1,streams,256,64,300,1e300|tpot_p95_ms: expected a number from 0.001 to 1e+09' \
        '1,streams,256,64,nan,20|is not a number'; do
        table "${row%|*}"
        calibrate --levels table.csv
        assert_failure 2
        [[ $stderr == *"line 2: ${row#*|}"* || $stderr == *"line 2: "*"${row#*|}" ]] || fail "$row: $stderr"
    done
    printf 'load,unit,prompt_tokens,output_tokens,requests,ttft_p95_ms\n8,streams,256,64,7,300\n' >table.csv
    calibrate --levels table.csv
    assert_failure 2
    [[ $stderr == *'line 2: requests: expected a whole number from 8'* ]]
}

@test "figures that contradict each other: the preset is written, and that it is no deployment is said" {
    table 1,streams,256,64,300,20 1,streams,256,64,3000,200
    calibrate --levels table.csv --output preset.json
    assert_success
    [[ $stderr == *'the model is off by '*' %: the figures contradict each other'* ]]
    table 1,streams,256,64,300,20
    calibrate --levels table.csv --output preset.json
    assert_success
    refute [ -n "$(grep contradict <<<"$stderr")" ]
}

@test "a signal ends it at once, however long it would take" {
    table 300,streams,256,64,3000,20
    "$ROIBENCH" calibrate --levels table.csv --max-seconds 86400 --output preset.json >out 2>err 3>&- &
    calibrating=$!
    sleep 1
    kill -TERM "$calibrating"
    for _ in {1..100}; do
        kill -0 "$calibrating" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$calibrating" 2>/dev/null || true
    status=0
    wait "$calibrating" || status=$?
    assert_equal "$status" 143
    refute [ -e preset.json ]
}

@test "nothing to fit to, or requests that the cache cannot hold, are errors" {
    calibrate
    assert_failure 2
    [[ $stderr == *'nothing to calibrate by'* ]]
    table '1,streams,256,64,,'
    calibrate --levels table.csv
    assert_failure 2
    [[ $stderr == *'no level has a figure to fit to'* ]]
    table '1,streams,4000,64,500,20'
    calibrate --levels table.csv --kv-blocks 100
    assert_failure 2
    [[ $stderr == *'a request of 4064 tokens'*'hold 1600'* ]]
}

@test "a preset's file that is none is named with what was expected" {
    echo '{"schema":"roibench/preset/v1","name":"x","step_ns":{"base":-1}}' >preset.json
    run --separate-stderr "$ROIBENCH" simulate --preset-file preset.json --listen 127.0.0.1:0
    assert_failure 2
    [[ $stderr == *'preset.json: step_ns.base: expected ns from 0'* ]]
    run --separate-stderr "$ROIBENCH" simulate --preset-file preset.json --preset instant --listen 127.0.0.1:0
    assert_failure 2
    [[ $stderr == *'exclude each other'* ]]
}

@test "the table from the literature gives the preset a100-qwen3-32b, and a rate with its requests is kept exactly" {
    calibrate --levels "$BATS_TEST_DIRNAME/../data/literature/a100-qwen3-32b.csv" --max-num-batched-tokens 2048 --kv-blocks 2449 \
        --max-model-len 8192 --output preset.json
    assert_success
    jq -e '[.step_ns | .base / 47.8e6, .context_token / 170, .prefill_token / 298e3] | all(. > 0.98 and . < 1.02)' preset.json ||
        fail "$(jq -c .step_ns preset.json)"
    jq -e '.step_ns.sequence | . > 20e3 and . < 34e3' preset.json # these levels hardly tell it
    jq -e '.fit.deviation < 0.037' preset.json
    # 128 requests in 213.3 s and some 12 s for the last: 145 tok/s
    jq -e '.fit.levels[] | select(.level == "0.6 req/s, 512 + 256") | .output_tps.model > 143 and .output_tps.model < 149' preset.json
}
