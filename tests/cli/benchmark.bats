#!/usr/bin/env bats
# roibench benchmark: command lines of GuideLLM as people wrote them, one a version at least, against the simulator.
# shellcheck disable=SC2154  # set by bats and the file loaded here

load support/simulator

setup_file() {
    ln -s "$ROIBENCH" "$BATS_FILE_TMPDIR/guidellm"
}

# Called as GuideLLM is.
guidellm() {
    run --separate-stderr "$BATS_FILE_TMPDIR/guidellm" "$@"
}

# Fast, so that levels of a minute end in a second.
start_model() {
    start_simulator --preset l4-int4 --time-scale 100 --model mistral-3-int4 "$@"
}

of() { jq --raw-output "$2" "$1"; } # FILE FILTER

levels() { of "$1" '[.benchmarks[] | .config.strategy | .type_ + (if .streams then "@\(.streams)" else "" end)] | join(" ")'; }

@test "0.2: guidellm benchmark with --rate-type, --processor and --output-path" {
    start_model
    guidellm benchmark --target "$SIM" --backend-type openai_http --model mistral-3-int4 --processor mistralai/Mistral-Small-24B-Instruct-2501 \
        --data '{"prompt_tokens":128,"output_tokens":16}' --rate-type concurrent --rate 1,3 --max-seconds 30 --warmup-percent 0.1 \
        --display-scheduler-stats --output-path results/benchmarks.json --random-seed 7
    assert_success
    assert_output --partial "Run Summary Info"
    assert_output --partial "Benchmarking complete, generated 2 benchmark(s)"
    assert_line --partial "json    : results/benchmarks.json"
    assert_line --regexp "^ℹ .*production"
    assert_regex "$stderr" "no meaning here and change nothing: --processor, --display-scheduler-stats"
    assert_equal "$(levels results/benchmarks.json)" "concurrent@1 concurrent@3"
    assert_equal "$(of results/benchmarks.json .metadata.version)" 1
    [ "$(of results/benchmarks.json '.benchmarks[1].metrics.request_totals.successful')" -gt 5 ]
    assert_equal "$(of results/benchmarks.json '.benchmarks[1].metrics.output_token_count.successful.mean')" 16
    # The run itself lies beside the file, as run and summarize know it.
    run=results/$(<results/latest)
    assert [ -s "$run/report.md" ]
    assert_equal "$(of "$run/plan.json" .seed)" 7
    assert_equal "$(of "$run/plan.json" .stream_start)" together
}

@test "0.3: guidellm benchmark run with both limits, lengths as pairs" {
    start_model
    guidellm benchmark run --target "$SIM" --backend-type openai_http --model mistral-3-int4 --processor Qwen/Qwen2.5-0.5B-Instruct \
        --processor-args '{"trust_remote_code": true}' --data "prompt_tokens=256,output_tokens=32" --rate-type concurrent --rate 8 --max-requests 64 \
        --max-seconds 600 --random-seed 0 --output-path ./int4_rate8.json
    assert_success
    assert_equal "$(of int4_rate8.json '.benchmarks[0].metrics.request_totals | [.successful, .errored, .incomplete, .total] | join(" ")')" "64 0 0 64"
    assert_equal "$(of int4_rate8.json '.benchmarks[0].metrics.prompt_token_count.successful | [.min, .max] | join(" ")')" "256 256"
}

@test "0.6: the ad-hoc Job of the reference" {
    start_model
    mkdir results
    printf '%s\n' '[{"prompt": "What is the capital of France?"},{"prompt": "Explain quantum computing."}]' >prompts.json
    guidellm benchmark run --target "$SIM/v1" --data prompts.json --profile sweep --max-seconds 60 --max-requests 50 --output-dir results \
        --outputs "mistral-3-int4-adhoc.json" --disable-console-interactive
    assert_success
    refute_regex "$stderr" "no meaning here"
    refute_regex "$stderr" "in flight"
    assert_equal "$(of results/mistral-3-int4-adhoc.json '.benchmarks | length')" 10
    assert_equal "$(levels results/mistral-3-int4-adhoc.json | cut -d ' ' -f 1-3)" "synchronous throughput constant"
    assert_equal "$(of results/mistral-3-int4-adhoc.json '[.benchmarks[].metrics.request_totals.total] | max <= 50')" true
    assert_equal "$(ls results)" "$(printf '%s\n' latest mistral-3-int4-adhoc.json "$(<results/latest)" | sort)"
}

@test "0.6: environment, a key in --backend-kwargs, all kinds of files; the key is written nowhere" {
    printf sk-very-secret >key
    start_model --api-key-file key
    rm key
    export GUIDELLM_TARGET=$SIM GUIDELLM_MAX_REQUESTS=5 GUIDELLM__MP_CONTEXT_TYPE=spawn
    printf 'GUIDELLM__LOGGING__DISABLED=true # nothing here\nPASSWORD=x\nGUIDELLM__MP_CONTEXT_TYPE=fork\n' >.env
    guidellm benchmark --data "prompt_tokens=64,output_tokens=8" --profile constant --rate 1 --rate 2 --request-type text_completions \
        --backend-kwargs '{"api_key": "sk-very-secret", "timeout": 100, "http2": true}' --output-dir out --outputs json,csv,yaml --outputs page.html
    assert_success
    assert_regex "$stderr" "no meaning here and change nothing: GUIDELLM__LOGGING__DISABLED, GUIDELLM__MP_CONTEXT_TYPE, backend.http2"
    assert_equal "$(of out/benchmarks.json '.benchmarks | length')" 2
    assert_equal "$(of "out/$(<out/latest)/plan.json" .endpoint)" completions
    assert_equal "$(head -3 out/benchmarks.csv | tail -1 | tr -cd , | wc -c)" "$(tail -1 out/benchmarks.csv | sed -E 's/"([^"]|"")*"//g' | tr -cd , | wc -c)"
    assert_regex "$(head -1 out/benchmarks.csv)" "^Run Info,.*,Benchmark,.*,Request Latency,.*,Runtime Info"
    assert_regex "$(<out/page.html)" "<html"
    assert_regex "$(<out/benchmarks.yaml)" "requests_per_second:"
    refute_regex "$stderr$output" sk-very-secret
    run -1 grep -rq sk-very-secret out
}

@test "0.7: guidellm run with groups, labels and --disable-progress" {
    start_model
    guidellm run --backend "kind=openai_http,target=$SIM,model=mistral-3-int4,timeout=3600" --tokenizer kind=huggingface_auto,model=/models/tok \
        --profile kind=concurrent,streams=2 --data kind=synthetic_text,prompt_tokens=128,output_tokens=16 --seed kind=static,value=5 \
        --constraint kind=max_requests,count=8 --constraint kind=max_duration,seconds=2700 --label tag=a1 --label ctx=128 \
        --output kind=json,path=out/c2.json --disable-progress
    assert_success
    assert_equal "$(of out/c2.json .metadata.version)" 2
    assert_equal "$(of out/c2.json .config.spec.profile.kind)" concurrent
    assert_equal "$(of out/c2.json '.config.metadata.labels | [.tag, .ctx] | join(" ")')" "a1 128"
    grep -qx -- "- Labels:   tag=a1, ctx=128" "out/$(<out/latest)/report.md"
    assert_equal "$(of out/c2.json '.benchmarks[0].metrics.request_totals.successful')" 8
    assert_equal "$(of out/c2.json '.benchmarks[0].requests.successful | length')" 8
    assert_equal "$(of "out/$(<out/latest)/plan.json" .seed)" 5
    assert_regex "$stderr" "change nothing: --tokenizer"
}

@test "0.8: a scenario of YAML, with a level for each override" {
    start_model
    cat >scenario.yaml <<YAML
# as in a ConfigMap
spec:
  backend:
    kind: openai_http
    target: $SIM
  profile: {kind: concurrent}
  data:
    - kind: synthetic_text
      prompt_tokens: 128
      output_tokens: 16
  constraints:
    - kind: max_requests
      count: 4
YAML
    guidellm run -c scenario.yaml --override profile.streams 1,2 --constraint kind=max_requests,count=6 --metrics kind=generative,sample_size=2 --output kind=json --output kind=console --disable-console
    assert_success
    assert_output --partial "Server Throughput Statistics (All Requests)"
    assert_equal "$(levels benchmarks.json)" "concurrent@1 concurrent@2"
    assert_equal "$(of benchmarks.json '[.benchmarks[].metrics.request_totals.total] | join(" ")')" "6 6"
    assert_equal "$(of benchmarks.json '[.benchmarks[].requests.successful | length] | join(" ")')" "2 2"
    assert_equal "$stderr" ""
}

@test "options of ours stand among GuideLLM's, and replace what those would become" {
    start_model
    run --separate-stderr "$ROIBENCH" benchmark --target "$SIM" --data "prompt_tokens=64,output_tokens=8" --levels concurrent:1,2 --max-requests 6 --stream-start spread \
        --price-per-hour 0.85 --gpus 1 --workspace ws --run-id mine --tekton-results results --disable-console
    assert_success
    assert_output ""
    assert_equal "$(of ws/mine/plan.json .stream_start)" spread
    assert_equal "$(of ws/mine/plan.json .deployment.price_per_hour)" 0.85
    assert_equal "$(<results/run-id)" mine
    assert [ -s results/verdict ]
    assert [ -s benchmarks.json ]
    assert [ -s benchmarks.csv ]
}

@test "the translation is told, as steps that can be typed" {
    start_model
    guidellm benchmark --target "$SIM" --data "prompt_tokens=64,output_tokens=8" --rate-type synchronous --max-requests 2
    assert_success
    line=$(sed -n 's/.*in steps of roibench this is: //p' <<<"$stderr")
    mkdir again
    cd again
    PATH=$BATS_TEST_TMPDIR:$PATH
    ln -s "$ROIBENCH" "$BATS_TEST_TMPDIR/roibench"
    eval "$line" >/dev/null
    assert_equal "$(of "$(<latest)/summary.json" '.levels[0].requests.ok')" 2
}

# As a Job that is deleted in the middle of its sweep.
@test "a signal: what was measured until then is in GuideLLM's files" {
    start_simulator --preset l4-int4 --model mistral-3-int4
    "$BATS_FILE_TMPDIR/guidellm" benchmark --target "$SIM" --data "prompt_tokens=64,output_tokens=4" --rate-type concurrent --rate 4,1 --max-seconds 2000 \
        --output-path out.json >tables 2>log 3>&- &
    wait_until grep -q "1/2    concurrent 4 streams .* [1-9][0-9]* *0 *4 " log
    local ended=0
    kill -TERM $!
    wait $! || ended=$?
    assert_equal "$ended" 143
    [ "$(of out.json '.benchmarks[0].metrics.request_totals.successful')" -ge 1 ]
    grep -q "Benchmarking complete, generated 1 benchmark(s)" tables
}

@test "what is wrong is said before anything is sent" {
    guidellm benchmark --data "prompt_tokens=64,output_tokens=8" --rate-type concurrent
    assert_failure 2
    assert_regex "$stderr" "numbers of streams: --rate 1,2,4"
    guidellm benchmark --target http://127.0.0.1:9 --data some/dataset --rate-type synchronous
    assert_failure 2
    assert_regex "$stderr" "data sets are not downloaded here"
    guidellm benchmark --target http://127.0.0.1:9 --rate-types synchronous
    assert_failure 2
    assert_regex "$stderr" "unknown option --rate-types"
    guidellm benchmark --rate-type synchronous --data "prompt_tokens=64,output_tokens=8" --max-requests 1
    assert_failure 2
    assert_regex "$stderr" "what shall be measured"
    guidellm benchmark --target http://127.0.0.1:9 --rate-type synchronous --data "prompt_tokens=64,output_tokens=8" --wait 0
    assert_failure 3
    guidellm benchmark --target http://127.0.0.1:9 --rate-type synchronous --data "prompt_tokens=64,output_tokens=8" --output-path /proc/nowhere/x.json
    assert_failure 1
    assert_regex "$stderr" "/proc/nowhere"
}

@test "other commands of GuideLLM's are named with what to use instead; help and version" {
    guidellm benchmark from-file report.json
    assert_failure 2
    assert_regex "$stderr" "summarize --import guidellm:FILE"
    guidellm mock-server
    assert_failure 2
    assert_regex "$stderr" "roibench simulate"
    guidellm
    assert_failure 2
    guidellm --version
    assert_success
    assert_output --partial "roibench"
    guidellm run --help
    assert_success
    assert_line --regexp "--profile, --rate-type KIND .* 0.1-0.8 "
}
