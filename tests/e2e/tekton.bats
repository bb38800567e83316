#!/usr/bin/env bats
# tekton/ on a real cluster with Tekton, that KUBECONFIG names: what its user does, by kubectl and tkn. The models are simulators behind the Services that KServe
# would make, twenty times as fast as time goes; the namespace private-ai is made and deleted.
#
#   ROIBENCH_IMAGE   the image, as the cluster knows it (default: that of tekton/config/image.yaml)
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support

N=private-ai
TEKTON=$BATS_TEST_DIRNAME/../../tekton

k() { kubectl -n "$N" "$@"; }

setup_file() {
    local image=${ROIBENCH_IMAGE:-}
    kubectl get namespace "$N" >/dev/null 2>&1 && kubectl delete namespace "$N" --timeout=120s
    kubectl create namespace "$N"
    cp -r "$TEKTON" "$BATS_FILE_TMPDIR/tekton"
    [[ -z $image ]] || sed -i "s#^  image: .*#  image: $image#" "$BATS_FILE_TMPDIR/tekton/config/image.yaml"
    kubectl kustomize "$BATS_FILE_TMPDIR/tekton" >"$BATS_FILE_TMPDIR/all.yaml"
    kubectl apply --server-side --validate=strict -f "$BATS_FILE_TMPDIR/all.yaml"
    export IMAGE
    IMAGE=$(k get configmap roibench-image -o jsonpath='{.data.image}')
    sed "s#roibench:0.1#$IMAGE#" "$BATS_TEST_DIRNAME/tekton/models.yaml" | k apply -f -
    k rollout status --timeout=120s deployment
}

teardown_file() {
    kubectl delete namespace "$N" --wait=false
}

# await RESOURCE SECONDS: until it has ended; prints "True", "False" or the reason why it did neither.
await() {
    local state deadline=$((SECONDS + $2))
    until state=$(k get "$1" -o jsonpath='{.status.conditions[?(@.type=="Succeeded")].status}') && [[ $state == True || $state == False ]]; do
        ((SECONDS < deadline)) || {
            echo "not in $2 s"
            return
        }
        sleep 0.5
    done
    echo "$state"
}

result() { # RESOURCE NAME
    k get "$1" -o json | jq --raw-output --arg name "$2" '.status.results[] | select(.name == $name).value'
}

run_of() { # PIPELINE-RUN: of a template as it stands in the repository, but with the account that every cluster has
    sed 's/serviceAccountName: pipeline .*/serviceAccountName: default/; s/value: ""} # levels.*/value: "100"}/' "$1" | k create -o name -f -
}

# What roibench prints in a pod that has a claim at /results.
in_pod() { # CLAIM ARGUMENTS...
    local claim=$1 name pod
    shift
    name=look-$RANDOM$RANDOM
    jq --null-input --arg name "$name" --arg image "$IMAGE" --arg claim "$claim" '{apiVersion: "v1", kind: "Pod", metadata: {name: $name},
        spec: {restartPolicy: "Never", containers: [{name: "roibench", $image, args: $ARGS.positional, volumeMounts: [{name: "results", mountPath: "/results"}]}],
               volumes: [{name: "results", persistentVolumeClaim: {claimName: $claim}}]}}' --args -- "$@" | k apply -f - >/dev/null
    for ((tries = 0; tries < 120; tries++)); do
        pod=$(k get pod "$name" -o jsonpath='{.status.phase}')
        [[ $pod == Succeeded || $pod == Failed ]] && break
        sleep 0.5
    done
    k logs "$name"
    [[ $pod == Succeeded ]]
}

@test "tkn pipeline start, by the four params and without a terminal: Succeeded, with results and an archive" {
    run timeout 240 tkn pipeline start guidellm-benchmark -n private-ai --param model-name=mistral-3-int4 --param profile=sweep --param max-seconds=60 \
        --param max-requests=50 --workspace name=results,claimName=guidellm-pipeline-results --showlog </dev/null
    assert_success
    [[ $output == *"[publish : publish]"*".tar.gz"* ]]
    run_name=$(k get pipelinerun -o name --sort-by=.metadata.creationTimestamp | tail -n 1)
    assert_equal "$(await "$run_name" 10)" True
    assert_equal "$(result "$run_name" run-id)" "${run_name#*/}-mistral-3-int4"
    [[ $(result "$run_name" breaking-point) == ">15" ]]
    [[ $(result "$run_name" verdict) =~ ^(excellent|good|acceptable|degraded|invalid|none)$ ]]
    (($(k get "$run_name" -o json | jq '.status.results | length') == 10))
    run in_pod guidellm-pipeline-results list --workspace /results
    assert_success
    [[ $output == *"${run_name#*/}-mistral-3-int4"* ]]
}

@test "each of the five templates" {
    runs=()
    for template in "$TEKTON"/pipelinerun/*.yaml; do runs+=("$(run_of "$template")"); done
    assert_equal "${#runs[@]}" 5
    for name in "${runs[@]}"; do assert_equal "$name $(await "$name" 300)" "$name True"; done
}

@test "a profile that is misspelt, a duration that is none: prepare says what it knows, and publish follows all the same" {
    for wrong in profile=swep max-seconds=abc; do
        run timeout 120 tkn pipeline start guidellm-benchmark -n private-ai --param model-name=mistral-3-int4 --param profile=sweep --param max-seconds=60 \
            --param max-requests=50 --param "$wrong" --workspace name=results,claimName=guidellm-pipeline-results --showlog </dev/null
        run_name=$(k get pipelinerun -o name --sort-by=.metadata.creationTimestamp | tail -n 1)
        assert_equal "$(await "$run_name" 30)" False
        error=$(result "taskrun/${run_name#*/}-prepare" error)
        case $wrong in
        profile=*) [[ $error == *"'swep' is unknown, did you mean 'sweep'? Known: synchronous concurrent"* ]] ;;
        *) [[ $error == *"'abc' is not a duration"* ]] ;;
        esac
        assert_equal "$(await "taskrun/${run_name#*/}-publish" 30)" True
    done
}

@test "a model without a file and without an endpoint: the message has its address" {
    run timeout 120 tkn pipeline start guidellm-benchmark-custom -n private-ai --param model-name=nowhere --param wait=2 --use-param-defaults \
        --workspace name=results,claimName=guidellm-pipeline-results --showlog </dev/null
    [[ $output == *"nowhere-predictor.private-ai.svc.cluster.local"* ]]
    run_name=$(k get pipelinerun -o name --sort-by=.metadata.creationTimestamp | tail -n 1)
    assert_equal "$(await "$run_name" 30)" False
}

@test "cancelled in the middle: what was measured has a report and an archive" {
    name=$(sed 's/value: "60"/value: "600"/' "$TEKTON/pipelinerun/mistral-3-int4.yaml" >"$BATS_TEST_TMPDIR/long.yaml" && run_of "$BATS_TEST_TMPDIR/long.yaml")
    for ((tries = 0; tries < 120; tries++)); do
        [[ $(k get "taskrun/${name#*/}-run" -o jsonpath='{.status.startTime}' 2>/dev/null) ]] && break
        sleep 0.5
    done
    sleep 8
    tkn pipelinerun cancel "${name#*/}" -n "$N" --grace CancelledRunFinally
    assert_equal "$(await "$name" 60)" False
    assert_equal "$(await "taskrun/${name#*/}-publish" 60)" True
    run tkn taskrun logs "${name#*/}-publish" -n "$N"
    [[ $output == *.tar.gz* ]]
    run in_pod guidellm-pipeline-results summarize --workspace /results "${name#*/}-mistral-3-int4" --output-dir /results/again
    assert_success
    [[ $output == *"stopped"* || $output == *"cut off"* || $output == *SIGTERM* ]]
}

@test "the gate fails a run after its results are there, and publish follows" {
    run timeout 240 tkn pipeline start guidellm-benchmark-custom -n private-ai --param model-name=mistral-3-int4 --param levels=concurrent:1,3 --param max-requests=8 \
        --param fail-on=degraded --use-param-defaults --workspace name=results,claimName=guidellm-pipeline-results --showlog </dev/null
    name=$(k get pipelinerun -o name --sort-by=.metadata.creationTimestamp | tail -n 1)
    assert_equal "$(await "$name" 30)" False
    [[ $(k get "taskrun/${name#*/}-gate" -o jsonpath='{.status.conditions[0].message}') == *"exited with code 5"* ]]
    assert_equal "$(await "taskrun/${name#*/}-publish" 30)" True
    [[ $(result "taskrun/${name#*/}-summarize" verdict) =~ ^(degraded|invalid|none)$ ]]
    [[ $(result "$name" run-id) == "${name#*/}-mistral-3-int4" ]] # results of the run survive its failure
}

@test "roi-comparison: together, and in turns" {
    for order in together in-turns; do
        run timeout 400 tkn pipeline start roi-comparison -n private-ai --param order=$order --param max-requests=10 --use-param-defaults \
            --workspace name=results,claimName=guidellm-pipeline-results --showlog </dev/null
        [[ $output == *"4 x mistral-3-int4 (cheap) against one mistral-3-bf16 (dear) for the same money"* ]]
        name=$(k get pipelinerun -o name --sort-by=.metadata.creationTimestamp | tail -n 1)
        assert_equal "$order $(await "$name" 30)" "$order True"
    done
}

@test "the Task guidellm-benchmark, and a Task of StepActions" {
    name=$(k create -o name -f "$TEKTON/task/guidellm-benchmark/0.1/samples/run.yaml")
    assert_equal "$(await "$name" 240)" True
    name=$(k create -o name -f "$BATS_TEST_DIRNAME/tekton/step-actions.yaml")
    assert_equal "$(await "$name" 240)" True
    assert_equal "$(result "$name" run-id)" "${name#*/}"
}

@test "create job --from=cronjob/guidellm-daily: a Job for each model, and the ROI table at the end of the log" {
    k create job --from=cronjob/guidellm-daily roi-comparison
    for ((tries = 0; tries < 400; tries++)); do
        state=$(k get job roi-comparison -o jsonpath='{.status.conditions[?(@.status=="True")].type}')
        [[ -n $state ]] && break
        sleep 1
    done
    run k logs job/roi-comparison
    [[ $state == *Complete* ]] || fail "$output"
    [[ $output == *"4 x mistral-3-int4 (cheap) against one mistral-3-bf16 (dear) for the same money"* ]]
    assert_equal "$(k get jobs -l app=guidellm,benchmark-run -o name | wc -l)" 5
}

@test "an ad-hoc Job, and four pods with one plan and one report" {
    name=$(sed "s#image-registry[^ ]*#$IMAGE#; s/--max-seconds=60/--max-requests=20/" "$TEKTON/job/ad-hoc.yaml" | k create -o name -f -)
    k wait --for=condition=Complete --timeout=240s "$name"
    in_pod guidellm-results prepare --target http://mistral-3-int4-predictor.private-ai.svc.cluster.local:8080/v1 --workspace /results --run-id many \
        --profile concurrent --rate 8 --max-seconds 60
    start=$(date --utc --date '+15 seconds' +%Y-%m-%dT%H:%M:%SZ)
    name=$(sed "s#image-registry[^ ]*#$IMAGE#; s/--start-at=[^\"]*/--start-at=$start/" "$TEKTON/job/many-pods.yaml" | k create -o name -f -)
    k wait --for=condition=Complete --timeout=240s "$name"
    run in_pod guidellm-results summarize --workspace /results --run-id many
    assert_success
    [[ $output == *" 8 streams"* ]]
}
