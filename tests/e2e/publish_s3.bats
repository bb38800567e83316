#!/usr/bin/env bats
# publish to a real S3 server: moto, which asks for AWS signatures and permissions here; looked at with boto3, AWS's own client.
# shellcheck disable=SC2030,SC2031,SC2034,SC2103,SC2154  # used by, or set by, bats and the files loaded here
load support

MIB=1048576

setup_file() {
    export WORKSPACE=$BATS_FILE_TMPDIR/workspace PORT KEYS=$BATS_FILE_TMPDIR/keys
    export PYTHON=$E2E_CACHE/venv-s3/bin/python
    export AWS_DEFAULT_REGION=eu-central-1 AWS_EC2_METADATA_DISABLED=true HOME=$BATS_FILE_TMPDIR
    unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION
    PORT=$(free_port)
    start_moto moto "$PORT"
    make_run small 2000
    make_run large $((32 * MIB))
    export LARGE_SHA256
    "$ROIBENCH" publish --quiet --workspace "$WORKSPACE" --run-id large --to "$BATS_FILE_TMPDIR/here"
    LARGE_SHA256=$(sha256sum "$BATS_FILE_TMPDIR/here/large.tar.gz" | cut -d ' ' -f 1)
}

teardown_file() {
    stop_process moto
}

setup() {
    use_keys publisher
    export AWS_ENDPOINT_URL=http://127.0.0.1:$PORT
    rm -f "$WORKSPACE"/*/publish.json
}

teardown() {
    stop_process proxy
    stop_process tls
    unset AWS_CA_BUNDLE
    export KEYS=$BATS_FILE_TMPDIR/keys
    use_keys publisher
    direct
    s3 abort results
}

# start_moto NAME PORT [OPTION...]: with a bucket, users and a role; the users' keys go to $KEYS.
start_moto() {
    local name=$1 port=$2 scheme=http
    shift 2
    [[ $# == 0 ]] || scheme=https
    start_process "$name" "$E2E_CACHE/venv-s3/bin/moto_server" --host 127.0.0.1 --port "$port" "$@"
    wait_for "$name" 30 "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', $port))"
    AWS_ENDPOINT_URL=$scheme://localhost:$port AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any s3 setup results >"$KEYS"
}

s3() { "$PYTHON" "$BATS_TEST_DIRNAME/s3_client.py" "$@"; }

use_keys() { # USER
    local id secret
    read -r _ id secret < <(grep "^$1 " "$KEYS")
    export AWS_ACCESS_KEY_ID=$id AWS_SECRET_ACCESS_KEY=$secret
}

# A run's folder with records of SIZE bytes that do not get smaller.
make_run() { # ID SIZE
    mkdir -p "$WORKSPACE/$1"
    echo '{"schema":"roibench/plan/v1"}' >"$WORKSPACE/$1/plan.json"
    echo '{"schema":"roibench/summary/v1"}' >"$WORKSPACE/$1/summary.json"
    head -c "$2" /dev/urandom | gzip -1 -n >"$WORKSPACE/$1/records.jsonl.gz"
    cat >"$WORKSPACE/$1/manifest.json" <<END
{"schema":"roibench/manifest/v1","tool":{"name":"roibench","version":"1"},"identity":"x","files":{},
 "steps":[{"step":"prepare","version":"1","host":"h","started":"2026-11-24T04:06:51Z","ended":"2026-11-24T04:06:52Z","exit_code":0}]}
END
}

publish() { # RUN PREFIX [OPTION...]
    local id=$1 prefix=$2
    shift 2
    "$ROIBENCH" publish --quiet --workspace "$WORKSPACE" --run-id "$id" --to "s3://results/$prefix" "$@"
}

# start_proxy OPTION...: before moto; what follows goes through it.
start_proxy() {
    local port
    port=$(free_port)
    start_process proxy "$PYTHON" "$BATS_TEST_DIRNAME/far_proxy.py" "$port" "$PORT" "$@"
    wait_for proxy 10 "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', $port))"
    export AWS_ENDPOINT_URL=http://127.0.0.1:$port
}

direct() { export AWS_ENDPOINT_URL=http://127.0.0.1:$PORT; }

# Parts that moto took since its log had LINES lines: their numbers, in order.
parts_sent_since() { # LINES
    tail -n "+$(($1 + 1))" "$BATS_FILE_TMPDIR/moto.log" | grep -oE '"PUT [^ ]*partNumber=[0-9]+' | grep -oE '[0-9]+$' | sort -n | tr '\n' ' '
}

log_lines() { wc -l <"$BATS_FILE_TMPDIR/moto.log"; }

assert_whole() { # PREFIX
    assert_equal "$(s3 sha256 results "$1/large.tar.gz")" "$LARGE_SHA256"
    assert_equal "$(s3 uploads results)" ""
}

@test "an archive in one piece: boto3 gets what a folder gets, with its checksum beside it" {
    run -0 publish small one --to "$BATS_TEST_TMPDIR/folder"
    assert_output --partial "published s3://results/one/small.tar.gz"
    assert_equal "$(s3 sha256 results one/small.tar.gz)" "$(sha256sum "$BATS_TEST_TMPDIR/folder/small.tar.gz" | cut -d ' ' -f 1)"
    assert_equal "$(s3 sha256 results one/small.tar.gz.sha256)" "$(sha256sum "$BATS_TEST_TMPDIR/folder/small.tar.gz.sha256" | cut -d ' ' -f 1)"
    assert_equal "$(s3 metadata results one/small.tar.gz | jq -r .type)" application/gzip
    run -0 jq -c '.destinations[0] | [.to, .status, .verified, .already_there, .error]' "$WORKSPACE/small/publish.json"
    assert_output '["s3://results/one/small.tar.gz",200,true,false,null]'
    assert_equal "$(jq .destinations[0].etag "$WORKSPACE/small/publish.json")" "$(s3 metadata results one/small.tar.gz | jq .etag)"
}

@test "an archive in parts: boto3 gets it whole, the ETag is that of its parts, nothing unfinished stays" {
    run -0 publish large parts --part-size 5
    assert_whole parts
    run -0 jq -r .etag <(s3 metadata results parts/large.tar.gz)
    assert_output --regexp '^"[0-9a-f]{32}-7"$'
    assert_equal "$(jq -r '.destinations[0] | [.etag, .verified] | tostring' "$WORKSPACE/large/publish.json")" "$(jq -cn --arg etag "$output" '[$etag, true] | tostring' -r)"
    assert_equal "$(jq .unfinished "$WORKSPACE/large/publish.json")" null
}

@test "the same run again is recognised without sending it; so is what boto3 put there" {
    run -0 publish large again
    before=$(log_lines)
    run -0 publish large again
    assert_output --partial "already there: s3://results/again/large.tar.gz"
    assert_equal "$(tail -n "+$((before + 1))" "$BATS_FILE_TMPDIR/moto.log" | grep -cE '"(PUT|POST) [^ ]*large.tar.gz')" 0
    s3 put results foreign/large.tar.gz "$BATS_FILE_TMPDIR/here/large.tar.gz"
    run -0 publish large foreign
    assert_output --partial "already there: s3://results/foreign/large.tar.gz"
    run -0 s3 keys results
    assert_line foreign/large.tar.gz.sha256
}

@test "other content gets a new name, and --overwrite replaces it" {
    echo other >"$BATS_TEST_TMPDIR/other"
    s3 put results taken/small.tar.gz "$BATS_TEST_TMPDIR/other"
    run -0 publish small taken
    assert_output --regexp 's3://results/taken/small\.[0-9a-f]{12}\.tar\.gz'
    run -0 publish small taken --overwrite
    assert_output --partial 's3://results/taken/small.tar.gz'
    refute [ "$(s3 sha256 results taken/small.tar.gz)" = "$(sha256sum "$BATS_TEST_TMPDIR/other" | cut -d ' ' -f 1)" ]
}

@test "an archive comes back by --fetch; the index lists what is there" {
    "$ROIBENCH" publish --quiet --workspace "$WORKSPACE" --run-id large --to s3://results/back
    mkdir "$BATS_TEST_TMPDIR/fetched"
    run -0 "$ROIBENCH" publish --workspace "$BATS_TEST_TMPDIR/fetched" --fetch s3://results/back/large.tar.gz
    cmp "$BATS_TEST_TMPDIR/fetched/large/records.jsonl.gz" "$WORKSPACE/large/records.jsonl.gz"
    run -6 --separate-stderr "$ROIBENCH" publish --workspace "$BATS_TEST_TMPDIR/fetched" --fetch s3://results/back/none.tar.gz
    [[ $stderr == *"HTTP 404"* ]]
    publish small back
    run -0 s3 keys results
    assert_line back/index/large.json
    assert_line back/index/small.json
    s3 cat results back/index.json >"$BATS_TEST_TMPDIR/index.json"
    run -0 jq -c '[.receipts[] | .file] | sort' "$BATS_TEST_TMPDIR/index.json"
    assert_output '["large.json","small.json"]'
    s3 cat results back/index.html | grep -F small.tar.gz
}

@test "one flipped byte of the secret: 403, exit 6, and nothing is there" {
    flipped=$(printf '%s' "$AWS_SECRET_ACCESS_KEY" | "$PYTHON" -c 'import sys; s = sys.stdin.read(); print(chr(ord(s[9]) ^ 1) + s[1:] if s[9] == s[0] else s[:9] + chr(ord(s[9]) ^ 1) + s[10:])')
    refute [ "$flipped" = "$AWS_SECRET_ACCESS_KEY" ]
    AWS_SECRET_ACCESS_KEY=$flipped run -6 --separate-stderr publish small flipped
    [[ $stderr == *"HTTP 403 SignatureDoesNotMatch"*"secret access key from the environment"* ]]
    [[ $stderr != *"$flipped"* ]]
    AWS_SECRET_ACCESS_KEY=$flipped run -6 --separate-stderr publish large flipped
    [[ $stderr == *"HTTP 403 SignatureDoesNotMatch"* ]]
    run -0 s3 keys results
    refute_output --partial flipped
}

@test "keys that may not write, keys that nobody knows, a bucket that is not there, no keys at all: a sentence each, exit 6" {
    use_keys reader
    run -6 --separate-stderr publish small denied
    [[ $stderr == *"HTTP 403 AccessDenied"*"may not do this in bucket results"* ]]
    run -6 --separate-stderr publish large denied
    [[ $stderr == *"HTTP 403 AccessDenied"* ]]
    AWS_ACCESS_KEY_ID=AKIANOBODYKNOWSTHIS0 run -6 --separate-stderr publish small denied
    [[ $stderr == *"HTTP 403 InvalidAccessKeyId"*"does not know the keys from the environment"* ]]
    use_keys publisher
    run -6 --separate-stderr "$ROIBENCH" publish --quiet --workspace "$WORKSPACE" --run-id small --to s3://nothing-there/x
    [[ $stderr == *"NoSuchBucket"*"There is no bucket nothing-there at http://127.0.0.1:$PORT"* ]]
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    run -6 --separate-stderr publish small denied
    [[ $stderr == *"no AWS keys: set AWS_ACCESS_KEY_ID"* ]]
    use_keys publisher
    assert_equal "$(s3 uploads results)" ""
}

@test "keys of a profile in files, and of a role by a service account's token (IRSA)" {
    mkdir -p "$BATS_TEST_TMPDIR/aws"
    printf '[default]\naws_access_key_id = x\naws_secret_access_key = y\n[nightly]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
        "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$BATS_TEST_TMPDIR/aws/credentials"
    printf '[profile nightly]\nregion = eu-central-1\nendpoint_url = %s\n' "$AWS_ENDPOINT_URL" >"$BATS_TEST_TMPDIR/aws/config"
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    AWS_PROFILE=nightly AWS_SHARED_CREDENTIALS_FILE=$BATS_TEST_TMPDIR/aws/credentials AWS_CONFIG_FILE=$BATS_TEST_TMPDIR/aws/config \
        AWS_ENDPOINT_URL='' AWS_DEFAULT_REGION='' run -0 publish small profile
    AWS_SHARED_CREDENTIALS_FILE=$BATS_TEST_TMPDIR/aws/credentials run -6 --separate-stderr publish small profile
    [[ $stderr == *InvalidAccessKeyId*"from profile default"* ]]

    echo "eyJhbGciOiJub25lIn0.eyJzdWIiOiJuaWdodGx5In0." >"$BATS_TEST_TMPDIR/token"
    s3 unsigned 1
    AWS_WEB_IDENTITY_TOKEN_FILE=$BATS_TEST_TMPDIR/token AWS_ROLE_ARN=arn:aws:iam::123456789012:role/nightly \
        run -0 publish small role
    use_keys publisher
    run -0 s3 keys results
    assert_line profile/small.tar.gz
    assert_line role/small.tar.gz
}

@test "the bucket in the host (virtual style), with TLS by an own CA" {
    local port
    port=$(free_port)
    cd "$BATS_TEST_TMPDIR"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=own-ca -keyout ca.key -out ca.pem 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr 2>/dev/null
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem \
        -extfile <(echo 'subjectAltName=DNS:localhost,DNS:results.localhost') 2>/dev/null
    cd "$OLDPWD"
    export KEYS=$BATS_TEST_TMPDIR/keys AWS_CA_BUNDLE=$BATS_TEST_TMPDIR/ca.pem
    start_moto tls "$port" --ssl-cert "$BATS_TEST_TMPDIR/server.pem" --ssl-key "$BATS_TEST_TMPDIR/server.key"
    use_keys publisher
    export AWS_ENDPOINT_URL=https://localhost:$port
    run -0 publish large virtual --cacert "$BATS_TEST_TMPDIR/ca.pem" --s3-style virtual
    run -0 publish small path --cacert "$BATS_TEST_TMPDIR/ca.pem"
    grep -F '/virtual/large.tar.gz?partNumber=4' "$BATS_FILE_TMPDIR/tls.log"
    refute grep -F '/results/virtual/' "$BATS_FILE_TMPDIR/tls.log"
    grep -F 'PUT /results/path/small.tar.gz ' "$BATS_FILE_TMPDIR/tls.log"
    assert_equal "$(s3 sha256 results virtual/large.tar.gz)" "$LARGE_SHA256"
    run -6 --separate-stderr publish small untrusted
    [[ $stderr == *certificate* ]]
}

# Who cuts the way off every time it comes to one step; what of the archive was there before must not be sent again by the next publish.
cut_and_finish() { # NAME BYTES-BEHIND REGEX
    local there before sent number expected=""
    start_proxy --cut-after "$2" --cut "$3"
    run -6 --separate-stderr publish large "cut-$1" --part-size 5 --retries 0
    stop_process proxy
    direct
    there=$(s3 parts results "cut-$1/large.tar.gz")
    before=$(log_lines)
    run -0 publish large "cut-$1" --part-size 5
    sent=$(parts_sent_since "$before")
    if [[ ! $1 =~ ^(begin|look)$ ]]; then
        [[ $1 == checksum ]] || assert [ -n "$there" ]
        if [[ $1 != checksum ]]; then
            for number in {1..7}; do [[ " $there " == *" $number "* ]] || expected+="$number "; done
        fi
        assert_equal "$sent" "$expected"
    fi
    assert_whole "cut-$1"
    run -0 publish large "cut-$1"
    assert_output --partial "already there"
    run -0 s3 keys results
    assert_line "cut-$1/large.tar.gz.sha256"
    assert_equal "$(jq .unfinished "$WORKSPACE/large/publish.json")" null
    echo "# cut at $1: parts there: ${there:-none}; sent by the next publish: ${sent:-none}" >&3
}

@test "the connection cut at every step and part: the next publish finishes the rest and sends nothing again" {
    cut_and_finish look 0 'HEAD [^ ]*large.tar.gz '
    cut_and_finish begin 0 'POST [^ ]*uploads= '
    for part in {1..7}; do cut_and_finish "part-$part" 300000 "partNumber=$part&"; done
    cut_and_finish complete 0 'POST [^ ]*uploadId='
    cut_and_finish checksum 0 'PUT [^ ]*large.tar.gz.sha256'
}

@test "a broken connection now and then is mended by trying the part again" {
    start_proxy --cut 'partNumber=2&' --cut-after 100
    publish large mended --part-size 5 --retries 20 &
    publisher=$!
    sleep 3
    stop_process proxy
    start_process proxy "$PYTHON" "$BATS_TEST_DIRNAME/far_proxy.py" "${AWS_ENDPOINT_URL##*:}" "$PORT"
    wait "$publisher"
    direct
    assert_whole mended
    assert [ "$(jq '.destinations[0].tries' "$WORKSPACE/large/publish.json")" -gt 1 ]
}

# Killed when the first part is there.
kill_in_between() { # PREFIX
    start_proxy --delay-ms 100 --window 262144
    publish large "$1" --part-size 5 --parallel-parts 1 &
    publisher=$!
    for _ in {1..100}; do
        [[ -z $(AWS_ENDPOINT_URL=http://127.0.0.1:$PORT s3 parts results "$1/large.tar.gz") ]] || break
        kill -0 "$publisher"
    done
    kill -KILL "$publisher"
    wait "$publisher" || true
    stop_process proxy
    direct
    there=$(s3 parts results "$1/large.tar.gz")
    assert [ -n "$there" ]
    before=$(log_lines)
}

@test "killed in between: publish.json knows the upload, and the next publish goes on with it" {
    kill_in_between killed
    assert_equal "$(jq -r '.unfinished | keys[0]' "$WORKSPACE/large/publish.json")" s3://results/killed/large.tar.gz
    run -0 publish large killed --part-size 6 # the upload keeps the size that it was begun with
    refute grep -wF 1 <<<"$(parts_sent_since "$before")"
    assert_equal "$(tail -n "+$((before + 1))" "$BATS_FILE_TMPDIR/moto.log" | grep -cF 'uploads= ')" 0
    assert_whole killed
}

@test "killed in between, and publish.json is lost: the upload is found in the bucket" {
    kill_in_between lost
    rm "$WORKSPACE/large/publish.json"
    run -0 publish large lost
    refute grep -wF 1 <<<"$(parts_sent_since "$before")"
    assert_whole lost
}

@test "a file that changes while it is sent: exit 6, and no part stays" {
    cp -r "$WORKSPACE/large" "$WORKSPACE/changing"
    start_proxy --delay-ms 100 --window 262144
    publish changing changed --part-size 5 --parallel-parts 1 2>"$BATS_TEST_TMPDIR/said" &
    publisher=$!
    for _ in {1..100}; do
        [[ -z $(AWS_ENDPOINT_URL=http://127.0.0.1:$PORT s3 parts results changed/changing.tar.gz) ]] || break
        kill -0 "$publisher"
    done
    echo more >>"$WORKSPACE/changing/records.jsonl.gz"
    wait "$publisher" && status=0 || status=$?
    assert_equal "$status" 6
    run cat "$BATS_TEST_TMPDIR/said"
    assert_output --partial "records.jsonl.gz"
    direct
    assert_equal "$(s3 uploads results)" ""
    run -0 s3 keys results
    refute_output --partial changed/
    assert_equal "$(jq .unfinished "$WORKSPACE/changing/publish.json")" null
}

@test "parts side by side are faster than one after the other when the server is 50 ms away each way" {
    start_proxy --delay-ms 50 --window 524288
    begin=$(date +%s%N)
    publish large far-1 --part-size 5 --parallel-parts 1
    middle=$(date +%s%N)
    publish large far-4 --part-size 5 --parallel-parts 4
    end=$(date +%s%N)
    direct
    assert_whole far-1
    assert_whole far-4
    one=$(((middle - begin) / 1000000)) four=$(((end - middle) / 1000000))
    echo "# 32 MiB in parts of 5 MiB, 100 ms of round trip, 512 KiB of window: one at a time $one ms, four $four ms, $(jq -n "$one / $four * 100 | round / 100") times as fast" >&3
    assert [ "$four" -lt "$one" ]
}

@test "memory stays below 64 MB, whatever the archive's size" {
    make_run huge $((300 * MIB))
    run -0 "$PYTHON" - "$ROIBENCH" publish --quiet --workspace "$WORKSPACE" --run-id huge --to s3://results/huge <<'PYTHON'
import resource
import subprocess
import sys

subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PYTHON
    echo "# 300 MiB in parts of 8 MiB, four at once: $((output / 1024)) MiB at most" >&3
    assert [ "$output" -lt 65536 ]
    rm -r "$WORKSPACE/huge"
}
