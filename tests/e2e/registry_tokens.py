#!/usr/bin/env python3
"""Gives tokens for docker-registry as its token specification has it, to one user only.

usage: registry_tokens.py PORT FOLDER   FOLDER holds key.pem and certificate.pem; USER and PASSWORD come from the environment

GET /token with Basic, POST /token with grant_type=refresh_token and refresh_token=<PASSWORD>. While FOLDER/expired is there, tokens have expired already.
Each request is a line in FOLDER/tokens.log: method, service, scope.
"""
import base64
import http.server
import json
import os
import subprocess
import sys
import time
import urllib.parse

PORT, FOLDER = int(sys.argv[1]), sys.argv[2]


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def certificate():
    with open(f"{FOLDER}/certificate.pem", encoding="ascii") as pem:
        return "".join(line.strip() for line in pem if not line.startswith("-----"))


def token(service, scope):
    kind, name, actions = scope.split(":")
    now = int(time.time()) - (7200 if os.path.exists(f"{FOLDER}/expired") else 0)
    claims = {"iss": "tests", "sub": "u", "aud": service, "iat": now, "nbf": now - 60, "exp": now + 300, "jti": str(time.time()),
              "access": [{"type": kind, "name": name, "actions": actions.split(",")}]}
    head = {"typ": "JWT", "alg": "RS256", "x5c": [certificate()]}
    text = encode(json.dumps(head).encode()) + b"." + encode(json.dumps(claims).encode())
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", f"{FOLDER}/key.pem"], input=text, stdout=subprocess.PIPE, check=True)
    return (text + b"." + encode(signed.stdout)).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def give(self, query, allowed):
        with open(f"{FOLDER}/tokens.log", "a", encoding="utf-8") as log:
            print(self.command, query["service"][0], query["scope"][0], file=log)
        if not allowed:
            self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect user name or password"}]})
        else:
            self.answer(200, {"access_token" if self.command == "POST" else "token": token(query["service"][0], query["scope"][0])})

    def do_GET(self):
        wanted = base64.b64encode(f"{os.environ['USER']}:{os.environ['PASSWORD']}".encode()).decode()
        self.give(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query), self.headers.get("Authorization") == f"Basic {wanted}")

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.give(form, form.get("refresh_token") == [os.environ["PASSWORD"]] and form.get("grant_type") == ["refresh_token"])

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
