#!/usr/bin/env bats
# publish to presigned://: forms and URLs that boto3 signs, taken by moto's S3; what arrived is read by boto3.
# shellcheck disable=SC2016,SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support
load ../cli/support/run_folder

setup_file() {
    export PORT PYTHON=$E2E_CACHE/venv-s3/bin/python AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret-key-4 AWS_DEFAULT_REGION=eu-central-1
    PORT=$(free_port)
    start_process moto "$E2E_CACHE/venv-s3/bin/moto_server" --host 127.0.0.1 --port "$PORT"
    wait_for moto 30 "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', $PORT))"
    boto 's3.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})'
}

teardown_file() {
    stop_process moto
}

boto() { # PYTHON...: with s3, boto3's client
    "$PYTHON" -c "import json, sys, boto3
s3 = boto3.client('s3', endpoint_url='http://127.0.0.1:$PORT', config=boto3.session.Config(signature_version='s3v4', s3={'addressing_style': 'path'}))
$1"
}

setup() {
    export W=$BATS_TEST_TMPDIR/ws
    mkdir -p "$W"
    make_run r1 300 0.85
}

# The object is the archive, and nothing that was signed stands in what was written or said.
assert_arrived() { # KEY
    boto "sys.stdout.buffer.write(s3.get_object(Bucket='results', Key='$1')['Body'].read())" >"$BATS_TEST_TMPDIR/got"
    assert_equal "$(sha256sum <"$BATS_TEST_TMPDIR/got" | cut -d ' ' -f 1)" "$(jq --raw-output .archive.sha256 "$W/r1/publish.json")"
    assert_equal "$(jq --raw-output '.destinations[0].to' "$W/r1/publish.json")" "http://127.0.0.1:$PORT/results/$1"
    refute_output --regexp 'X-Amz|Signature|AKIDEXAMPLE'
    run -1 grep -riE 'X-Amz|signature|AKIDEXAMPLE' "$W/r1/publish.json"
}

@test "a form of generate_presigned_post" {
    boto 'print(json.dumps(s3.generate_presigned_post("results", "runs/${filename}")))' >"$BATS_TEST_TMPDIR/upload.json"
    run -0 "$ROIBENCH" publish --workspace "$W" --run-id r1 --to "presigned://$BATS_TEST_TMPDIR/upload.json"
    assert_arrived runs/r1.tar.gz
}

@test "a URL of generate_presigned_url, out of a file and as --to" {
    boto 'print(json.dumps({"url": s3.generate_presigned_url("put_object", {"Bucket": "results", "Key": "one.tar.gz"})}))' >"$BATS_TEST_TMPDIR/upload.json"
    run -0 "$ROIBENCH" publish --workspace "$W" --run-id r1 --to "presigned://$BATS_TEST_TMPDIR/upload.json"
    assert_arrived one.tar.gz
    run -0 "$ROIBENCH" publish --workspace "$W" --run-id r1 --to "$(jq --raw-output .url "$BATS_TEST_TMPDIR/upload.json")"
    assert_arrived one.tar.gz
}

@test "a bucket that is not there, a file that is not there: exit 6, no secret" {
    boto 'print(json.dumps({"url": s3.generate_presigned_url("put_object", {"Bucket": "others", "Key": "x"})}))' >"$BATS_TEST_TMPDIR/upload.json"
    run -6 "$ROIBENCH" publish --workspace "$W" --run-id r1 --to "presigned://$BATS_TEST_TMPDIR/upload.json"
    assert_output --partial NoSuchBucket
    refute_output --partial X-Amz
    run -6 "$ROIBENCH" publish --workspace "$W" --run-id r1 --to "presigned://$BATS_TEST_TMPDIR/nothing.json"
    assert_output --partial nothing.json
}
