#!/usr/bin/env bats
# prepare against a real API of Kubernetes: tokens of a service account, RBAC as docs/kubernetes.md has it, what the API makes of what it is told. The
# services and pods are only written down there; the model is the simulator.
# shellcheck disable=SC2016,SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support

kubectl() { "$E2E_CACHE/kube/kube" kubectl --kubeconfig "$BATS_FILE_TMPDIR/kubeconfig" "$@"; }

setup_file() {
    export WORK=$BATS_FILE_TMPDIR ACCOUNT=$BATS_FILE_TMPDIR/account API_PORT SIM_PORT
    API_PORT=$(free_port)
    SIM_PORT=$(free_port)
    start_api
    start_process simulator "$ROIBENCH" simulate --listen "127.0.0.1:$SIM_PORT" --model mistral --preset instant
    wait_for simulator 20 answers "http://127.0.0.1:$SIM_PORT/health"
    kubectl create namespace private-ai
    kubectl create namespace elsewhere
    kubectl apply --server-side -f "$BATS_TEST_DIRNAME/kube/crds.yaml"
    kubectl wait --for=condition=Established --timeout=30s crd --all
    write_objects
    # The Role of the documentation, as it stands there.
    documented Role RoleBinding | kubectl apply -f -
    kubectl -n private-ai create serviceaccount default
    mkdir "$ACCOUNT"
    cp "$WORK/ca.crt" "$ACCOUNT/ca.crt"
    kubectl -n private-ai create token default >"$ACCOUNT/token"
}

teardown_file() {
    stop_process simulator
    stop_process apiserver
    stop_process etcd
}

start_api() {
    local etcd_port peer_port
    etcd_port=$(free_port)
    peer_port=$(free_port)
    cd "$WORK" || return
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=test-ca
    openssl req -newkey rsa:2048 -nodes -keyout api.key -out api.csr -subj /CN=kube-apiserver
    openssl x509 -req -in api.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out api.crt -days 2 -extfile <(echo subjectAltName=IP:127.0.0.1)
    openssl genrsa -out account.key 2048
    echo "of-the-test,admin,1,system:masters" >tokens.csv
    cat >kubeconfig <<CONFIGURATION
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:$API_PORT", certificate-authority: $WORK/ca.crt}}]
users: [{name: admin, user: {token: of-the-test}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
CONFIGURATION
    start_process etcd "$E2E_CACHE/kube/kube" etcd --data-dir "$WORK/etcd" --listen-client-urls "http://127.0.0.1:$etcd_port" \
        --advertise-client-urls "http://127.0.0.1:$etcd_port" --listen-peer-urls "http://127.0.0.1:$peer_port" --unsafe-no-fsync --log-level warn
    # Without the controllers nobody makes a service account, which pods would wait for.
    start_process apiserver "$E2E_CACHE/kube/kube" apiserver --etcd-servers "http://127.0.0.1:$etcd_port" --secure-port "$API_PORT" \
        --bind-address 127.0.0.1 --advertise-address 192.0.2.1 --endpoint-reconciler-type none \
        --tls-cert-file api.crt --tls-private-key-file api.key --token-auth-file tokens.csv --authorization-mode RBAC \
        --service-account-key-file account.key --service-account-signing-key-file account.key --service-account-issuer https://test \
        --service-cluster-ip-range 10.96.0.0/16 --disable-admission-plugins ServiceAccount
    wait_for apiserver 120 kubectl get --raw /readyz
}

# documented KIND...: these objects of the documentation's YAML.
documented() {
    local kinds=$*
    sed -n '/^```yaml$/,/^```$/p' "$BATS_TEST_DIRNAME/../../docs/kubernetes.md" | awk -v kinds=" $kinds " '
        function flush() { if (index(kinds, " " kind " ")) print "---\n" text; text = ""; kind = "" }
        /^```|^---/ { flush(); next }
        /^kind:/ { kind = $2 }
        { text = text $0 "\n" }
        END { flush() }'
}

# The recorded objects, given to a real API: it drops, defaults and refuses as it does with anybody's.
write_objects() {
    local data=$BATS_TEST_DIRNAME/../data/kube pod
    jq 'del(.metadata.uid, .metadata.resourceVersion)' "$data/inferenceservice.json" | kubectl apply -f -
    jq --arg url "http://127.0.0.1:$SIM_PORT" '{status: (.status | .address.url = $url)}' "$data/inferenceservice.json" >status.json
    kubectl -n private-ai patch inferenceservice mistral --subresource=status --type=merge --patch-file status.json
    kubectl apply -f "$data/node.json"
    pod=$(jq --raw-output '.items[0].metadata.name' "$data/pods.json")
    jq '.items[0] | {apiVersion: "v1", kind: "Pod"} + (. | del(.metadata.uid, .status))' "$data/pods.json" | kubectl apply -f -
    jq '{status: (.items[0].status | .containerStatuses[].image //= "x")}' "$data/pods.json" >status.json
    kubectl -n private-ai patch pod "$pod" --subresource=status --type=merge --patch-file status.json
}

prepare() { # NAMES...: with the account of the pod
    run --separate-stderr "$ROIBENCH" prepare --workspace "$BATS_TEST_TMPDIR/ws" --max-seconds 5 --wait "${WAIT:-5}" --kube-account "$ACCOUNT" "$@"
}

plan() { jq --raw-output "$1" "$BATS_TEST_TMPDIR"/ws/*/plan.json; }

export KUBERNETES_SERVICE_HOST=127.0.0.1

@test "a model is found by its name; without the ClusterRole the nodes are not known, and the rule is named" {
    KUBERNETES_SERVICE_PORT=$API_PORT prepare --model mistral
    assert_success
    assert_equal "$(plan '.target[0]')" "http://127.0.0.1:$SIM_PORT/v1"
    assert_equal "$(plan '.kubernetes | [.kind, .runtime, .gpus_per_pod, .pods[0].restarts, .pods[0].ready] | @csv')" \
        '"InferenceService","vllm-cuda-runtime",2,1,true'
    [[ $(plan .kubernetes.image_digest) == sha256:0f2ab1d3* ]]
    assert_equal "$(plan '.deployment.hardware')" "2 x nvidia.com/gpu"
    [[ $(plan '.kubernetes.notes[0]') == *"system:serviceaccount:private-ai:default"*'A rule of a ClusterRole permits it: apiGroups: [""], resources: [nodes], verbs: [get]'* ]]
    refute grep -r "very-secret" "$BATS_TEST_TMPDIR/ws"
}

@test "with the documented ClusterRole: instance type and GPU" {
    documented ClusterRole ClusterRoleBinding | kubectl apply -f -
    KUBERNETES_SERVICE_PORT=$API_PORT prepare --model mistral --kube on
    assert_success
    assert_equal "$(plan '.deployment.hardware')" "2 x NVIDIA-L4 on g6.12xlarge"
    assert_equal "$(plan '.kubernetes.notes | length')" 0
    assert_equal "$(plan '.deployment.gpus')" 2
}

@test "a pod that is restarted during the run makes it suspect" {
    KUBERNETES_SERVICE_PORT=$API_PORT prepare --model mistral --profile concurrent --rate 1 --run-id restarted
    assert_success
    pod=$(plan '.kubernetes.pods[0].name')
    sed -i 's/"max_seconds": 5/"max_seconds": 1/' "$BATS_TEST_TMPDIR/ws/restarted/plan.json"
    kubectl -n private-ai get pod "$pod" -o json | jq '{status: (.status | .containerStatuses[].restartCount += 1)}' >"$BATS_TEST_TMPDIR/status.json"
    kubectl -n private-ai patch pod "$pod" --subresource=status --type=merge --patch-file "$BATS_TEST_TMPDIR/status.json"
    KUBERNETES_SERVICE_PORT=$API_PORT "$ROIBENCH" run --workspace "$BATS_TEST_TMPDIR/ws" --kube-account "$ACCOUNT" --kube on
    "$ROIBENCH" summarize --workspace "$BATS_TEST_TMPDIR/ws"
    grep "pod $pod was restarted" "$BATS_TEST_TMPDIR/ws/restarted/report.md"
}

@test "where the Role does not reach: forbidden, by the API's own words, and what would permit it" {
    KUBERNETES_SERVICE_PORT=$API_PORT prepare --model mistral --namespace elsewhere --kube on
    assert_failure 3
    [[ $stderr == *"get inferenceservices.serving.kserve.io/mistral in namespace elsewhere"* ]]
    [[ $stderr == *'A rule of a Role in that namespace permits it: apiGroups: ["serving.kserve.io"], resources: [inferenceservices], verbs: [get]'* ]]
}

@test "a wrong name: the services that are there" {
    KUBERNETES_SERVICE_PORT=$API_PORT prepare --model mistrl --kube on
    assert_failure 3
    [[ $stderr == *"'mistrl' in namespace 'private-ai'; it has: mistral"* ]]
}

@test "an LLMInferenceService, and one that is not ready yet" {
    echo '{"apiVersion":"serving.kserve.io/v1alpha1","kind":"LLMInferenceService","metadata":{"name":"llm","namespace":"private-ai"},"spec":{"replicas":1}}' |
        kubectl apply -f -
    KUBERNETES_SERVICE_PORT=$API_PORT prepare --model mistral --inference-service llm --kube on
    assert_failure 3
    [[ $stderr == *"LLMInferenceService llm in namespace private-ai is not ready after"*"no condition Ready"* ]]
    kubectl -n private-ai patch llminferenceservice llm --subresource=status --type=merge --patch \
        "{\"status\":{\"addresses\":[{\"url\":\"http://127.0.0.1:$SIM_PORT\"}],\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"
    KUBERNETES_SERVICE_PORT=$API_PORT prepare --model mistral --inference-service llm --kube on
    assert_success
    assert_equal "$(plan '.kubernetes | "\(.kind), \(.pods | length) pods, \(.notes[0])"')" "LLMInferenceService, 0 pods, it has no pods"
}

watches() { kubectl get --raw /metrics | awk '/^apiserver_request_total.*resource="inferenceservices".*verb="WATCH"/ { sum += $NF } END { print sum + 0 }'; }

@test "with the verb watch, a service is watched until it is ready" {
    kubectl -n private-ai create role watcher --verb=watch --resource=inferenceservices.serving.kserve.io
    kubectl -n private-ai create rolebinding watcher --role=watcher --serviceaccount=private-ai:default
    echo '{"apiVersion":"serving.kserve.io/v1beta1","kind":"InferenceService","metadata":{"name":"late","namespace":"private-ai"},"spec":{}}' | kubectl apply -f -
    before=$(watches)
    (
        sleep 3
        kubectl -n private-ai patch inferenceservice late --subresource=status --type=merge --patch \
            "{\"status\":{\"address\":{\"url\":\"http://127.0.0.1:$SIM_PORT\"},\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"
    ) 3>&- &
    KUBERNETES_SERVICE_PORT=$API_PORT WAIT=60 prepare --model mistral --inference-service late --kube on
    assert_success
    [[ $stderr == *"waiting for InferenceService late"* ]]
    (($(watches) > before))
}

@test "a token that nobody knows, and a CA that is another's" {
    mkdir "$BATS_TEST_TMPDIR/account"
    echo nonsense >"$BATS_TEST_TMPDIR/account/token"
    cp "$ACCOUNT/ca.crt" "$BATS_TEST_TMPDIR/account/"
    KUBERNETES_SERVICE_PORT=$API_PORT ACCOUNT=$BATS_TEST_TMPDIR/account prepare --model mistral --kube on
    assert_failure 3
    [[ $stderr == *"HTTP 401"* && $stderr != *nonsense* ]]
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$BATS_TEST_TMPDIR/other.key" -out "$BATS_TEST_TMPDIR/account/ca.crt" -days 2 -subj /CN=other
    KUBERNETES_SERVICE_PORT=$API_PORT ACCOUNT=$BATS_TEST_TMPDIR/account prepare --model mistral --kube on
    assert_failure 3
    [[ $stderr == *certificate* ]]
}

@test "more services than one page has" {
    for k in {1..120}; do
        printf '{"apiVersion":"serving.kserve.io/v1beta1","kind":"InferenceService","metadata":{"name":"many-%d","namespace":"private-ai"},"spec":{}}\n' "$k"
    done | kubectl apply -f - >/dev/null
    KUBERNETES_SERVICE_PORT=$API_PORT prepare --model mistrl --kube on
    assert_failure 3
    [[ $stderr == *"late, many-1, "*" and 103 more"* ]] # 120, late, mistral and llm; 20 are named
}

@test "kubectl proxy from a desk: no token is needed, none is sent" {
    port=$(free_port)
    start_process proxy "$E2E_CACHE/kube/kube" kubectl --kubeconfig "$WORK/kubeconfig" proxy --port "$port"
    wait_for proxy 20 answers "http://127.0.0.1:$port/readyz"
    unset KUBERNETES_SERVICE_HOST
    prepare --model mistral --kube-api "http://127.0.0.1:$port/"
    stop_process proxy
    assert_success
    assert_equal "$(plan '.kubernetes.pods | length')" 1
}

@test "in a pod all of it is found by itself" {
    unshare --mount true 2>/dev/null || skip "no mount namespace can be made here"
    KUBERNETES_SERVICE_PORT=$API_PORT run --separate-stderr unshare --mount bash -euc '
        mount -t tmpfs none /run
        mkdir -p /run/secrets/kubernetes.io
        cp -r "$ACCOUNT" /run/secrets/kubernetes.io/serviceaccount
        exec "$ROIBENCH" prepare --workspace "$BATS_TEST_TMPDIR/ws" --max-seconds 5 --wait 5 --model mistral'
    assert_success
    assert_equal "$(plan '.kubernetes | "\(.gave_target), \(.pods | length)"')" "true, 1"
}

# tekton/dispatch as it stands, and the account that it makes.
dispatch() {
    local tekton=$BATS_TEST_DIRNAME/../../tekton
    KUBERNETES_SERVICE_PORT=$API_PORT run --separate-stderr "$ROIBENCH" dispatch --kube-account "$BATS_TEST_TMPDIR/account" --image our:1 --namespace private-ai \
        --template "$tekton/dispatch/job-template.yaml" --only mistral "$@"
}

@test "dispatch: a Job that the API takes, by the rights of tekton/dispatch and no others" {
    mkdir "$BATS_TEST_TMPDIR/account"
    cp "$WORK/ca.crt" "$BATS_TEST_TMPDIR/account/ca.crt"
    kubectl -n private-ai create serviceaccount roibench-dispatch
    kubectl -n private-ai create token roibench-dispatch >"$BATS_TEST_TMPDIR/account/token"
    dispatch
    assert_failure 3
    [[ $stderr == *'apiGroups: ["serving.kserve.io"], resources: [inferenceservices], verbs: [list]'* ]]
    kubectl -n private-ai apply -f "$BATS_TEST_DIRNAME/../../tekton/dispatch/rbac.yaml"
    kubectl -n private-ai patch rolebinding roibench-dispatch --type=merge --patch \
        '{"subjects":[{"kind":"ServiceAccount","name":"roibench-dispatch","namespace":"private-ai"}]}'
    dispatch
    assert_success
    job=$(kubectl -n private-ai get jobs -l app=guidellm,model=mistral -o json)
    jq --exit-status '.items | length == 1' <<<"$job"
    assert_equal "$(jq --raw-output '.items[0].spec | "\(.ttlSecondsAfterFinished) \(.template.spec.containers[0].image)"' <<<"$job")" "86400 our:1"
    name=$(jq --raw-output '.items[0].metadata.name' <<<"$job")
    [[ $output == *"Job $name, run $name"* ]]
    # Nobody runs it here: its end is written down.
    kubectl -n private-ai delete job "$name"
    dispatch --wait --timeout 1
    assert_failure 3
    [[ $stderr == *"1 of 1 have not ended in time (--timeout): they go on by themselves"* ]]
}
