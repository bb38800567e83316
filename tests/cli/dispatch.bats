#!/usr/bin/env bats
# dispatch: which models get a Job, what the Job is, and what is said of the others. The API is a folder of answers; tests/e2e has a real one.

load support/simulator # setup and teardown too

KSERVE=apis/serving.kserve.io/v1beta1/namespaces/private-ai/inferenceservices
TEKTON=$BATS_TEST_DIRNAME/../../tekton

start_api() {
    API_FOLDER=$(mktemp -d "$BATS_TEST_TMPDIR/api.XXXXXX")
    mkdir -p "$API_FOLDER/$(dirname "$KSERVE")" models
    "$BATS_TEST_DIRNAME/support/kube_api.pl" "$API_FOLDER" >"$API_FOLDER/log" 2>&1 3>&- &
    SIM_PIDS+=($!)
    wait_until test -s "$API_FOLDER/port"
    API=http://127.0.0.1:$(<"$API_FOLDER/port")
}

serve() { # NAME=READY...: the InferenceServices that there are
    local items=() service
    for service in "$@"; do
        items+=("{\"metadata\":{\"name\":\"${service%=*}\"},\"status\":{\"address\":{\"url\":\"http://x\"},
            \"conditions\":[{\"type\":\"Ready\",\"status\":\"${service#*=}\",\"reason\":\"ImagePullBackOff\"}]}}")
    done
    local IFS=,
    echo "{\"items\":[${items[*]}]}" >"$API_FOLDER/$KSERVE.json"
}

model() { # NAME [MORE]
    echo "{\"schema\":\"roibench/model/v1\"${2:-}}" >"models/$1.json"
}

dispatch() {
    run --separate-stderr timeout 60 "$ROIBENCH" dispatch --kube-api "$API" --models models --image our:1 "$@"
}

@test "a Job for each model that is up; the others are named with the reason" {
    start_api
    serve ready=True broken=False unknown=True
    model ready
    model broken
    model elsewhere ',"target":"http://elsewhere/v1"'
    model gone
    dispatch --dry-run --template "$TEKTON/dispatch/job-template.yaml" --profile poisson --ttl 60
    assert_success
    [[ $output == *"broken "*"skipped: Ready is False: ImagePullBackOff"* ]]
    [[ $output == *"gone "*"skipped: no InferenceService has its name, and its file names no target"* ]]
    assert_equal "$(grep -c '^kind: "Job"' <<<"$output")" 3
    for name in ready elsewhere unknown; do
        grep -qE "^  name: \"$name-[0-9]{8}-[0-9]{6}\"" <<<"$output"
        grep -qE "^    model: \"$name\"" <<<"$output"
    done
    assert_equal "$(grep -c '"our:1"' <<<"$output")" 12 # four containers each
    grep -q 'ttlSecondsAfterFinished: 60' <<<"$output"
    grep -q 'profile: "poisson"' <<<"$output"
    run ! grep -q POST "$API_FOLDER/requests"
}

@test "--only, and as PipelineRuns" {
    start_api
    serve ready=True
    model elsewhere ',"target":"http://elsewhere/v1"'
    dispatch --dry-run --template "$TEKTON/dispatch/pipelinerun-template.yaml" --as pipelinerun --only elsewhere
    assert_success
    assert_equal "$(grep -c '^kind: "PipelineRun"' <<<"$output")" 1
    grep -q 'value: "elsewhere"' <<<"$output"
    dispatch --dry-run --template "$TEKTON/dispatch/job-template.yaml" --only elsewher
    assert_failure 2
    [[ $stderr == *"--only elsewher: there is neither a file elsewher.json in --models nor an InferenceService of that name in namespace private-ai"* ]]
}

@test "what cannot be dispatched: exit 2 or 3, and what to do" {
    start_api
    serve broken=False
    run -2 --separate-stderr "$ROIBENCH" dispatch
    [[ $stderr == *"--template is missing"* ]]
    run -2 --separate-stderr "$ROIBENCH" dispatch --template "$TEKTON/dispatch/job-template.yaml"
    [[ $stderr == *"image is missing: --image gives one"* ]]
    dispatch --template "$TEKTON/dispatch/job-template.yaml" --as pipelinerun
    assert_failure 2
    [[ $stderr == *"job-template.yaml: expected apiVersion: tekton.dev/v1, kind: PipelineRun"* ]]
    dispatch --template "$TEKTON/dispatch/job-template.yaml"
    assert_failure 3
    [[ $stderr == *"no model is up in namespace private-ai: there is nothing to benchmark"* ]]
    echo 403 >"$API_FOLDER/$KSERVE.status"
    dispatch --template "$TEKTON/dispatch/job-template.yaml"
    assert_failure 3
    [[ $stderr == *'A rule of a Role in that namespace permits it: apiGroups: ["serving.kserve.io"], resources: [inferenceservices], verbs: [list]'* ]]
    run -2 --separate-stderr env -u KUBERNETES_SERVICE_HOST "$ROIBENCH" dispatch --template "$TEKTON/dispatch/job-template.yaml" --image x
    [[ $stderr == *"there is no Kubernetes to ask"* ]]
}
