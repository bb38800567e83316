#!/usr/bin/env python3
"""A stand-in for NVIDIA's dcgm-exporter: two GPUs whose power is a known function of the time.

    dcgm_exporter.py PORT                     serves /metrics on 127.0.0.1
    dcgm_exporter.py energy FROM TO           joules of both GPUs between two times (seconds since 1970)
"""
import http.server
import sys
import time

IDLE, BUSY, PERIOD = 40.0, 70.0, 10.0  # W; busy in the second half of every period of seconds


def power(t):
    return BUSY if t % PERIOD >= PERIOD / 2 else IDLE


def energy(t):
    """Joules of one GPU since 1970 (as many as its counter has)."""
    whole, rest = divmod(t, PERIOD)
    return whole * PERIOD * (IDLE + BUSY) / 2 + IDLE * min(rest, PERIOD / 2) + BUSY * max(0.0, rest - PERIOD / 2)


def page():
    t = time.time()
    lines = []
    for name, kind, value in (("DCGM_FI_DEV_GPU_UTIL", "gauge", 100 if power(t) == BUSY else 0), ("DCGM_FI_DEV_POWER_USAGE", "gauge", power(t)),
                              ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "counter", round(1000 * (energy(t) - energy(1.7e9)))),
                              ("DCGM_FI_DEV_FB_USED", "gauge", 19000), ("DCGM_FI_DEV_FB_FREE", "gauge", 3500)):
        lines.append(f"# HELP {name} {name}\n# TYPE {name} {kind}\n")
        for gpu in range(2):
            lines.append(f'{name}{{gpu="{gpu}",UUID="GPU-{gpu}",device="nvidia{gpu}",modelName="NVIDIA L4",Hostname="test"}} {value}\n')
    return "".join(lines).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = page()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    if sys.argv[1] == "energy":
        print(2 * (energy(float(sys.argv[3])) - energy(float(sys.argv[2]))))
    else:
        http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


main()
