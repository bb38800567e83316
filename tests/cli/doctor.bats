#!/usr/bin/env bats
# roibench doctor: what it finds, what it says of it, how it ends.
load support/simulator

line() { # NAME: the line of that check
    grep -E "^(ok|warning|LACKS) +$1 " <<< "$output"
}

@test "doctor finds what a run needs, machine and target, and leaves nothing behind" {
    start_simulator --preset instant --model some-model
    mkdir ws
    run -0 --separate-stderr "$ROIBENCH" doctor --target "$SIM/v1" --workspace ws --streams 5
    [ -z "$stderr" ]
    [[ $(line memory) == *"; 5 streams need some "* ]]
    [[ $(line 'open files') =~ ^ok.*"; 5 streams need "[0-9]+$ ]]
    [[ $(line 'local ports') =~ ^ok.*" are free towards the target; 5 streams need one each"$ ]]
    [[ $(line clock) =~ "source ".+": "[0-9]+" ns a reading, resolution 1 ns" ]]
    [[ $(line timers) =~ "100 waits of 1 ms ended late by "[0-9]+" us (p50) and "[0-9]+" us (p99); slack "[0-9]+" us" ]]
    [[ $(line workspace) == *"ws: "*" are left, 1 MB is on the disk after "* ]]
    [[ $(line dns) == "ok "*": an address, after "* ]]
    [[ $(line reach) == "ok "*"$SIM/v1/models answers after "*", on an open connection after "* ]]
    [[ $(line key) == "ok "*"none given, none asked for" ]]
    [[ $(line models) == "ok "*" some-model" ]]
    [[ $(line 'its clock') =~ ^ok.*"ours is ".+" "(ahead|behind)", +/- " ]]
    line cpu && line date
    [ "${#lines[@]}" -eq 13 ]
    [ -z "$(ls -A ws)" ]
}

@test "doctor takes target and streams from the plan in the workspace" {
    start_simulator --preset instant
    "$ROIBENCH" prepare --workspace ws --target "$SIM/v1" --prompt-tokens 32 --output-tokens 8 --profile concurrent --rate 2,37 --quiet
    run -0 --separate-stderr "$ROIBENCH" doctor --workspace ws
    [[ $(line 'open files') == *"; 37 streams need "* ]]
    [[ $(line reach) == *"$SIM/v1/models answers after "* ]]
}

@test "a machine that lacks something: exit 1, with the number needed and the setting" {
    ulimit -n 300
    run -1 --separate-stderr "$ROIBENCH" doctor --streams 500 --workers 2 --quiet
    [[ $(line 'open files') == "LACKS "*"at most 300, and 500 streams need 572. Raise the limit (ulimit -n, "* ]]
    [[ $stderr == "roibench doctor: 1 of 8 checks say that a run would not work: this machine" ]]
}

@test "a workspace that cannot be written to" {
    touch file
    run -1 --separate-stderr "$ROIBENCH" doctor --workspace file --streams 5 --quiet
    [[ $(line workspace) == "LACKS "*"file: nothing can be written there: Not a directory. "* ]]
    run -0 --separate-stderr "$ROIBENCH" doctor --workspace missing --streams 5 --quiet
    [[ $(line workspace) == "warning "*"missing is not there yet: prepare makes it" ]]
    [ ! -e missing ]
}

@test "a target that is not there: exit 3" {
    start_simulator --preset instant
    stop_simulators
    run -3 --separate-stderr "$ROIBENCH" doctor --target "$SIM/v1" --target http://nosuch.invalid/v1 --streams 5 --quiet
    [[ $output == *"LACKS    reach        GET $SIM/v1/models: connection refused. Is the server up, "* ]]
    [[ $output == *"warning  dns          cannot look up the host nosuch.invalid: "* ]]
    [[ $output == *"LACKS    reach        GET http://nosuch.invalid/v1/models: "* ]]
    [[ $stderr == "roibench doctor: 2 of 12 checks say that a run would not work: the target" ]]
}

@test "a key that is missing, wrong, right" {
    echo sesame > key
    echo mustard > other
    start_simulator --preset instant --api-key-file key
    run -3 --separate-stderr "$ROIBENCH" doctor --target "$SIM/v1" --streams 5 --quiet
    [[ $(line key) == "LACKS "*"HTTP 401: "*": a key is asked for. Give --api-key-file, or ROIBENCH_API_KEY" ]]
    run -3 --separate-stderr "$ROIBENCH" doctor --target "$SIM/v1" --streams 5 --quiet --api-key-file other
    [[ $(line key) == "LACKS "*"HTTP 401: "*": the key is not accepted. Give another --api-key-file" ]]
    [[ $output$stderr != *mustard* ]]
    run -0 --separate-stderr "$ROIBENCH" doctor --target "$SIM/v1" --streams 5 --quiet --api-key-file key
    [[ $(line key) == "ok "*"accepted, or not looked at" ]]
}

@test "a URL that is no API, and one that is no URL" {
    start_simulator --preset instant
    run -3 --separate-stderr "$ROIBENCH" doctor --target "$SIM" --streams 5 --quiet
    [[ $(line models) == "LACKS "*"$SIM/models: HTTP 404. The target of an OpenAI API ends in /v1" ]]
    run -2 "$ROIBENCH" doctor --target gopher://x
    [[ $output == *"--target: 'gopher://x': expected a URL that begins with http:// or https://"* ]]
}

@test "a plan that cannot be read is said to be left out" {
    mkdir -p ws/r
    echo '{}' > ws/r/plan.json
    echo r > ws/latest
    run -0 --separate-stderr "$ROIBENCH" doctor --workspace ws --quiet --workers 1
    [[ $stderr == *"ws/r/plan.json: "*"; it is left out of account"* ]]
    [[ $(line 'open files') == *"; 512 streams need "* ]]
}
