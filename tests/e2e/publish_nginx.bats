#!/usr/bin/env bats
# publish by HTTP PUT to a real nginx with dav_methods.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support

setup_file() {
    local simulator_port
    export PORT SERVED=$BATS_FILE_TMPDIR/served WORKSPACE=$BATS_FILE_TMPDIR/workspace FOLDER
    PORT=$(free_port)
    export TLS_PORT CA=$BATS_FILE_TMPDIR/nginx/server.pem
    TLS_PORT=$(free_port)
    mkdir -p "$SERVED/archives" "$SERVED/closed" "$BATS_FILE_TMPDIR/nginx"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$BATS_FILE_TMPDIR/nginx/server.key" -out "$CA" -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -days 30 2>/dev/null
    write_configuration >"$BATS_FILE_TMPDIR/nginx/nginx.conf"
    start_process nginx nginx -p "$BATS_FILE_TMPDIR/nginx" -c "$BATS_FILE_TMPDIR/nginx/nginx.conf"
    wait_for nginx 20 answers "http://127.0.0.1:$PORT/ready"

    simulator_port=$(free_port)
    start_process simulator "$ROIBENCH" simulate --listen "127.0.0.1:$simulator_port" --model tiny --preset instant
    wait_for simulator 20 answers "http://127.0.0.1:$simulator_port/health"
    FOLDER=$(prepare_run "$WORKSPACE" --target "http://127.0.0.1:$simulator_port/v1" --wait 10 --profile concurrent \
        --rate 1,2 --prompt-tokens 32 --output-tokens 16 --max-requests 4)
    "$ROIBENCH" run --workspace "$WORKSPACE"
    "$ROIBENCH" summarize --workspace "$WORKSPACE"
}

teardown_file() {
    stop_process simulator
    stop_process nginx
}

write_configuration() {
    cat <<CONFIGURATION
daemon off;
user root;
pid nginx.pid;
error_log stderr info;
events { worker_connections 64; }
http {
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_max_body_size 100m;
    server {
        listen 127.0.0.1:$PORT;
        listen 127.0.0.1:$TLS_PORT ssl;
        ssl_certificate server.pem;
        ssl_certificate_key server.key;
        root $SERVED;
        location = /ready { return 204; }
        location /archives/ { dav_methods PUT; create_full_put_path on; }
        location /closed/ { dav_methods PUT; deny all; }
        location /small/ { dav_methods PUT; create_full_put_path on; client_max_body_size 100; }
    }
}
CONFIGURATION
}

@test "the archive arrives whole, and the receipt has its checksum" {
    assert_published "$FOLDER" "$WORKSPACE" "http://127.0.0.1:$PORT/archives/" "$SERVED/archives"
    grep -F "http://127.0.0.1:$PORT/archives/" "$FOLDER/publish.json"
}

@test "what the server gives back is what the receipt says" {
    run -0 "$ROIBENCH" publish --workspace "$WORKSPACE" --to "http://127.0.0.1:$PORT/archives/again/"
    archive=$(cd "$SERVED" && find archives/again -name '*.tar.gz')
    checksum=$(curl --silent --fail "http://127.0.0.1:$PORT/$archive" | sha256sum | cut -d ' ' -f 1)
    grep -F "$checksum" "$FOLDER/publish.json"
}

@test "a server and a folder get the same archive" {
    mkdir "$BATS_TEST_TMPDIR/folder"
    run -0 "$ROIBENCH" publish --workspace "$WORKSPACE" --to "http://127.0.0.1:$PORT/archives/both/" \
        --to "file://$BATS_TEST_TMPDIR/folder"
    cmp "$(find "$SERVED/archives/both" -name '*.tar.gz')" "$(find "$BATS_TEST_TMPDIR/folder" -name '*.tar.gz')"
}

@test "over TLS, verified, and back again: sha256sum and tar say the same" {
    local there archive
    there=https://localhost:$TLS_PORT/archives/tls/
    run -0 "$ROIBENCH" publish --workspace "$WORKSPACE" --cacert "$CA" --verify --to "$there"
    [[ ${lines[1]} == "published $there"*", verified" ]]
    (cd "$SERVED/archives/tls" && sha256sum --check --strict --quiet ./*.sha256)
    archive=$(basename "$FOLDER").tar.gz
    run -0 "$ROIBENCH" publish --workspace "$BATS_TEST_TMPDIR/back" --cacert "$CA" --fetch "$there$archive"
    diff -r -x publish.json "$FOLDER" "$BATS_TEST_TMPDIR/back/$(basename "$FOLDER")"
    # what was fetched is summarized as what was there
    "$ROIBENCH" summarize --workspace "$BATS_TEST_TMPDIR/back" --run-id "$(basename "$FOLDER")" >/dev/null
    cmp "$FOLDER/summary.json" "$BATS_TEST_TMPDIR/back/$(basename "$FOLDER")/summary.json"
    run -6 --separate-stderr "$ROIBENCH" publish --workspace "$WORKSPACE" --to "$there"
    [[ $stderr == *certificate* ]]
}

@test "published again: asked, and not sent again" {
    local there=http://127.0.0.1:$PORT/archives/once/
    run -0 "$ROIBENCH" publish --workspace "$WORKSPACE" --to "$there"
    run -0 "$ROIBENCH" publish --workspace "$WORKSPACE" --to "$there"
    [[ $output == *"already there: $there"* ]]
    assert_equal "$(grep -c 'PUT /archives/once/.*tar.gz HTTP' "$BATS_FILE_TMPDIR/nginx/access.log")" 1
}

@test "a server that forbids it: exit 6, with URL and status" {
    run -6 --separate-stderr "$ROIBENCH" publish --workspace "$WORKSPACE" --to "http://127.0.0.1:$PORT/closed/"
    [[ $stderr == *"http://127.0.0.1:$PORT/closed/"* && $stderr == *403* ]]
    assert [ -z "$(find "$SERVED/closed" -type f)" ]
}

@test "an archive too large for the server: exit 6, with the status" {
    run -6 --separate-stderr "$ROIBENCH" publish --workspace "$WORKSPACE" --to "http://127.0.0.1:$PORT/small/"
    [[ $stderr == *413* ]]
}

@test "nobody listens: exit 6, with the URL" {
    port=$(free_port)
    run -6 --separate-stderr "$ROIBENCH" publish --workspace "$WORKSPACE" --retries 0 --to "http://127.0.0.1:$port/archives/"
    [[ $stderr == *"http://127.0.0.1:$port/archives/"* ]]
}
