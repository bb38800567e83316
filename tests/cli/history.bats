#!/usr/bin/env bats
# A run beside earlier ones: summarize --baseline, --fail-on, --strict; list, gate, prune. The numbers in detail: tests/unit/stats.

bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.5.0
load support/run_folder # make_run
load support/reports # assert_json, make_comparison

setup() {
    unset ROIBENCH_PRICE ROIBENCH_GPUS ROIBENCH_BASELINE ROIBENCH_FAIL_ON ROIBENCH_RUN_ID
    export W=$BATS_TEST_TMPDIR/workspace MODEL=m REQUESTS=100 TTFT_STEP_MS=1
    mkdir "$W"
}

# night N TTFT_MS: run night-N of November N, 2026
night() {
    DATE=$(printf '2026-11-%02d' "$1") make_run "night-$1" "$2" 0.85
}

summarize() {
    run --separate-stderr "$ROIBENCH" summarize --workspace "$W" "$@"
}

roibench() { # COMMAND...
    local command=$1
    shift
    run --separate-stderr "$ROIBENCH" "$command" --workspace "$W" "$@"
}

# Level 0 of a run becomes an invalid measurement: the client was late.
spoil() { # RUN
    echo '{"level_end":{"index":0,"repeat":0,"lag_ns":{"p50":1,"p99":900000000,"max":900000000},"reason":"max_seconds"}}' >>"$W/$1/journal.jsonl"
}

# Three nights of about 100 ms, summarized: from here on it is known what two runs differ by.
quiet_nights() {
    local n
    for n in 1 2 3; do
        night "$n" $((99 + n))
        summarize --quiet "night-$n"
    done
}

# ---- summarize --baseline ----

@test "nothing changed" {
    quiet_nights
    night 4 101
    summarize --quiet night-4 --baseline night-3
    assert_success
    assert_line '**Against night-3 of 2026-11-03: nothing of 12 numbers changed beyond noise.**'
    assert_line '## Against night-3 of 2026-11-03'
    assert_json "$W/night-4/summary.json" '.baseline | [.run_id, .worse, .better, .same, .earlier_runs]' '["night-3",0,0,12,3]'
    assert_json "$W/night-4/summary.json" '.baseline.rows[1] | [.metric, .load, .was, .is, .verdict]' '["ttft_p95",1,196,195,"same"]'
    summarize --quiet night-4 # without it, the report says nothing of other runs
    refute_output --partial night-3
    assert_json "$W/night-4/summary.json" 'has("baseline"), has("trend")' 'false
false'
}

@test "slower beyond noise is a regression: exit 5, and everything is written" {
    quiet_nights
    night 4 300
    summarize night-4 --baseline "$W/night-3" --fail-on regression=5% --tekton-results "$BATS_TEST_TMPDIR/results"
    assert_failure 5
    assert_line --partial 'Worse beyond noise: TTFT p50 at 1 stream: 151 ms before, 349 ms now, +131 %'
    assert_line --regexp '^\| worse +\| +1 streams \| +TTFT p95 +\| +196 ms \| +394 ms \|'
    [[ $stderr == *"--fail-on regression=5% (TTFT p50 at 1 stream: 151 ms before, 349 ms now"* ]]
    [ -s "$W/night-4/report.html" ]
    summarize --quiet night-4 --baseline night-3 --format junit
    run grep -A1 'name="TTFT p95 at 1 stream is no worse than in night-3"' "$W/night-4/junit.xml"
    assert_line --partial '<failure message="TTFT p95 at 1 stream: 196 ms before, 394 ms now, '
    run grep -A1 'name="the breaking point is no lower than in night-3"' "$W/night-4/junit.xml"
    assert_line --partial '<system-out>'
    summarize --quiet night-4 --baseline night-3 --fail-on regression=5%
    [ -s "$BATS_TEST_TMPDIR/results/verdict" ]
    assert_json "$W/night-4/manifest.json" '.steps[-1] | [.step, .exit_code]' '["summarize",5]'
    summarize --quiet night-4 --baseline night-3 --fail-on regression=200%
    assert_success
    rm -r "$W/night-4"
    night 5 60 # better is no regression
    summarize --quiet night-5 --baseline night-3 --fail-on regression=5%
    assert_success
    assert_line --partial 'Better beyond noise: '
}

@test "two runs alone do not tell what two runs differ by" {
    night 1 100
    night 2 300
    summarize --quiet night-2 --baseline night-1 --fail-on regression=5% # a gate does not open for what is not known
    assert_failure 5
    assert_line --partial 'are called neither better nor worse: what two runs differ by is not known'
    assert_line --regexp '^\| 1 streams \| +\+134 % worse\? \|'
    [[ $stderr == *"what two runs differ by is not known: it takes three repeats in both, or three earlier runs"* ]]
    summarize --quiet night-1
    summarize --quiet night-2 --baseline previous --fail-on regression=5% # but a series begins somewhere
    assert_success
    assert_json "$W/night-2/summary.json" '.baseline | [.worse, .rows[1].verdict, .rows[1].beyond_within_run]' '[0,"unknown",true]'
}

@test "a baseline whose records are gone is read from its summary.json, and says the same" {
    night 1 100
    night 2 300
    summarize --quiet night-2 --baseline night-1
    local from_records=$output
    summarize --quiet night-1
    rm "$W/night-1/records.jsonl.gz" "$W/night-1/journal.jsonl"
    summarize --quiet night-2 --baseline night-1
    assert_success
    assert_equal "$output" "$from_records"
}

@test "previous is the newest run before of its kind; the first has none and passes" {
    night 3 100
    summarize night-3 --baseline previous --fail-on regression=5%
    assert_success
    [[ $stderr == *"--baseline previous: $W has no earlier run of m"* ]]
    night 1 90
    MODEL=other night 2 90
    night 4 400 # later than the one asked about
    night 5 100
    for n in 1 2 4; do summarize --quiet "night-$n"; done
    summarize --quiet night-3 --baseline previous --fail-on regression=50%
    assert_success
    assert_json "$W/night-3/summary.json" .baseline.run_id '"night-1"'
    summarize --quiet night-5 --baseline previous
    assert_json "$W/night-5/summary.json" .baseline.run_id '"night-4"'
}

@test "what earlier nights differ by is noise" {
    local n ttft=(0 100 130 100 130 100 130 100)
    for n in 1 2 3 4 5 6 7; do
        night "$n" "${ttft[n]}"
        summarize --quiet "night-$n"
    done
    night 8 135
    summarize --quiet night-8 --baseline previous --fail-on regression=5%
    assert_success
    assert_line '## Trend of 8 runs, 2026-11-01 to 2026-11-08'
    assert_json "$W/night-8/summary.json" '.baseline | [.earlier_runs, .rows[1].noise, .rows[1].verdict]' '[7,"earlier runs","same"]'
    night 9 900
    summarize --quiet night-9 --baseline previous --fail-on regression=5%
    assert_failure 5
}

@test "a workload that is another one" {
    night 1 100
    night 2 100
    sed -i 's/"scenario": null/"scenario": "chat"/' "$W/night-1/plan.json"
    summarize night-2 --baseline night-1
    assert_success
    assert_line '**The two were not measured alike: take every change below with care.**'
    assert_line -- '- scenario: chat before, none now'
    [[ $stderr == *"not measured as night-1 was: scenario: chat before, none now"* ]]
    summarize --quiet night-2 --baseline night-1 --fail-on regression=5%
    assert_failure 2
    [[ $stderr == *"night-1 was not measured alike (scenario: chat before, none now)"* ]]
}

@test "baselines that are none" {
    night 1 100
    night 2 100
    summarize night-2 --baseline night-7
    assert_failure 2
    [[ $stderr == *"--baseline: there is no run night-7"* ]]
    summarize night-2 --baseline night-2
    assert_failure 2
    [[ $stderr == *"this is the run itself"* ]]
    summarize night-1 night-2 --baseline night-1
    assert_failure 2
    [[ $stderr == *"--baseline compares one run with an earlier one"* ]]
    summarize night-2 --fail-on regression=5%
    assert_failure 2
    [[ $stderr == *"against what? --baseline RUN"* ]]
    echo '{"schema":"roibench/summary/v1","run":{},"levels":[{"load":"x"}]}' >"$W/night-1/summary.json"
    summarize night-2 --baseline night-1
    assert_failure 2
    [[ $stderr == *'night-1/summary.json: levels[0].load: expected a number, got "x"'* ]]
}

# ---- --fail-on, --strict ----

@test "--fail-on breaking, degraded, invalid" {
    night 1 100 # 20 tok/s for one user: degraded
    night 2 4000
    summarize --quiet night-1 --fail-on breaking --fail-on invalid
    assert_success
    summarize --quiet night-1 --fail-on degraded
    assert_failure 5
    [[ $stderr == *"--fail-on degraded (1 stream, the load to run in production, is degraded)"* ]]
    summarize --quiet night-2 --fail-on breaking
    assert_failure 5
    [[ $stderr == *"--fail-on breaking (No tested load can be advised for production"* ]]
    summarize --quiet night-1 night-2 --fail-on breaking
    assert_failure 5
    [[ $stderr == *"breaking (night-2: No tested load"* ]]
    spoil night-1
    summarize --quiet night-1 --fail-on invalid
    assert_failure 5
    [[ $stderr == *"invalid (1 of 2 levels is invalid as a measurement)"* ]]
    summarize --quiet night-1 --fail-on broken
    assert_failure 2
    [[ $stderr == *"--fail-on: 'broken' is none of breaking, degraded, invalid and regression=5%"* ]]
    for share in x 5 0.05; do # 5 may be meant as 5 %, and is 500 % to whoever counts in shares
        summarize --quiet night-1 --baseline night-2 --fail-on regression=$share
        assert_failure 2
        [[ $stderr == *"'regression=$share': expected a percentage above 0 and at most 1000%, with its %, as in regression=5%"* ]]
    done
}

@test "--strict: exit 4 when a level is invalid, before any condition" {
    night 1 100
    summarize --quiet night-1 --strict
    assert_success
    spoil night-1
    summarize --quiet night-1 --strict --fail-on degraded
    assert_failure 4
    [[ $stderr == *"--strict: a level of night-1 is invalid as a measurement"* ]]
    assert_json "$W/night-1/manifest.json" '.steps[-1].exit_code' 4
}

# ---- gate ----

@test "gate judges summary.json" {
    night 1 100
    echo night-1 >"$W/latest"
    roibench gate
    assert_failure 2
    [[ $stderr == *"night-1/summary.json does not exist: roibench summarize comes first"* ]]
    summarize --quiet
    roibench gate
    assert_success
    assert_line --regexp '^not met  invalid +every level is a valid'
    assert_line --regexp '^not met  breaking +1 stream, the load to run in production, is degraded'
    roibench gate --fail-on degraded
    assert_failure 5
    assert_line --regexp '^MET      degraded '
    [[ $stderr == *"--fail-on degraded (1 stream"* ]]
    quiet_nights
    night 4 300
    summarize --quiet night-4
    rm "$W"/night-*/records.jsonl.gz # not needed any more
    roibench gate night-4 --baseline previous --fail-on regression=5%
    assert_failure 5
    assert_line --partial 'Against night-3 of 2026-11-03: Worse beyond noise: TTFT p50 at 1 stream'
    assert_line --regexp '^MET      regression=5% +TTFT p50 at 1 stream: 151 ms before, 349 ms now'
}

@test "gate judges a word" {
    roibench gate --verdict acceptable
    assert_success
    roibench gate --verdict none
    assert_failure 5
    roibench gate --verdict invalid
    assert_failure 5
    roibench gate --verdict degraded --fail-on degraded
    assert_failure 5
    roibench gate --verdict fine
    assert_failure 2
    roibench gate --verdict acceptable --baseline x
    assert_failure 2
    roibench gate --verdict acceptable --run-id x
    assert_failure 2
}

@test "a workspace that is not there is a mistake, and no empty one" {
    night 1 100
    summarize --quiet night-1
    local gone=$BATS_TEST_TMPDIR/gone command
    run --separate-stderr "$ROIBENCH" list --workspace "$gone"
    assert_failure 2
    [[ $stderr == *"list: the workspace $gone is no folder"* ]]
    run --separate-stderr "$ROIBENCH" list --workspace "$W/night-1/plan.json" --format json
    assert_failure 2
    assert_output ''
    for command in gate summarize; do # nothing earlier there: the first of its kind would pass
        run --separate-stderr "$ROIBENCH" "$command" "$W/night-1" --workspace "$gone" --baseline previous --fail-on regression=5%
        assert_failure 2
        [[ $stderr == *"--baseline previous: the workspace $gone is no folder"* ]]
    done
}

@test "options that would mean nothing are refused" {
    night 1 100
    summarize --quiet night-1
    roibench list --run-id night-1
    assert_failure 2
    roibench prune --keep-last 1 --run-id night-1
    assert_failure 2
    ROIBENCH_RUN_ID=night-1 roibench list # it is set for all steps of a pipeline
    assert_success
    roibench gate night-1 --run-id night-1
    assert_failure 2
    [[ $stderr == *"--run-id and the folder of a run exclude each other"* ]]
}

# ---- list ----

@test "list: how far runs have come, and what came out" {
    roibench list
    assert_success
    assert_output ''
    [[ $stderr == *"the workspace $W holds no run"* ]]
    night 1 100
    summarize --quiet night-1
    night 2 100
    mkdir "$W/night-3" "$W/night-4"
    DATE=2026-11-03 make_plan night-3 0.85 >"$W/night-3/plan.json"
    echo '{' >"$W/night-4/plan.json"
    DATE=2026-11-05 MODEL=other make_run night-5 100 0.85
    roibench list
    assert_success
    assert_line --regexp '^\| night-1 +\| 2026-11-01 04:07 \| summarized \(cut off\) \| degraded +\| +1 streams \| +194 ms \| +'
    assert_line --regexp '^\| night-2 +\| 2026-11-02 04:06 \| measured \(cut off\) +\| - '
    assert_line --regexp '^\| night-3 +\| 2026-11-03 04:06 \| prepared '
    refute_line --partial night-4
    [[ $stderr == *"night-4/plan.json: line "*"; the run is left out of account"* ]]
    roibench list --quiet --model other --format json
    assert_success
    run jq -c '[.schema, .runs[].run_id], .trends' <<<"$output"
    assert_output '["roibench/list/v1","night-5"]
[]'
}

@test "list: a run that is going on, one that is over, one that was published" {
    night 1 100
    local held
    exec {held}<>"$W/night-1/records.jsonl.gz"
    flock "$held"
    roibench list
    assert_line --regexp '\| running '
    summarize night-1
    exec {held}>&-
    [[ $stderr == *"night-1: roibench run is still writing into it"* ]]
    rm "$W/night-1/summary.json"
    echo '{"schema":"roibench/manifest/v1","steps":[{"step":"run","exit_code":143}]}' >"$W/night-1/manifest.json"
    roibench list
    assert_line --regexp '\| measured \(stopped\) '
    echo '{"schema":"roibench/manifest/v1","steps":[{"step":"run","exit_code":0}]}' >"$W/night-1/manifest.json"
    echo '{"schema":"roibench/publish/v1","destinations":[{"to":"x","error":"no"},{"to":"y","error":null}]}' >"$W/night-1/publish.json"
    roibench list
    assert_line --regexp '\| published '
}

@test "list: is the model slower than last week, and since when?" {
    local n
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
        night "$n" $((n <= 7 ? 100 + n % 3 : 300 + n % 3))
        summarize --quiet "night-$n"
    done
    roibench list
    assert_success
    assert_line '### Trend of 14 runs, 2026-11-01 to 2026-11-14'
    assert_line --regexp '^- TTFT p95 at 1 stream: worse than the week before: 395 ms in the last seven days, 195 ms in the seven before, \+103 % .*it stepped by \+[0-9]+ % with night-8 of 2026-11-08$'
    roibench list --format json
    run jq -c '.trends[] | [.model, .runs, .load, (.metrics[0] | [.metric, .verdict, .since, .runs_this_week])]' <<<"$output"
    assert_output '["m",14,1,["ttft_p95","worse","night-8",7]]'
}

# ---- prune ----

ids() {
    (cd "$W" && echo ./*/plan.json | sed 's#\./##g; s#/plan.json##g')
}

@test "prune --keep-last keeps the newest of each model, the current one, and what is named" {
    local n
    REQUESTS=2
    for n in 1 2 3 4 5; do night "$n" 100; done
    MODEL=other night 6 100
    echo night-1 >"$W/latest"
    roibench prune --keep-last 1 --keep night-2 --dry-run
    assert_success
    assert_output --regexp '^would remove run night-3 \(measured, [0-9.]+ kB\)
would remove run night-4 \(measured, [0-9.]+ kB\)$'
    assert_equal "$(ids)" 'night-1 night-2 night-3 night-4 night-5 night-6'
    roibench prune --keep-last 1 --keep night-2
    assert_success
    assert_line --index 0 --partial 'removed run night-3 ('
    assert_equal "$(ids)" 'night-1 night-2 night-5 night-6'
    [[ $stderr == *"removed 2 of 6 runs"* ]]
    roibench prune --keep-last 1 --keep night-9
    assert_failure 2
    [[ $stderr == *"--keep night-9: there is no such run"*"Nothing was removed"* ]]
    roibench prune
    assert_failure 2
    [[ $stderr == *"what is to stay?"* ]]
}

@test "prune --keep-days keeps what is young, and what may still be begun" {
    REQUESTS=2 night 1 100
    DATE=$(date --utc +%F) REQUESTS=2 make_run young 100 0.85
    mkdir "$W/waiting" "$W/forgotten"
    make_plan forgotten 0.85 >"$W/forgotten/plan.json"
    make_plan waiting 0.85 | sed "s/\"created\": \"[^\"]*\"/\"created\": \"$(date --utc +%FT%TZ)\"/" >"$W/waiting/plan.json"
    sed -i 's/"created": "2026/"created": "2020/' "$W/forgotten/plan.json"
    roibench prune --keep-days 0
    assert_success
    assert_equal "$(ids)" 'waiting young' # it was cut off today, and may be gone on with
    echo '{"schema":"roibench/manifest/v1","steps":[{"step":"run","exit_code":0}]}' >"$W/young/manifest.json"
    roibench prune --keep-days 3
    assert_equal "$(ids)" 'waiting young'
    roibench prune --keep-days 0
    assert_equal "$(ids)" waiting
}

@test "prune: comparisons go with their runs, archives when asked, runs that are going on never" {
    local n
    REQUESTS=2
    for n in 1 2 3 4; do night "$n" 100; done
    make_comparison old night-1 night-4
    make_comparison new night-3 night-4
    mkdir "$W/archives"
    touch "$W/archives/"{night-1,night-4,comparison-old,comparison-new}.tar.gz{,.sha256}
    mkdir -p "$W/night-1/inner/deep" "$W/.removed-night-0/x"
    ln -s /etc "$W/night-1/link"
    local held
    exec {held}<>"$W/night-2/records.jsonl.gz"
    flock "$held"
    roibench prune --keep-last 2
    assert_success
    assert_equal "$(ids)" 'night-2 night-3 night-4'
    assert_equal "$(ls "$W/comparisons")" new
    assert_equal "$(find "$W/archives" -type f | wc -l)" 8
    [ -e /etc/passwd ]
    [ ! -e "$W/.removed-night-0" ]
    exec {held}>&-
    roibench prune --keep-last 1 --archives --dry-run
    assert_line 'would remove comparison new'
    roibench prune --keep-last 1 --archives
    assert_success
    assert_equal "$(ids)" night-4
    assert_equal "$(ls "$W/archives")" 'comparison-old.tar.gz
comparison-old.tar.gz.sha256
night-1.tar.gz
night-1.tar.gz.sha256
night-4.tar.gz
night-4.tar.gz.sha256'
}

@test "prune: a folder that is no run's, or whose plan cannot be read, stays" {
    REQUESTS=2 night 1 100
    mkdir "$W/notes" "$W/broken"
    echo '{}' >"$W/broken/plan.json"
    touch "$W/notes/file"
    echo '{}' >"$W/x.json"
    roibench prune --keep-last 0
    assert_success
    assert_equal "$(ls "$W")" 'broken
notes
x.json'
    [[ $stderr == *"broken/plan.json"*"; the run stays"* ]]
    run --separate-stderr "$ROIBENCH" prune --workspace "$W/nowhere" --keep-last 1
    assert_failure 2
    [[ $stderr == *"the workspace $W/nowhere is no folder"* ]]
}
