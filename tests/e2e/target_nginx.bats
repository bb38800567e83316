#!/usr/bin/env bats
# A real nginx before the simulator, as an ingress is: TLS with a CA of its own, a certificate that has expired and one of another host, basic
# authentication, a path before /v1, redirects, a proxy's refusals; and IPv6.
# shellcheck disable=SC2034,SC2154  # used by, or set by, bats and the files loaded here
load support

setup_file() {
    export SIM_PORT TLS_PORT EXPIRED_PORT FOREIGN_PORT PLAIN_PORT CA=$BATS_FILE_TMPDIR/ca.pem
    SIM_PORT=$(free_port) TLS_PORT=$(free_port) EXPIRED_PORT=$(free_port) FOREIGN_PORT=$(free_port) PLAIN_PORT=$(free_port)
    mkdir -p "$BATS_FILE_TMPDIR/nginx"
    cd "$BATS_FILE_TMPDIR" || return
    make_certificates
    printf 'ann:%s\n' "$(openssl passwd -apr1 secret)" >users
    write_configuration >nginx/nginx.conf
    start_process simulator "$ROIBENCH" simulate --listen "127.0.0.1:$SIM_PORT" --model tiny --preset instant
    wait_for simulator 20 answers "http://127.0.0.1:$SIM_PORT/health"
    start_process nginx nginx -p "$BATS_FILE_TMPDIR/nginx" -c "$BATS_FILE_TMPDIR/nginx/nginx.conf"
    wait_for nginx 20 answers "http://127.0.0.1:$PLAIN_PORT/ready"
}

teardown_file() {
    stop_process nginx
    stop_process simulator
}

# certificate NAME SUBJECT_ALT_NAME FROM TO: signed by the CA, valid between the dates.
certificate() {
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
    printf 'subjectAltName=%s\n' "$2" >"$1.ext"
    openssl ca -batch -config ca.conf -in "$1.csr" -out "$1.pem" -notext -extfile "$1.ext" -startdate "$3" -enddate "$4" 2>/dev/null
}

make_certificates() {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=lab-ca -days 30 2>/dev/null
    touch index.txt
    echo 01 >serial
    printf '%s\n' '[ca]' 'default_ca=it' '[it]' 'dir=.' 'database=index.txt' 'serial=serial' 'new_certs_dir=.' 'certificate=ca.pem' \
        'private_key=ca.key' 'default_md=sha256' 'policy=any' 'unique_subject=no' '[any]' 'commonName=supplied' >ca.conf
    certificate good DNS:localhost,IP:127.0.0.1 20200101000000Z 20991231000000Z
    certificate expired DNS:localhost,IP:127.0.0.1 20200101000000Z 20200201000000Z
    certificate foreign DNS:model.example.org 20200101000000Z 20991231000000Z
}

server() { # NAME PORT: TLS with the certificate of that name
    echo "server { listen 127.0.0.1:$2 ssl; ssl_certificate ../$1.pem; ssl_certificate_key ../$1.key; include locations; }"
}

write_configuration() {
    cat >nginx/locations <<LOCATIONS
location /ready { return 204; }
location /models/tiny/ { proxy_pass http://127.0.0.1:$SIM_PORT/; proxy_buffering off; }
location /private/ { auth_basic here; auth_basic_user_file ../users; proxy_pass http://127.0.0.1:$SIM_PORT/; proxy_buffering off; }
location /moved/ { rewrite ^/moved/(.*) /models/tiny/\$1 permanent; }
location /away/ { return 307 http://127.0.0.1:$PLAIN_PORT/models/tiny/v1/models; }
location /login/ { return 302 https://sso.example.org/login; }
LOCATIONS
    cat <<CONFIGURATION
daemon off;
user root;
pid nginx.pid;
error_log stderr info;
events { worker_connections 64; }
http {
    log_format key '\$request "\$http_authorization"';
    access_log access.log key;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server { listen 127.0.0.1:$PLAIN_PORT; include locations; }
    $(server good "$TLS_PORT")
    $(server expired "$EXPIRED_PORT")
    $(server foreign "$FOREIGN_PORT")
}
CONFIGURATION
}

prepare() { # OPTION...
    run --separate-stderr timeout 60 "$ROIBENCH" prepare --workspace "$BATS_TEST_TMPDIR/ws" --run-id r --profile concurrent --rate 2 \
        --prompt-tokens 32 --output-tokens 8 --max-requests 6 "$@"
}

measure() { # OPTION...: run with the same secrets; every request was answered
    timeout 60 "$ROIBENCH" run --workspace "$BATS_TEST_TMPDIR/ws" "$@"
    [[ $(records "$BATS_TEST_TMPDIR/ws/r" 'map(.outcome) | unique') == '["ok"]' ]]
}

of_plan() { jq --raw-output "$1" "$BATS_TEST_TMPDIR/ws/r/plan.json"; }

@test "TLS with a CA of its own, and a path before /v1: prepare and run" {
    prepare --target "https://localhost:$TLS_PORT/models/tiny/v1" --cacert "$CA"
    assert_success
    measure
    assert_equal "$(of_plan .server.features.metrics)" true # beside /v1, below the path
    [[ -s $BATS_TEST_TMPDIR/ws/r/metrics.jsonl.gz ]]
}

@test "SSL_CERT_FILE does as --cacert does" {
    SSL_CERT_FILE=$CA prepare --target "https://localhost:$TLS_PORT/models/tiny/v1"
    assert_success
}

@test "an unknown CA: at once, and --cacert is named" {
    local begun=$SECONDS
    prepare --target "https://localhost:$TLS_PORT/models/tiny/v1" # --wait is 300 s
    assert_failure 3
    [[ $stderr == *certificate*"if its CA is a private one, give it by --cacert"* ]]
    assert [ $((SECONDS - begun)) -lt 30 ]
    prepare --target "https://localhost:$TLS_PORT/models/tiny/v1" --insecure
    assert_success
}

@test "an expired certificate, and one of another host: which it is" {
    prepare --target "https://localhost:$EXPIRED_PORT/models/tiny/v1" --cacert "$CA"
    assert_failure 3
    [[ $stderr == *"certificate has expired"*"must be renewed"* && $stderr != *--cacert* ]]
    prepare --target "https://localhost:$FOREIGN_PORT/models/tiny/v1" --cacert "$CA"
    assert_failure 3
    [[ $stderr == *"localhost"*"another host's"* && $stderr != *--cacert* ]]
}

@test "basic authentication by a header" {
    prepare --target "https://localhost:$TLS_PORT/private/v1" --cacert "$CA"
    assert_failure 3
    [[ $stderr == *"HTTP 401"* ]]
    local header
    header="Authorization: Basic $(printf ann:secret | base64)"
    prepare --target "https://localhost:$TLS_PORT/private/v1" --cacert "$CA" --header "$header"
    assert_success
    measure --header "$header"
    run ! grep -rqF "$(printf ann:secret | base64)" "$BATS_TEST_TMPDIR/ws"
}

@test "a redirect within the host, to another one, and to a page to log in" {
    local tls=https://localhost:$TLS_PORT
    prepare --target "$tls/moved/v1" --cacert "$CA"
    assert_failure 3
    [[ $stderr == *"redirected to $tls/models/tiny/v1/models. If that is what shall be measured, give --target $tls/models/tiny/v1, or --allow-redirect"* ]]
    ROIBENCH_API_KEY=sk-here prepare --target "$tls/moved/v1" --cacert "$CA" --allow-redirect
    assert_success
    assert_equal "$(of_plan '.target[0]')" "$tls/models/tiny/v1"
    assert_equal "$(of_plan .reasons.target)" "--allow-redirect: $tls/moved/v1 is redirected there"
    measure
    rm -r "$BATS_TEST_TMPDIR/ws"
    ROIBENCH_API_KEY=sk-secret prepare --target "$tls/away/v1" --cacert "$CA" --allow-redirect
    assert_failure 3
    [[ $stderr == *"not sent to another host"* ]]
    prepare --target "$tls/away/v1" --cacert "$CA" --allow-redirect
    assert_success
    assert_equal "$(of_plan '.target[0]')" "http://127.0.0.1:$PLAIN_PORT/models/tiny/v1"
    prepare --target "$tls/login/v1" --cacert "$CA" --allow-redirect
    assert_failure 3
    [[ $stderr == *"redirected to https://sso.example.org/login, which is no list of models"* ]]
    # The key went to the host that it was given for, and only there.
    run ! grep -F 'GET /models/tiny/v1/models HTTP/1.1 "Bearer sk-secret"' "$BATS_FILE_TMPDIR/nginx/access.log"
    grep -qF 'GET /away/v1/models HTTP/1.1 "Bearer sk-secret"' "$BATS_FILE_TMPDIR/nginx/access.log"
}

@test "doctor says where a target is redirected, and what is wrong with a certificate" {
    run --separate-stderr "$ROIBENCH" doctor --workspace "$BATS_TEST_TMPDIR" --target "https://localhost:$TLS_PORT/moved/v1" --cacert "$CA"
    assert_line --partial "redirected to https://localhost:$TLS_PORT/models/tiny/v1/models"
    run --separate-stderr "$ROIBENCH" doctor --workspace "$BATS_TEST_TMPDIR" --target "https://localhost:$EXPIRED_PORT/moved/v1" --cacert "$CA"
    assert_line --partial "certificate has expired"
    refute_output --partial --cacert
}

@test "a server that starts behind its gateway is waited for, with progress" {
    local port
    port=$(free_port)
    (
        sleep 2
        exec "$ROIBENCH" simulate --listen "127.0.0.1:$port" --model tiny --preset instant --ready-after 1
    ) >"$BATS_TEST_TMPDIR/late.log" 2>&1 3>&- &
    local late=$!
    prepare --target "http://127.0.0.1:$port/v1" --wait 30
    kill "$late"
    assert_success
    [[ $stderr == *"waiting for the model, 0 s of 30.0 s: "*"refused"* ]]
}

@test "IPv6" {
    [[ -e /proc/sys/net/ipv6/conf/lo ]] || skip "this machine has no IPv6"
    local port
    port=$(free_port)
    start_process six "$ROIBENCH" simulate --listen "[::1]:$port" --model tiny --preset instant
    wait_for six 20 answers "http://[::1]:$port/health"
    prepare --target "http://[::1]:$port/v1"
    stop_process_after_measuring six
}

stop_process_after_measuring() { # NAME
    local status=0
    assert_success
    measure || status=1
    stop_process "$1"
    return "$status"
}
