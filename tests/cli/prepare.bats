#!/usr/bin/env bats
# roibench prepare against the simulator: what it learns, what it writes, and what it says when it cannot.

load support/simulator # setup and teardown too

prepare() {
    run --separate-stderr timeout 60 "$ROIBENCH" prepare --workspace ws "$@"
}

field() { # FILE KEY: the first value of the key in a pretty-printed JSON file
    sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$1" | head -n 1
}

@test "a plan of the default workload, with an exact prompt length" {
    start_simulator --preset instant --model tiny
    prepare --target "$SIM/v1" --max-seconds 5 --rate 4
    assert_success
    local id=${lines[-1]}
    [[ $id == tiny-* ]]
    assert_equal "$(<ws/latest)" "$id"
    assert_equal "$(field "ws/$id/plan.json" model)" tiny
    assert_equal "$(field "ws/$id/plan.json" kind)" simulator
    assert_equal "$(field "ws/$id/plan.json" exact)" true
    assert_equal "$(field "ws/$id/plan.json" continuous_usage)" true
    assert_equal "$(field "ws/$id/plan.json" sweep_levels)" 4
    [ -s "ws/$id/prompts.jsonl.gz" ]
    [ -s "ws/$id/manifest.json" ]
}

@test "same seed and same nonce: the same plan and prompts" {
    start_simulator --preset instant --model tiny
    local nonce=00112233445566778899aabbccddeeff common=(--target "$SIM/v1" --max-seconds 5 --seed 7)
    prepare "${common[@]}" --nonce $nonce --run-id one
    assert_success
    prepare "${common[@]}" --nonce $nonce --run-id two
    assert_success
    cmp ws/one/prompts.jsonl.gz ws/two/prompts.jsonl.gz
    diff <(grep -vE '"(run_id|created|e2e_ns)"' ws/one/plan.json) <(grep -vE '"(run_id|created|e2e_ns)"' ws/two/plan.json)
    assert_equal "$(field ws/one/plan.json nonce)" $nonce
}

@test "token ids are used where the server takes them" {
    start_simulator --preset instant --model tiny
    prepare --target "$SIM/v1" --endpoint completions --max-seconds 5 --prompt-tokens 100 --output-tokens 10
    assert_success
    assert_equal "$(field ws/*/plan.json method)" token_ids
}

@test "a model that loads is waited for" {
    start_simulator --preset instant --model tiny --ready-after 1
    prepare --target "$SIM/v1" --max-seconds 5 --wait 20
    assert_success
}

@test "nobody there: URL, last error, number of tries, exit 3" {
    prepare --target http://127.0.0.1:1/v1 --wait 0.3 --max-seconds 5
    assert_failure 3
    [[ $stderr == *"http://127.0.0.1:1/v1/models"*"refused"*"tried "*" times"* ]]
    [ ! -e ws/latest ]
}

@test "a wrong model: those that exist are listed, at once" {
    start_simulator --preset instant --model tiny
    prepare --target "$SIM/v1" --model huge --max-seconds 5 --wait 100
    assert_failure 3
    [[ $stderr == *"no model 'huge'"*"tiny"* ]]
}

@test "a key is needed: said at once" {
    printf secret >key
    start_simulator --preset instant --model tiny --api-key-file key
    prepare --target "$SIM/v1" --max-seconds 5 --wait 100
    assert_failure 3
    [[ $stderr == *"needs an API key: --api-key-file or ROIBENCH_API_KEY"* ]]
    prepare --target "$SIM/v1" --max-seconds 5 --api-key-file key
    assert_success
    run ! grep -rq secret ws
}

@test "headers go with every request; their values are kept nowhere, so run is told too" {
    printf secret >key
    start_simulator --preset instant --model tiny --api-key-file key
    prepare --target "$SIM/v1" --max-seconds 1 --profile synchronous --run-id r --header 'Authorization: Bearer secret' --header 'X-Tenant: blue'
    assert_success
    grep -q '"X-Tenant"' ws/r/plan.json
    run ! grep -rqE 'secret|blue' ws
    run --separate-stderr "$ROIBENCH" run --workspace ws --header 'authorization: Bearer secret'
    assert_failure 2
    [[ $stderr == *"prepare was given a header X-Tenant"*--header* ]]
    ROIBENCH_HEADER=$'X-Tenant: blue\nAuthorization: Bearer secret' run --separate-stderr "$ROIBENCH" run --workspace ws
    assert_success
    run ! grep -rqE 'secret|blue' ws
    for wrong in 'X-Tenant' 'Host: a' 'X: ' 'Content-Length: 3'; do
        prepare --target "$SIM/v1" --header "$wrong"
        assert_failure 2
        [[ $stderr == *"--header: "* ]]
    done
    prepare --target "$SIM/v1" --header 'Authorization: Bearer secret' --api-key-file key
    assert_failure 2
    [[ $stderr == *"which shall it be"* ]]
}

@test "--insecure is part of the plan and of the report, and nothing that run can add" {
    start_simulator --preset instant --model tiny
    prepare --target "$SIM/v1" --max-seconds 1 --profile synchronous --run-id r
    run --separate-stderr "$ROIBENCH" run --workspace ws --insecure
    assert_failure 2
    [[ $stderr == *"Prepare with --insecure"* ]]
    prepare --target "$SIM/v1" --max-seconds 1 --profile synchronous --run-id s --insecure
    assert_success
    [[ $stderr == *"not verified"* ]]
    "$ROIBENCH" run --workspace ws --insecure --quiet
    "$ROIBENCH" summarize --workspace ws --quiet >report
    grep -q 'certificate was not verified (--insecure)' report
    prepare --target "$SIM/v1" --insecure --cacert "$BATS_TEST_DIRNAME/../data/ca.pem"
    assert_failure 2
}

@test "a context that is too long" {
    start_simulator --preset instant --model tiny --max-model-len 300
    prepare --target "$SIM/v1" --prompt-tokens 200 --output-tokens 200 --max-seconds 5
    assert_failure 3
    [[ $stderr == *"300 tokens"* ]]
}

@test "a workspace that cannot be written: before any request" {
    : >ws
    prepare --target http://127.0.0.1:1/v1 --max-seconds 5
    assert_failure 1
    [[ $stderr == *"ws"* ]]
}

@test "options that are wrong: exit 2 and what is known" {
    prepare --target http://x/v1 --profile sawtooth
    assert_failure 2
    [[ $stderr == *sawtooth*concurrent* ]]
    prepare --target http://x/v1 --nonsense 1
    assert_failure 2
    [[ $stderr == *nonsense* ]]
    prepare
    assert_failure 2
    [[ $stderr == *--target* ]]
    prepare --target http://x/v1 --profile concurrent
    assert_failure 2
    [[ $stderr == *--rate* ]]
    prepare --target http://x/v1 --levels concurrent:1,x
    assert_failure 2
    prepare --target http://x/v1 --levels concurrent:1 --rate 3
    assert_failure 2
    prepare --target http://x/v1 --scenario chat --prompt-tokens 5 --output-tokens 5
    assert_failure 2
    prepare --target http://x/v1 --warmup 60% --cooldown 40%
    assert_failure 2
    prepare --target ftp://x/v1
    assert_failure 2
    prepare --target http://x/v1 --run-id ../x
    assert_failure 2
}

@test "a think time is part of the plan, and wrong ones are said" {
    start_simulator --preset instant --model tiny
    prepare --target "$SIM/v1" --max-seconds 5 --profile concurrent --rate 2 --think-time lognormal:mean=2s,sigma=0.8,max=30s
    assert_success
    [[ $stderr == *"think time lognormal, mean 2.0 s, sigma 0.8"* ]]
    assert_equal "$(field ws/*/plan.json distribution)" lognormal
    assert_equal "$(field ws/*/plan.json sigma)" 0.8
    for text in 2x weibull:2s lognormal:2s uniform:3s-1s exponential:2s,max=1s; do
        prepare --target "$SIM/v1" --profile concurrent --rate 2 --think-time $text
        assert_failure 2
        [[ $stderr == *--think-time*"$text"* ]]
    done
    for load in "--profile poisson --rate 2" "--profile throughput" "--profile sweep" "--levels poisson:1,2"; do
        # shellcheck disable=SC2086 # several words
        prepare --target "$SIM/v1" $load --think-time 2s
        assert_failure 2
        [[ $stderr == *"--think-time goes with streams"* ]]
    done
}

@test "what ends levels and the run is in the plan, and contradictions are said" {
    start_simulator --preset instant --model tiny
    prepare --target "$SIM/v1" --levels poisson:1,2 --max-seconds 5 --min-requests 100 --max-error-rate 5% --stop-when-saturated --find breaking \
        --refine 2 --repeat 3 --max-tokens-total 1000000 --max-usd 0.50 --price-per-hour 0.85 --warmup auto
    assert_success
    for pair in min_requests=100 max_error_rate=0.05 stop_when_saturated=true find=breaking refine=2 repeat=3 max_tokens_total=1000000 max_usd=0.5; do
        assert_equal "$(field ws/*/plan.json "${pair%=*}")" "${pair#*=}"
    done
    [[ $stderr == *"until it is known where breaking begins, halved 2 times"*"until it has 100 requests, for up to 50.0 s; 3 times"* ]]
    while read -r options; do
        # shellcheck disable=SC2086 # several words
        prepare --target "$SIM/v1" $options
        assert_failure 2
        [[ $stderr == *"${options%% *}"* ]]
    done <<'OPTIONS'
--min-requests 100 --max-requests 200
--min-requests 100 --max-seconds 5 --max-requests 99
--min-requests 0
--max-error-rate 1
--max-error-rate 101%
--max-error-rate x
--stop-when-saturated --profile concurrent --rate 5
--find knee
--find breaking --rate 5
--find breaking --levels concurrent:5,3
--find breaking --profile throughput
--refine 3
--refine 41 --find breaking
--repeat 0
--repeat 1001
--max-tokens-total 0
--max-usd 5
--max-usd 0 --price-per-hour 1
--max-usd 5 --price-per-hour 0
OPTIONS
}

@test "--find begins with one stream where no load is given" {
    start_simulator --preset instant --model tiny
    prepare --target "$SIM/v1" --max-seconds 5 --find saturation
    assert_success
    [[ $stderr == *"load: concurrent 1 stream, doubled until it is known where saturation begins, halved 3 times"* ]]
}

@test "several targets: each is asked whether it serves the model, and is the same server" {
    start_simulator --preset instant --model tiny
    local first=$SIM
    start_simulator --preset instant --model tiny
    prepare --target "$first/v1" --target "$SIM/v1/" --max-seconds 5 --rate 3
    assert_success
    [[ $stderr == *"2 targets"* ]]
    tr -d ' \n' <ws/*/plan.json | grep -F "\"target\":[\"$first/v1\",\"$SIM/v1\"]"
    prepare --target "$first/v1" --target "$first/v1/" --max-seconds 5
    assert_failure 2
    [[ $stderr == *"twice"* ]]
    start_simulator --preset instant --model other
    prepare --target "$first/v1" --target "$SIM/v1" --max-seconds 5 --wait 1
    assert_failure 3
    [[ $stderr == *"$SIM"*other* ]]
    start_simulator --preset instant --model tiny --time-scale 2
    prepare --target "$first/v1" --target "$SIM/v1" --max-seconds 5 --wait 1
    assert_failure 3
    [[ $stderr == *"must be alike"* ]]
}

@test "gamma, ramp and burst: what makes their arrivals is in the plan, and what does not fit is said" {
    start_simulator --preset instant --model tiny
    local common=(--target "$SIM/v1" --max-seconds 5 --run-id)
    prepare "${common[@]}" gamma --levels gamma:1,2 --burstiness 0.5
    assert_success
    assert_equal "$(field ws/gamma/plan.json burstiness)" 0.5
    [[ $stderr == *"load: gamma 1, 2 req/s, burstiness 0.5;"* ]]
    prepare "${common[@]}" burst --profile burst --rate 4 --burst-size 8
    assert_success
    assert_equal "$(field ws/burst/plan.json burst_size)" 8
    prepare "${common[@]}" ramp --profile ramp --rate 1,20
    assert_success
    assert_equal "$(field ws/ramp/plan.json load)" 10.5
    [[ $stderr == *"load: ramp 10.5 req/s, from 1 to 20 req/s;"* ]]
    while IFS='|' read -r options said; do
        # shellcheck disable=SC2086 # several words
        prepare --target "$SIM/v1" $options
        assert_failure 2
        [[ $stderr == *$said* ]]
    done <<'OPTIONS'
--profile gamma --rate 1|gamma levels need --burstiness
--profile gamma --rate 1 --burstiness 0|--burstiness
--profile gamma --rate 1 --burstiness 1001|--burstiness
--profile poisson --rate 1 --burstiness 2|--burstiness is for gamma levels only
--profile burst --rate 1|burst levels need --burst-size
--profile burst --rate 1 --burst-size 0|--burst-size
--profile burst --burst-size 5|needs --rate
--rate 5 --burst-size 5|--burst-size is for burst levels only
--profile poisson --rate 5 --stream-start together|--stream-start goes with streams
--levels concurrent:5 --sweep-arrivals constant|--sweep-arrivals is for a sweep that finds its rates
--profile ramp|--rate 1,20
--profile ramp --rate 5|--rate 1,20
--profile ramp --rate 0,0|more than 0
--profile ramp --rate=-1,5|from 0 to 1e+06
--profile ramp --rate 1,5 --max-requests 10|a ramp needs --max-seconds
--levels ramp:1,5|Known kinds: concurrent, constant, poisson, gamma, burst
--profile ramp --rate 1,5 --find breaking|whose --rate is one
OPTIONS
}

@test "a model file fills in what was not said" {
    start_simulator --preset instant --model tiny
    mkdir models
    cat >models/tiny.json <<JSON
{"schema": "roibench/model/v1", "target": "$SIM/v1", "levels": "concurrent:2,4", "scenario": "stress",
 "hardware": "1 x L4", "gpus": 1, "price_per_hour": 0.85, "price_source": "list"}
JSON
    prepare --models models --model tiny --max-seconds 5
    assert_success
    assert_equal "$(field ws/*/plan.json scenario)" stress
    assert_equal "$(field ws/*/plan.json price_per_hour)" 0.85
    grep -q '"levels": "--levels, in the model.s file"' ws/*/plan.json
    prepare --models models --model tiny --profile concurrent --rate 3 --max-seconds 5 --dry-run --json
    assert_success
    assert_line --partial '"levels": "--rate, on the command line"'
    sed -i 's/gpus/gpu/' models/tiny.json
    prepare --models models --model tiny --max-seconds 5
    assert_failure 2
    [[ $stderr == *models/tiny.json*gpu* ]]
}

@test "what a model file says of publish is nothing for prepare to mention" {
    start_simulator --preset instant --model tiny
    mkdir models
    cat >models/tiny.json <<JSON
{"schema": "roibench/model/v1", "target": "$SIM/v1", "slo": "ttft=1s", "publish": ["s3://bucket/x"]}
JSON
    prepare --models models --model tiny --max-seconds 5
    assert_success
    [[ $stderr != *publish* ]]
    assert_equal "$(jq .slo ws/*/plan.json --compact-output)" '{"ttft_ms":1000}'
}

@test "a target and a template, both on the command line" {
    prepare --target http://127.0.0.1:1/v1 --target-template "http://{model}/v1" --model tiny
    assert_failure 2
    [[ $stderr == *"--target and --target-template say the same thing"* ]]
}

@test "a target that is not the API's root" {
    prepare --target http:// --max-seconds 5
    assert_failure 2
    [[ $stderr == *"--target: http://: the URL names no host"* ]]
    prepare --target http://127.0.0.1:1// --wait 0
    assert_failure 3
    [[ $stderr == *"GET http://127.0.0.1:1/models: "* ]]
    # What cannot be a proxy is said at once, without its password.
    http_proxy=http://ann:secret@h:1:2 prepare --target http://model.example/v1
    assert_failure 3
    [[ $stderr == *"the proxy of the environment"*"expected http://HOST:PORT"* && $stderr != *secret* ]]
    prepare --target "http://x/v1?key=secret" --max-seconds 5
    assert_failure 2
    [[ $stderr == *"--target: http://x/v1: the URL has a query or a fragment"* ]]
    prepare --target "http://x/v1#part" --max-seconds 5
    assert_failure 2
    prepare --target "http://x/v1/chat/completions" --max-seconds 5
    assert_failure 2
    [[ $stderr == *"that is one path of the API. Give its root: http://x/v1"* ]]
}

@test "Tekton results that cannot be written: the run-id is printed all the same" {
    start_simulator --preset instant --model tiny
    prepare --target "$SIM/v1" --max-seconds 5 --run-id mine --tekton-results /proc/x
    assert_failure 1
    assert_output mine
    [[ $stderr == *"--tekton-results: cannot make the folder /proc/x"* ]]
    assert_equal "$(cat ws/latest)" mine
}

@test "how long a run will take counts the start of its streams, and what may hang" {
    start_simulator --preset instant --model tiny
    prepare --target "$SIM/v1" --profile concurrent --rate 2,3 --max-seconds 5 --drain 7
    assert_success
    [[ $stderr == *"run will take about 10."[0-9]" s, and up to 14.0 s more if requests hang"* ]]
}

@test "a dry run shows what the run will take and cost, with reasons, and writes nothing" {
    start_simulator --preset l4-int4 --time-scale 50 --model tiny
    prepare --target "$SIM/v1" --levels concurrent:1,4 --stream-start together --max-seconds 30 --price-per-hour 3.60 --repeat 2 --dry-run --quiet
    assert_success
    [ ! -e ws ]
    assert_line --regexp '^target +http://.*\(--target, on the command line\)$'
    assert_line --regexp '^model +tiny  \(the only one that the server has\)$'
    assert_line --regexp '^nonce .*drawn for this run'
    assert_line --regexp '^1 +concurrent 1 stream +0 ms +30.0 s +<= [0-9]+ +<= [0-9,]+ +<= [0-9,]+$'
    assert_line --regexp '^ +all, 2 times +0 ms +2 m 00 s '
    assert_line 'run takes 2.4 s of wall time, and up to 4.8 s more if requests hang at the ends of the levels (--drain)'
    assert_line "it costs \$0.12 at \$3.60 an hour, in the model's time"
    prepare --target "$SIM/v1" --max-seconds 5 --dry-run --json
    assert_success
    [[ $output == *'"schema": "roibench/plan/v1"'* ]]
    [ ! -e ws ]
    prepare --target "$SIM/v1" --json
    assert_failure 2
    [[ $stderr == *"--json says how --dry-run or --check print a plan"* ]]
}

@test "every decision of the plan has its reason" {
    start_simulator --preset instant --model tiny
    ROIBENCH_SEED=7 prepare --target "$SIM/v1" --max-requests 5 --run-id r
    assert_success
    grep -q '"seed": "--seed, in the environment"' ws/r/plan.json
    grep -q '"max_seconds": "no limit of time: --max-requests ends a level"' ws/r/plan.json
    grep -q '"prompts": "the server counts a text by /tokenize"' ws/r/plan.json
    grep -q '"answers": "the server takes ignore_eos' ws/r/plan.json
}

@test "a plan that somebody wrote is checked without a server" {
    start_simulator --preset instant --model tiny
    prepare --target "$SIM/v1" --levels poisson:0.5-2/3 --max-seconds 10 --run-id r
    stop_simulators
    run --separate-stderr "$ROIBENCH" prepare --check ws/r/plan.json
    assert_success
    assert_line --regexp '^2 +poisson 1 req/s +0 ms +10.0 s +10 '
    [[ $stderr != *"no member"* ]]
    sed -i 's/"max_concurrency"/"max_request": 5, "max_concurrency"/' ws/r/plan.json
    run --separate-stderr "$ROIBENCH" prepare --check ws/r/plan.json
    assert_success
    [[ $stderr == *"a plan has no member like these"*": limits.max_request"* ]]
    sed -i 's/"repeat": 1/"repeat": 0/' ws/r/plan.json
    run --separate-stderr "$ROIBENCH" prepare --check ws/r/plan.json
    assert_failure 2
    [[ $stderr == *"ws/r/plan.json: repeat: expected"* ]]
    run --separate-stderr "$ROIBENCH" prepare --check ws/r/plan.json --rate 3
    assert_failure 2
    [[ $stderr == *"--rate has no meaning beside it"* ]]
    run --separate-stderr "$ROIBENCH" prepare --check nowhere.json
    assert_failure 2
    sed -i 's/"repeat": 0/"repeat": 1/; s/"index": 1,/"index": 1, "lod": 3,/' ws/r/plan.json
    run --separate-stderr "$ROIBENCH" prepare --check ws/r/plan.json
    assert_success
    [[ $stderr == *": levels[1].lod, limits.max_request"* ]]
    sed -i -E 's#"http://127.0.0.1:[0-9]+/v1"#"http://127.0.0.1:99999/v1"#' ws/r/plan.json
    run --separate-stderr "$ROIBENCH" prepare --check ws/r/plan.json
    assert_failure 2
    [[ $stderr == *"ws/r/plan.json: target: http://127.0.0.1:99999/v1: not a URL"* ]]
}

@test "a server's words move no cursor and make no lines of a dry run" {
    start_simulator --preset instant --model $'evil\e[31m\ntarget     elsewhere'
    prepare --target "$SIM/v1" --profile synchronous --max-requests 2 --dry-run
    assert_success
    assert_line 'model      evil?[31m?target     elsewhere  (the only one that the server has)'
    refute_output --partial $'\e'
}
