#!/usr/bin/env python3
"""A proxy before a server of HTTP that is out of order when FOLDER says so.

usage: faulty_proxy.py PORT UPSTREAM_PORT FOLDER

FOLDER/unavailable holds a number: so many connections get 503 with Retry-After: 1. FOLDER/cut holds a number: so many connections are cut off when
the client has sent 20,000 bytes. Both are counted down.
"""
import os
import socket
import sys
import threading

PORT, UPSTREAM, FOLDER = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
CUT_AT = 20000
lock = threading.Lock()


def take(name):
    with lock:
        path = f"{FOLDER}/{name}"
        left = int(open(path, encoding="ascii").read()) if os.path.exists(path) else 0
        if left > 0:
            with open(path, "w", encoding="ascii") as file:
                file.write(str(left - 1))
        return left > 0


def has(name):
    path = f"{FOLDER}/{name}"
    return os.path.exists(path) and int(open(path, encoding="ascii").read() or 0) > 0


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    if take("unavailable"):
        client.recv(65536)
        client.sendall(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlater")
        client.close()
        return
    upstream = socket.create_connection(("127.0.0.1", UPSTREAM))
    threading.Thread(target=copy, args=(upstream, client), daemon=True).start()
    seen = 0
    try:
        while data := client.recv(16384):
            seen += len(data)
            if seen > CUT_AT and has("cut") and take("cut"):
                client.close()
                upstream.close()
                return
            upstream.sendall(data)
        upstream.shutdown(socket.SHUT_WR)
    except OSError:
        pass


listener = socket.create_server(("127.0.0.1", PORT))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
