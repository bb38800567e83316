#!/usr/bin/env python3
"""Makes a captured report small: trim.py REPORT >TRIMMED. What an importer may read stays as it was; texts, what repeats the configuration, and
kinds of distributions that no importer reads go. A file of lines (.jsonl) stays one."""
import json
import re
import sys

GONE = set("""
request_args output prompt reasoning_output tool_calls generated_texts pdf cumulative_distribution_function text image video audio tool_call warnings
scheduler_state environment request_streaming_iterations_count output_tokens_per_iteration iter_tokens_per_iteration prompt_tokens_per_second
total_token_count time_to_first_output_token_ms avg_round_trip_time_ms time_to_last_round_trip_ms turns api_routes percentile_cis mean_ci extras
request_loader scheduler_constraints generation_delay input_metrics output_metrics response_metrics settings traceback request_id response_id
conversation_id node_id agent_id parent_node_ids request_dispatch_delay request_scheduled_latency turn_predecessor_delay turn_scheduling_delay
root_dispatch_delay last_request_sent request_sent_sum request_sent_count token_received_sum token_received_count requeue_delay finalized
resolve_end resolve_start dequeued queued worker_start worker_end dequeued_time queued_time scheduled_time process_id requested completed_at
run_stats telemetry_data artifacts gpu_telemetry server_metrics network_latency otel mlflow wandb runtime x_request_id x_correlation_id worker_id
record_processor_id root_correlation_id time_to_second_token decode_duration credit_to_start_latency effective_latency tokens_in_flight
""".split())
GONE_TOO = re.compile("http_req_|effective_|active_|.*_diff_pct|.*_per_user|e2e_output|usage_total|total_usage_total|osl_mismatch|usage_discrepancy")
STATUSES = {"successful", "errored", "incomplete", "total"}


def trim(value):
    if isinstance(value, dict):
        if STATUSES <= set(value) and isinstance(value.get("errored"), dict):
            value = {k: v for k, v in value.items() if k in ("successful", "total")}
        return {k: trim(v) for k, v in value.items() if k not in GONE and not GONE_TOO.match(k)}
    return [trim(v) for v in value] if isinstance(value, list) else value


with open(sys.argv[1], encoding="utf-8") as report:
    documents = [json.loads(line) for line in report] if sys.argv[1].endswith(".jsonl") else [json.load(report)]
for document in documents:
    print(json.dumps(trim(document), separators=(",", ":")))
