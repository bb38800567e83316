#!/usr/bin/env python3
"""usage: llamacpp_server.py MODEL.gguf PORT [NAME]

llama.cpp's own HTTP server on 127.0.0.1:PORT until SIGTERM or SIGINT, with /metrics.
The prompt cache is off, so that its counter of prompt tokens, which leaves cached ones out, counts every one.
"""

from __future__ import annotations

import os
import signal
import sys

import xllamacpp

SLOTS, CONTEXT_PER_SLOT = 4, int(os.environ.get("E2E_CONTEXT", "2048"))


def make_parameters(model: str, port: int, name: str) -> xllamacpp.CommonParams:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {name}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT_PER_SLOT
    parameters.n_gpu_layers = 0
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.endpoint_metrics = True
    parameters.cache_prompt = False
    parameters.cache_ram_mib = 0
    parameters.warmup = False
    return parameters


def main() -> None:
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    name = sys.argv[3] if len(sys.argv) == 4 else "tiny"
    server = xllamacpp.Server(make_parameters(sys.argv[1], int(sys.argv[2]), name))
    print("listening on", server.listening_address, flush=True)
    signal.sigwait(stops)


if __name__ == "__main__":
    main()
