# What tests of reports share.

# One value of a JSON file, as jq prints it.
assert_json() { # FILE FILTER EXPECTED
    run jq -c "$2" "$1"
    assert_success
    assert_output "$3"
}

# A comparison in the workspace $W that knows no more than its runs.
make_comparison() { # ID RUN...
    local id=$1 run separator='' runs=''
    shift
    for run; do
        runs+="$separator{\"run\":{\"run_id\":\"$run\"}}"
        separator=,
    done
    mkdir -p "$W/comparisons/$id"
    echo "{\"schema\":\"roibench/comparison/v1\",\"runs\":[$runs]}" >"$W/comparisons/$id/comparison.json"
}
