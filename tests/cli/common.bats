#!/usr/bin/env bats
# What all subcommands have in common: help, version, options, standard output.

load support/simulator # setup and teardown too

@test "--version, before and behind a subcommand" {
    run "$ROIBENCH" --version
    assert_success
    local version=$output command
    [[ $version == "roibench "* ]]
    for command in prepare run summarize publish simulate; do
        run "$ROIBENCH" "$command" --version
        assert_success
        assert_output "$version"
    done
}

@test "standard output that takes nothing is an error" {
    local command
    for command in --help --version 'run --help' 'run --version'; do
        # shellcheck disable=SC2086  # words of a command line
        run --separate-stderr bash -c "'$ROIBENCH' $command >/dev/full"
        assert_failure 1
        [[ $stderr == *"cannot write to standard output"* ]]
    done
}

@test "unknown options: one hint, one full stop" {
    run --separate-stderr "$ROIBENCH" prepare --targt x
    assert_failure 2
    assert_equal "$stderr" "roibench prepare: unknown option --targt, did you mean --target? See roibench prepare --help"
    run --separate-stderr "$ROIBENCH" run --nonsense
    assert_failure 2
    assert_equal "$stderr" "roibench run: unknown option --nonsense. See roibench run --help"
}

@test "a command that has no workspace takes none" {
    local option
    for option in workspace run-id; do
        run --separate-stderr "$ROIBENCH" simulate "--$option" x
        assert_failure 2
        [[ $stderr == *"unknown option --$option"* ]]
        run "$ROIBENCH" simulate --help
        refute_output --partial "--$option"
    done
}

@test "flags in the environment: true and false, 1 and 0" {
    start_simulator --preset instant --model tiny
    local -a prepare=("$ROIBENCH" prepare --workspace ws --target "$SIM/v1" --profile synchronous --max-requests 1)
    run --separate-stderr env ROIBENCH_QUIET=1 "${prepare[@]}"
    assert_success
    [ -z "$stderr" ]
    run --separate-stderr env ROIBENCH_QUIET=0 "${prepare[@]}"
    assert_success
    [ -n "$stderr" ]
    run --separate-stderr env ROIBENCH_QUIET=maybe "${prepare[@]}"
    assert_failure 2
    [[ $stderr == *"ROIBENCH_QUIET: 'maybe' is not true or false (or 1 or 0)"* ]]
}

@test "a step that fails says why in Tekton's result error, as much of it as a result holds" {
    run -2 "$ROIBENCH" prepare --tekton-results results --profile swep
    assert_equal "$(<results/error)" "--profile: 'swep' is unknown, did you mean 'sweep'? Known: synchronous concurrent throughput constant poisson gamma ramp burst replay sweep"
    for command in run summarize publish gate; do
        rm results/error
        run -2 env ROIBENCH_TEKTON_RESULTS=results "$ROIBENCH" $command --workspace nothing
        [[ $output == *"$(<results/error)"* ]]
    done
    run -2 "$ROIBENCH" gate --tekton-results results "$(printf 'ä%.0s' {1..200})"
    [[ $(<results/error) == "there is no run ä"*ä... ]]
    (($(wc -c <results/error) <= 256))
}
