#!/usr/bin/env bats
# publish where a model's file says where its results go, and in the `finally` of a pipeline that failed before it had a run.

load support/simulator # setup and teardown too

@test "the model's file says where its results go; --to replaces it, and without either they stay in the workspace" {
    start_simulator --preset instant --model tiny
    mkdir models
    echo "{\"schema\":\"roibench/model/v1\",\"target\":\"$SIM/v1\",\"publish\":[\"$PWD/first\",\"$PWD/second\"]}" >models/tiny.json
    "$ROIBENCH" prepare --workspace ws --models models --model tiny --profile synchronous --max-requests 1 --run-id r --quiet
    "$ROIBENCH" run --workspace ws --quiet
    run "$ROIBENCH" publish --workspace ws --models models --summarize-missing
    assert_success
    [[ -s first/r.tar.gz && -s second/r.tar.gz && -s ws/r/report.md ]]
    "$ROIBENCH" publish --workspace ws --models models --to third
    [[ -s third/r.tar.gz ]]
    mkdir others
    "$ROIBENCH" publish --workspace ws --models others
    [[ -s ws/archives/r.tar.gz ]]
    echo '{"schema":"roibench/model/v1","publish":"somewhere"}' >others/tiny.json
    run -2 "$ROIBENCH" publish --workspace ws --models others
    [[ $output == *"others/tiny.json: publish: expected an array of destinations"* ]]
    run -2 "$ROIBENCH" publish --workspace ws --models nowhere
    [[ $output == *"--models: there is no folder nowhere"* ]]
}

@test "a run that never had a plan: --summarize-missing says so and ends well" {
    run -2 "$ROIBENCH" publish --workspace ws --run-id r
    run -0 "$ROIBENCH" publish --workspace ws --run-id r --summarize-missing
    assert_output "there is no run r: it failed before it had a plan, and there is nothing to publish"
    run -2 "$ROIBENCH" publish --workspace ws --summarize-missing
}
