#!/usr/bin/env bats
# tekton/ as far as it can be checked without a cluster: options that roibench has, pages that name every param, one image, model files that prepare reads.
# tests/e2e/tekton.bats has a cluster.

load support/simulator # setup and teardown too

TEKTON=$BATS_TEST_DIRNAME/../../tekton

params_of() { # TASK-OR-PIPELINE.yaml
    awk '/^  params:/ { on = 1; next } /^  [a-z]/ { on = 0 } on && /^    - name: / { print $3 }' "$1"
}

@test "each Task's page has a row for each of its params and results" {
    for file in "$TEKTON"/task/*/0.1/*.yaml; do
        page=$(dirname "$file")/README.md
        (($(params_of "$file" | wc -l) > 2))
        for param in $(params_of "$file"); do grep -q "^| \`$param\` |" "$page" || fail "$page has no $param"; done
    done
}

@test "each variable in a manifest is an option of that subcommand" {
    for file in "$TEKTON"/task/roibench-*/0.1/*.yaml; do
        command=$(basename "$file" .yaml)
        command=${command#roibench-}
        "$ROIBENCH" "$command" --help >help.txt
        for name in $(grep -oE 'name: ROIBENCH_[A-Z_]+' "$file" | cut -d_ -f2- | tr 'A-Z_' 'a-z-'); do
            [[ $name == api-key ]] && name=api-key-file # the key itself is a variable and no option
            grep -q -- "--$name " help.txt || fail "$file: roibench $command has no --$name"
        done
    done
}

@test "guidellm-benchmark has four params, and no more" {
    run params_of "$TEKTON/pipeline/guidellm-benchmark/0.1/guidellm-benchmark.yaml"
    assert_output $'model-name\nprofile\nmax-seconds\nmax-requests'
}

@test "all manifests name one image, that of config/image.yaml" {
    image=$(sed -n 's/^  image: //p' "$TEKTON/config/image.yaml")
    run bash -c "grep -rhoE 'image-registry[^\" }]*' '$TEKTON' --include='*.yaml' | sort -u"
    assert_output "$image"
}

@test "prepare reads each model of the ConfigMap" {
    mkdir models
    awk '/^  [a-z0-9.-]+\.json: \|/ { file = "models/" substr($1, 1, length($1) - 1); next } /^    / && file { print > file }' "$TEKTON/config/models.yaml"
    assert_equal "$(find models -type f | wc -l)" 5
    for file in models/*.json; do
        model=$(basename "$file" .json)
        [[ -f $TEKTON/pipelinerun/$model.yaml ]]
        start_simulator --preset instant --model "$model"
        run --separate-stderr "$ROIBENCH" prepare --models models --model "$model" --target "$SIM/v1" --dry-run --json
        assert_success
        jq --exit-status '.deployment.gpus >= 1 and (.levels | length) == 6' <<<"$output"
    done
}
