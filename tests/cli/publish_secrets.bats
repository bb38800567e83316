#!/usr/bin/env bats
# roibench publish: what looks like a credential, or like what --redact says, does not leave.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here

load support/simulator

W=

setup() {
    W=$BATS_TEST_TMPDIR/workspace
    OUT=$BATS_TEST_TMPDIR/out
    mkdir -p "$W/run-1"
    echo run-1 >"$W/latest"
    echo '{"schema":"roibench/plan/v1"}' >"$W/run-1/plan.json"
    echo 'records' | gzip -n >"$W/run-1/records.jsonl.gz"
}

teardown() {
    stop_simulators
}

publish() {
    run --separate-stderr "$ROIBENCH" publish --workspace "$W" --quiet --to "$OUT" "$@"
}

# Never in one piece, so that who searches this file for secrets finds none.
token() { printf 'Bearer %s%s' abcdefghijkl mno1; }

assert_stopped() { # TEXT
    assert_failure 6
    [[ $stderr == *"$1"*': nothing was published.'* ]] || { echo "$stderr"; return 1; }
    [[ $stderr != *abcdefghijkl* && $output != *abcdefghijkl* ]]
    [ ! -e "$OUT" ]
    [ ! -e "$W/run-1/publish.json" ]
}

@test "each kind, in a plain file and in gzip, is told with file and line and without value" {
    local kind name
    local -A kinds=(
        [bearer]="$(token)|a Bearer token"
        [sk]="sk-$(printf 'proj-%s' 0123456789abcdefghij)|an API key (sk-...)"
        [aws]="AKIA$(printf IOSFODNN7EXAMPLE)|an AWS access key (AKIA...)"
        [jwt]="eyJ$(printf hbGciOiJSUzI1NiJ9).eyJ$(printf zdWIiOiIxIn0).x|a JSON web token"
        [pem]="$(printf -- '-----BEGIN %s KEY-----' 'RSA PRIVATE')\\nMIIEvQIBADANBgkqhkiG9w0B|a private key (PEM)"
    )
    for kind in "${!kinds[@]}"; do
        printf 'one\ntwo\n{"text":"%s"}\n' "${kinds[$kind]%|*}" >"$BATS_TEST_TMPDIR/text"
        for name in notes notes.gz; do
            if [[ $name == *.gz ]]; then gzip -nc "$BATS_TEST_TMPDIR/text"; else cat "$BATS_TEST_TMPDIR/text"; fi >"$W/run-1/$name"
            publish
            assert_stopped "run-1/$name, line 3, holds what looks like ${kinds[$kind]#*|}"
            rm "$W/run-1/$name"
        done
    done
    publish
    assert_success
}

@test "in prompts: publishing without them is the way out" {
    printf '{"prompt":"a"}\n{"prompt":"%s"}\n' "$(token)" >"$W/run-1/data.jsonl"
    publish
    assert_stopped 'run-1/data.jsonl, line 2, holds what looks like a Bearer token'
    [[ $stderr == *'Give --no-prompts'* ]]
}

@test "--redact: expressions of the user's, several of them, none of which is repeated in a message" {
    printf 'one\nhost: gpu-7.acme.internal\n' >"$W/run-1/notes"
    publish --redact 'nothing-like-it' --redact '[a-z0-9-]+\.acme\.internal'
    assert_failure 6
    [[ $stderr == *'run-1/notes, line 2, holds what --redact (number 2) looks for: nothing was published. Take it out, or remove the file'* ]]
    publish --redact 'gpu-[0-9]{2}'
    assert_success
}

@test "--redact: what is no expression is told before anything is done, with its place" {
    publish --redact 'fine' --redact 'a(b'
    assert_failure 2
    [[ $stderr == *'--redact: number 2: at character 2: this ( is never closed'* ]]
    publish --redact '(a)\1'
    assert_failure 2
    [[ $stderr == *'--redact: at character 4: extended expressions have no back-references'* ]]
    publish --redact 'a*'
    assert_failure 2
    [[ $stderr == *'matches the empty text'* ]]
    [ ! -e "$W/run-1/manifest.json" ]
}

@test "--redact: what takes other machines for ever ends" {
    head -c 3000000 /dev/zero | tr '\0' a >"$W/run-1/notes"
    publish --redact '(a*)*~' --redact '(x+x+)+~' --redact '([a-z]*){20}~'
    assert_success
    rm -r "$OUT"
    awk 'BEGIN { srand(1); for (k = 0; k < 2000000; k++) printf "%s", rand() < 0.5 ? "a" : "b" }' >"$W/run-1/notes"
    publish --redact 'a[ab]{200}c'
    assert_failure 2
    [[ $stderr == *'--redact (number 1) is too complex to be searched for'* ]]
}

@test "a run of the simulator with prompts about keys is no false alarm" {
    rm -r "$W"
    # shellcheck disable=SC2016  # meant as it stands
    for k in {1..50}; do
        printf '{"prompt":"How do I send a Bearer token in an Authorization: Bearer $TOKEN header? My sk-... key %s AKIA"}\n' "$k"
        printf '{"prompt":"What is task-management-system-%s, a risk-adjusted-return, disk-0123456789abcdef0123? -----BEGIN RSA PRIVATE KEY-----"}\n' "$k"
        printf '{"prompt":"Decode %s"}\n' "$(printf '%s' "{\"alg\":\"none\",\"number\":$k}" | base64 -w 0)"
    done >"$BATS_TEST_TMPDIR/prompts.jsonl"
    start_simulator --model tiny --preset instant
    "$ROIBENCH" prepare --quiet --workspace "$W" --target "$SIM/v1" --profile concurrent --rate 1,4 --max-requests 100 --data "$BATS_TEST_TMPDIR/prompts.jsonl"
    "$ROIBENCH" run --quiet --workspace "$W"
    "$ROIBENCH" summarize --quiet --workspace "$W"
    publish
    assert_success
}
