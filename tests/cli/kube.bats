#!/usr/bin/env bats
# prepare asks Kubernetes where the model is and on what it runs: the simulator is the model, the API is a folder of answers.

load support/simulator # setup and teardown too

KSERVE=apis/serving.kserve.io/v1beta1/namespaces/private-ai/inferenceservices
PODS=api/v1/namespaces/private-ai/pods
DATA=$BATS_TEST_DIRNAME/../data/kube

# start_api: an empty one; sets API and API_FOLDER
start_api() {
    API_FOLDER=$(mktemp -d "$BATS_TEST_TMPDIR/api.XXXXXX")
    mkdir -p "$API_FOLDER/$KSERVE" "$API_FOLDER/api/v1/nodes" "$API_FOLDER/$(dirname $PODS)"
    "$BATS_TEST_DIRNAME/support/kube_api.pl" "$API_FOLDER" >"$API_FOLDER/log" 2>&1 3>&- &
    SIM_PIDS+=($!)
    wait_until test -s "$API_FOLDER/port"
    API=http://127.0.0.1:$(<"$API_FOLDER/port")
}

# A service that is served by the simulator.
serve_mistral() {
    sed "s#http://mistral-predictor.private-ai.svc.cluster.local:8080#$SIM#" "$DATA/inferenceservice.json" >"$API_FOLDER/$KSERVE/mistral.json"
    cp "$DATA/pods.json" "$API_FOLDER/$PODS.json"
    cp "$DATA/node.json" "$API_FOLDER/api/v1/nodes/ip-10-0-4-17.ec2.internal.json"
}

prepare() {
    run --separate-stderr timeout 60 "$ROIBENCH" prepare --workspace ws --max-seconds 5 --wait "${WAIT:-5}" "$@"
}

plan() { # JQ-FILTER
    jq --raw-output "$1" ws/*/plan.json
}

@test "a model is found by its name, and the plan says what it runs on" {
    start_simulator --preset instant --model mistral
    start_api
    serve_mistral
    prepare --model mistral --kube-api "$API"
    assert_success
    [[ $stderr == *"InferenceService mistral in namespace private-ai is at $SIM/v1"* ]]
    assert_equal "$(plan '.target[0]')" "$SIM/v1"
    assert_equal "$(plan '.reasons.target')" "the address of InferenceService mistral in namespace private-ai"
    assert_equal "$(plan '.kubernetes | [.kind, .name, .runtime, .gpu_resource, .gpus_per_pod, .nodes[0].instance_type] | @csv')" \
        '"InferenceService","mistral","vllm-cuda-runtime","nvidia.com/gpu",2,"g6.12xlarge"'
    assert_equal "$(plan '.deployment | "\(.hardware), \(.gpus)"')" "2 x NVIDIA-L4 on g6.12xlarge, 2"
    assert_equal "$(plan '.kubernetes.notes | length')" 0
    run ! grep -rE "very-secret|hf_abc|never-looked-at" ws
    "$ROIBENCH" prepare --check ws/*/plan.json >check.txt
    grep -q "kubernetes InferenceService mistral in namespace private-ai, 2 x NVIDIA-L4 on g6.12xlarge" check.txt
    grep -q -- "--max-model-len=8192 --kv-cache-dtype fp8" check.txt
}

@test "the report says what a run was measured on, a comparison what of it differs" {
    start_simulator --preset instant --model mistral
    start_api
    serve_mistral
    prepare --model mistral --kube-api "$API" --profile concurrent --rate 1 --run-id a
    assert_success
    sed -i 's/--max-model-len=8192/--max-model-len=4096/; s/0f2ab1d3/ffffffff/' "$API_FOLDER/$PODS.json"
    prepare --model mistral --kube-api "$API" --profile concurrent --rate 1 --run-id b
    assert_success
    sed -i 's/"max_seconds": 5/"max_seconds": 1/' ws/a/plan.json ws/b/plan.json
    for id in a b; do "$ROIBENCH" run --workspace ws --run-id $id --quiet; done
    "$ROIBENCH" summarize --workspace ws --run-id a --quiet
    grep -q "^- Pods:     InferenceService mistral in namespace private-ai, 2 x NVIDIA-L4 on g6.12xlarge, 1 pod, runtime" ws/a/report.md
    grep -q "^- Args: .*max-model-len=8192" ws/a/report.md
    "$ROIBENCH" summarize --workspace ws --quiet a b
    assert_equal "$(jq --raw-output '.deployment_differences[1]' ws/comparisons/*/comparison.json)" \
        "arguments: --max-model-len=8192 (a) against --max-model-len=4096 (b)"
}

@test "run looks at the pods again: one that was restarted makes its levels suspect" {
    start_simulator --preset instant --model mistral
    start_api
    serve_mistral
    prepare --model mistral --kube-api "$API" --profile concurrent --rate 1 --run-id same
    sed -i 's/"max_seconds": 5/"max_seconds": 1/' ws/same/plan.json
    cp -r ws/same ws/changed
    cp -r ws/same ws/unknown
    for id in changed unknown; do sed -i "s/\"run_id\": \"same\"/\"run_id\": \"$id\"/" ws/$id/plan.json; done
    "$ROIBENCH" run --workspace ws --run-id same --quiet --kube-api "$API"
    sed -i 's/"restartCount": 1/"restartCount": 2/' "$API_FOLDER/$PODS.json"
    run --separate-stderr "$ROIBENCH" run --workspace ws --run-id changed --quiet --kube-api "$API"
    assert_success
    [[ $stderr == *"no longer those that prepare saw: pod mistral-predictor-6f7d9c5b8-2xk4p was restarted"* ]]
    echo 403 >"$API_FOLDER/$PODS.status"
    run --separate-stderr "$ROIBENCH" run --workspace ws --run-id unknown --quiet --kube-api "$API"
    assert_success
    [[ $stderr == *"whether the model's pods were restarted is not known"*"resources: [pods], verbs: [list]"* ]]
    for id in same changed unknown; do "$ROIBENCH" summarize --workspace ws --run-id $id --quiet; done
    grep -q "pod mistral-predictor-6f7d9c5b8-2xk4p was restarted" ws/changed/report.md
    run ! grep "pods changed" ws/same/report.md ws/unknown/report.md
    assert_equal "$(tail -n 1 ws/same/journal.jsonl)" '{"kubernetes":{"changes":null,"unknown":null}}'
}

@test "hardware and GPUs that were told stay" {
    start_simulator --preset instant --model mistral
    start_api
    serve_mistral
    prepare --model mistral --kube-api "$API" --hardware "4 x L4" --gpus 4
    assert_success
    assert_equal "$(plan '.deployment | "\(.hardware), \(.gpus)"')" "4 x L4, 4"
}

@test "of a target that was given, the pods are learned when it is the service's" {
    start_simulator --preset instant --model mistral
    start_api
    serve_mistral
    prepare --target "$SIM/v1" --kube-api "$API"
    assert_success
    assert_equal "$(plan '.kubernetes | "\(.gave_target), \(.pods | length)"')" "false, 1"
}

@test "of a target that is not known to be the service's, nothing is claimed" {
    start_simulator --preset instant --model mistral
    start_api
    serve_mistral
    prepare --target "http://localhost:${SIM##*:}/v1" --kube-api "$API"
    assert_success
    assert_equal "$(plan '.kubernetes.pods | length')" 0
    [[ $(plan '.kubernetes.notes[0]') == *"is not known to be an address of InferenceService mistral: --inference-service mistral"* ]]
    rm -r ws
    prepare --target "http://localhost:${SIM##*:}/v1" --kube-api "$API" --inference-service mistral
    assert_success
    assert_equal "$(plan '.kubernetes.pods | length')" 1
}

@test "forbidden: the rule that permits it, and the template's address is tried" {
    start_simulator --preset instant --model mistral
    start_api
    echo 403 >"$API_FOLDER/$KSERVE/mistral.status"
    prepare --model mistral --kube-api "$API" --target-template "$SIM/v1"
    assert_success # a template that was given is not second-guessed
    [[ $(plan '.kubernetes.notes[0]') == *'resources: [inferenceservices], verbs: [get]'* ]]
    WAIT=0.1 prepare --model mistral --kube-api "$API"
    assert_failure 3
    [[ $stderr == *"verbs: [get]"*"--target-template gives the address: http://mistral-predictor.private-ai.svc.cluster.local:8080/v1"* ]]
    prepare --model mistral --kube-api "$API" --kube on
    assert_failure 3
    [[ $stderr == *'apiGroups: ["serving.kserve.io"], resources: [inferenceservices], verbs: [get]'* ]]
    [[ $stderr != *"target-template"* ]]
}

@test "nodes that may not be read are noted, the rest is known" {
    start_simulator --preset instant --model mistral
    start_api
    serve_mistral
    echo 403 >"$API_FOLDER/api/v1/nodes/ip-10-0-4-17.ec2.internal.status"
    prepare --model mistral --kube-api "$API"
    assert_success
    [[ $stderr == *"not learned of the deployment"*"resources: [nodes], verbs: [get]"* ]]
    assert_equal "$(plan '.deployment.hardware')" "2 x nvidia.com/gpu"
}

@test "a wrong name: which there are" {
    start_api
    echo '{"items":[{"metadata":{"name":"mistral"}}]}' >"$API_FOLDER/$KSERVE.json"
    prepare --model mistrl --kube-api "$API" --kube on
    assert_failure 3
    [[ $stderr == *"'mistrl' in namespace 'private-ai'; it has: mistral"* ]]
}

@test "a service that is not ready is waited for" {
    start_simulator --preset instant --model mistral
    start_api
    serve_mistral
    cp "$API_FOLDER/$KSERVE/mistral.json" ready.json
    echo '{"status":{"conditions":[{"type":"Ready","status":"False","reason":"ErrImagePull"}]}}' >"$API_FOLDER/$KSERVE/mistral.json"
    WAIT=0.2 prepare --model mistral --kube-api "$API"
    assert_failure 3
    [[ $stderr == *"InferenceService mistral in namespace private-ai is not ready after"*"ErrImagePull"* ]]
    (sleep 1; cp ready.json "$API_FOLDER/$KSERVE/mistral.json") 3>&- &
    WAIT=30 prepare --model mistral --kube-api "$API"
    assert_success
}

@test "outside of a cluster nothing is asked; --kube on says what is missing" {
    start_simulator --preset instant --model mistral
    unset KUBERNETES_SERVICE_HOST
    prepare --target "$SIM/v1"
    assert_success
    assert_equal "$(plan '.kubernetes')" null
    prepare --target "$SIM/v1" --kube on
    assert_failure 2
    [[ $stderr == *"no pod with a service account (KUBERNETES_SERVICE_HOST is not set"* ]]
}

@test "a token without the CA of the account's own is sent nowhere" {
    mkdir account
    echo secret >account/token
    prepare --target http://127.0.0.1:1/v1 --kube on --kube-api https://127.0.0.1:1 --kube-account account
    assert_failure 2
    [[ $stderr == *"--kube-api: account/ca.crt is not there: a token goes to no server but one that the account's own CA vouches for"* ]]
}

@test "--kube off asks nobody" {
    start_simulator --preset instant --model mistral
    start_api
    prepare --target "$SIM/v1" --kube-api "$API" --kube off
    assert_success
    [ ! -e "$API_FOLDER/requests" ]
}
