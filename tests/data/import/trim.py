#!/usr/bin/env python3
"""Makes a captured report small: trim.py REPORT >TRIMMED. What an importer may read stays as it was; texts, what repeats the configuration, and
kinds of distributions that no importer reads go."""
import json
import sys

GONE = {"request_args", "output", "prompt", "reasoning_output", "tool_calls", "generated_texts", "pdf", "cumulative_distribution_function", "text", "image",
        "video", "audio", "tool_call", "warnings", "scheduler_state", "environment", "requests_config", "request_streaming_iterations_count",
        "output_tokens_per_iteration", "iter_tokens_per_iteration", "prompt_tokens_per_second", "total_token_count", "time_to_first_output_token_ms",
        "avg_round_trip_time_ms", "time_to_last_round_trip_ms", "turns", "api_routes", "percentile_cis", "mean_ci", "extras", "request_loader",
        "scheduler_constraints", "generation_delay", "input_metrics", "output_metrics", "response_metrics", "settings", "traceback", "request_id",
        "response_id", "conversation_id", "node_id", "agent_id", "parent_node_ids", "request_dispatch_delay", "request_scheduled_latency",
        "turn_predecessor_delay", "turn_scheduling_delay", "root_dispatch_delay", "last_request_sent", "request_sent_sum", "request_sent_count",
        "token_received_sum", "token_received_count", "requeue_delay", "finalized", "resolve_end", "resolve_start", "dequeued", "queued"}
STATUSES = {"successful", "errored", "incomplete", "total"}


def trim(value, inside=None):
    if isinstance(value, dict):
        if STATUSES <= set(value) and isinstance(value.get("errored"), dict):
            value = {k: v for k, v in value.items() if k in ("successful", "total")}
        return {k: trim(v, k) for k, v in value.items() if k not in GONE}
    if isinstance(value, list):
        return [trim(v, inside) for v in value]
    return value


json.dump(trim(json.load(open(sys.argv[1], encoding="utf-8"))), sys.stdout, separators=(",", ":"))
print()
