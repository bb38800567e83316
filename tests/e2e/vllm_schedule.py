#!/usr/bin/env python3
"""usage: vllm_schedule.py MODEL SEED LOADS

Gives random loads to vLLM's own scheduler, which needs no GPU and computes nothing, and writes the loads and what every
step consisted of to stdout, for tests/unit/serve/vllm_schedule_test to compare with the simulator's scheduler.
MODEL is a folder with a model's configuration; any will do.

A load is a line of settings, a line for each request, and a line for each step that is not empty:

    load max_num_seqs max_num_batched_tokens long_prefill_token_threshold blocks block_size prefix_caching requests
    request ARRIVAL OUTPUT LEAVES IDS   steps at which it comes and, unless -1, leaves; IDS: first+count,... consecutive ones
    step NUMBER BLOCKS_IN_USE REQUEST:COMPUTED_BEFORE+TOKENS ...
    end OUTPUT/PREEMPTIONS ...          of each request
    cache QUERIES HITS BLOCKS_IN_USE

The k-th generated token of any request is 1000 + k.
"""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", VLLM_LOGGING_LEVEL="ERROR", VLLM_NO_USAGE_STATS="1")

import torch
from vllm.config import CacheConfig, ModelConfig, SchedulerConfig, VllmConfig
from vllm.sampling_params import SamplingParams
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request, RequestStatus
from vllm.v1.structured_output import StructuredOutputManager

LONGEST_PROMPT, LONGEST_OUTPUT, SHARED, FIRST_OUTPUT_ID = 96, 40, 21, 1000
CONTEXT = 2048


@dataclass
class Asked:
    arrival: int
    output: int
    leaves: int
    runs: list[tuple[int, int]]

    def ids(self) -> list[int]:
        return [first + k for first, count in self.runs for k in range(count)]

    def line(self) -> str:
        runs = ",".join(f"{first}+{count}" for first, count in self.runs)
        return f"request {self.arrival} {self.output} {self.leaves} {runs}"


@dataclass
class Load:
    seqs: int
    batched: int
    threshold: int
    blocks: int
    size: int
    caching: bool
    requests: list[Asked]

    def line(self) -> str:
        numbers = (self.seqs, self.batched, self.threshold, self.blocks, self.size, int(self.caching), len(self.requests))
        return "load " + " ".join(map(str, numbers))


def draw_prompt(draw: random.Random) -> list[tuple[int, int]]:
    """The beginning of one of three sequences that begin alike; one in five goes on as if it had been answered."""
    length = draw.randint(1, LONGEST_PROMPT)
    kept = draw.randint(1, length) if draw.random() < 0.2 else length
    own = 100 * draw.randint(1, 3) + SHARED
    runs = [(0, min(kept, SHARED)), (own, kept - SHARED), (FIRST_OUTPUT_ID, length - kept)]
    return [(first, count) for first, count in runs if count > 0]


def draw_load(draw: random.Random) -> Load:
    """The cache holds one to three of the longest requests: there are preemptions."""
    size = draw.choice([1, 2, 3, 4, 8, 16])
    least = -(-(LONGEST_PROMPT + LONGEST_OUTPUT) // size)
    seqs = draw.randint(1, 12)
    batched = draw.choice([draw.randint(seqs, 40), draw.randint(40, 200)])
    requests, arrival = [], 0
    for _ in range(draw.randint(5, 30)):
        arrival += draw.choice([0, 0, 0, 1, 2, 9])
        leaves = arrival + draw.randint(0, LONGEST_OUTPUT) if draw.random() < 0.06 else -1
        requests.append(Asked(arrival, draw.randint(1, LONGEST_OUTPUT), leaves, draw_prompt(draw)))
    threshold = draw.choice([0, 0, 7, 33])
    return Load(seqs, batched, threshold, least + draw.randint(0, 2 * least), size, draw.random() < 0.8, requests)


def make_scheduler(load: Load, model: str) -> Scheduler:
    """vLLM keeps one block of the pool to itself."""
    config = VllmConfig(
        scheduler_config=SchedulerConfig(
            max_num_seqs=load.seqs,
            max_num_batched_tokens=load.batched,
            max_model_len=CONTEXT,
            long_prefill_token_threshold=load.threshold,
            is_encoder_decoder=False,
            async_scheduling=False,
        ),
        model_config=ModelConfig(model=model, dtype="float32", max_model_len=CONTEXT),
        cache_config=CacheConfig(block_size=load.size, enable_prefix_caching=load.caching),
    )
    config.cache_config.num_gpu_blocks = load.blocks + 1
    attention = FullAttentionSpec(block_size=load.size, num_kv_heads=1, head_size=1, dtype=torch.float32)
    cache = KVCacheConfig(
        num_blocks=load.blocks + 1, kv_cache_tensors=[], kv_cache_groups=[KVCacheGroupSpec(["layer"], attention)]
    )
    manager = StructuredOutputManager(config)
    return Scheduler(config, cache, structured_output_manager=manager, block_size=load.size, log_stats=True)


def run(load: Load, model: str) -> None:
    scheduler = make_scheduler(load, model)
    hasher = get_request_block_hasher(load.size, sha256)
    requests = [
        Request(str(k), asked.ids(), SamplingParams(max_tokens=asked.output, ignore_eos=True), None, block_hasher=hasher)
        for k, asked in enumerate(load.requests)
    ]
    queries = hits = number = arrived = 0

    def blocks_in_use() -> int:
        return round(scheduler.kv_cache_manager.usage * load.blocks)

    while True:
        while arrived < len(requests) and load.requests[arrived].arrival <= number:
            scheduler.add_request(requests[arrived])
            arrived += 1
        planned = scheduler.schedule()
        tokens = planned.num_scheduled_tokens
        if not tokens and arrived == len(requests):
            break
        if tokens:
            parts = [f"{i}:{requests[int(i)].num_computed_tokens - tokens[i]}+{tokens[i]}" for i in sorted(tokens, key=int)]
            print("step", number, blocks_in_use(), *parts)
            order = list(tokens)
            whole = [requests[int(i)].num_computed_tokens == requests[int(i)].num_tokens for i in order]
            sampled = [[FIRST_OUTPUT_ID + requests[int(i)].num_output_tokens] if w else [] for i, w in zip(order, whole)]
            computed = ModelRunnerOutput(order, {i: k for k, i in enumerate(order)}, sampled_token_ids=sampled)
            for output in scheduler.update_from_output(planned, computed).values():
                if output.scheduler_stats:
                    queries += output.scheduler_stats.prefix_cache_stats.queries
                    hits += output.scheduler_stats.prefix_cache_stats.hits
        for k, asked in enumerate(load.requests[:arrived]):
            if asked.leaves == number and not requests[k].is_finished():
                scheduler.finish_requests(str(k), RequestStatus.FINISHED_ABORTED)
        number += 1
    print("end", *(f"{request.num_output_tokens}/{request.num_preemptions}" for request in requests))
    print("cache", queries, hits, blocks_in_use())


def main(model: str, seed: str, loads: str) -> None:
    draw = random.Random(int(seed))
    init_none_hash(sha256)
    for _ in range(int(loads)):
        load = draw_load(draw)
        print(load.line())
        for asked in load.requests:
            print(asked.line())
        run(load, model)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
