#!/usr/bin/env python3
"""Looks at what `summarize` writes by means of others: PyYAML, python3-jsonschema, and definitions computed once more.

    formats.py pack CASE WORKSPACE      the runs of a golden case (tests/golden) as folders of a workspace; prints their ids
    formats.py check CASE OUTPUT        OUTPUT has every format of them; prints what was looked at, or ends 1 with what is wrong
    formats.py imported OUTPUT          the same of a run that was imported, and no null without a reason
    formats.py schemas CASE...          docs/schema is strict; prints the members that no document of the cases has (or CASE is a document)
"""
import csv
import fnmatch
import glob
import gzip
import json
import math
import os
import pathlib
import shutil
import sys
import warnings
import xml.etree.ElementTree

import jsonschema
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SCHEMAS = os.path.join(ROOT, "docs", "schema")
ENDINGS = {"ok": "successful", "error": "errored", "incomplete": "incomplete"}
PERCENTILES = {"p001": 1, "p01": 10, "p05": 50, "p10": 100, "p25": 250, "p50": 500, "p75": 750, "p90": 900, "p95": 950, "p99": 990,
               "p999": 999}
looked_at = {"yaml": 0, "schema": 0, "csv": 0, "junit": 0, "guidellm": 0}


def fail(text):
    sys.exit(f"formats: {text}")


# --- packing a run as `run` writes it ------------------------------------------------------------------------------------

def varint(number):
    out = bytearray()
    while True:
        out.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if number == 0:
            return bytes(out)


def frames(path):
    """"<id>\\t<gap>…" a line: every arrival is one token."""
    for line in open(path, encoding="utf-8"):
        name, *gaps = line.rstrip("\n").split("\t")
        yield varint(len(name)) + name.encode() + varint(len(gaps)) + b"".join(varint(int(gap)) + varint(1) for gap in gaps)


def runs_of(case):
    return sorted(name for name in os.listdir(case) if os.path.isdir(os.path.join(case, name)))


def pack(case, workspace):
    for run in runs_of(case):
        source, target = os.path.join(case, run), os.path.join(workspace, run)
        os.makedirs(target)
        for name in os.listdir(source):
            path = os.path.join(source, name)
            if name.startswith("tokens"):
                with gzip.open(os.path.join(target, name.replace(".tsv", ".bin.gz")), "wb") as file:
                    file.write(b"".join(frames(path)))
            elif name.startswith(("records", "metrics")):
                with gzip.open(os.path.join(target, name + ".gz"), "wb") as file:
                    file.write(open(path, "rb").read())
            else:
                shutil.copy(path, target)
        print(run)


# --- schemas -----------------------------------------------------------------------------------------------------------

def schema_of(name):
    with open(os.path.join(SCHEMAS, name), encoding="utf-8") as file:
        return json.load(file)


def validator_of(name, part=None):
    """Of a file of docs/schema, or of a part of it. Schemas name each other by their files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer versions have another way, which Debian's lacks
        resolver = jsonschema.RefResolver(pathlib.Path(SCHEMAS, name).as_uri(), schema_of(name))
        return jsonschema.Draft202012Validator(part if part is not None else schema_of(name), resolver=resolver)


def check_schema(document, where):
    name = f"{document['schema'].split('/')[1]}.schema.json"
    jsonschema.Draft202012Validator.check_schema(schema_of(name))
    for error in validator_of(name).iter_errors(document):
        fail(f"{where}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}")
    looked_at["schema"] += 1


def walk_schema(part, path=""):
    """Every part that describes something, with where it stands; a definition's path begins with its name."""
    yield path, part
    for name, inner in part.get("$defs", {}).items():
        yield from walk_schema(inner, f"#{name}")
    for name, inner in part.get("properties", {}).items():
        yield from walk_schema(inner, f"{path}/{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(part.get(key), dict):
            yield from walk_schema(part[key], f"{path}/{key}")
    for index, inner in enumerate(part.get("anyOf", [])):
        yield from walk_schema(inner, f"{path}/anyOf{index}")


def note_members(name, part, value, seen, path=""):
    """Adds to `seen` which members the value has, as (file, path) of the schema's."""
    reference = part.get("$ref", "")
    if reference:
        other, _, inner = reference.partition("#/$defs/")
        name = other or name
        part = schema_of(name)["$defs"][inner] if inner else schema_of(name)
        return note_members(name, part, value, seen, f"#{inner}" if inner else "")
    for index, choice in enumerate(part.get("anyOf", [])):
        if validator_of(name, choice).is_valid(value):
            note_members(name, choice, value, seen, f"{path}/anyOf{index}")
    properties, extra = part.get("properties", {}), part.get("additionalProperties")
    for key, member in value.items() if isinstance(value, dict) else ():
        if key in properties:
            seen.add((name, f"{path}/{key}"))
            note_members(name, properties[key], member, seen, f"{path}/{key}")
        elif isinstance(extra, dict):
            note_members(name, extra, member, seen, f"{path}/additionalProperties")
    for item in value if isinstance(value, list) and "items" in part else ():
        note_members(name, part["items"], item, seen, f"{path}/items")
    return None


# Optional members of summary.json and comparison.json that no golden case has.
NOT_IN_CASES = {"/deployment_differences", "/roi_missing", "/points_missing", "/points_other_unit", "#level/window/cooldown/series",
                "#timeline/preemptions", "#timeline/prefix_cache_hit_share"}


def check_schemas(cases):
    seen, members = set(), set()
    for path in sorted(glob.glob(os.path.join(SCHEMAS, "*.schema.json"))):
        name = os.path.basename(path)
        for where, part in walk_schema(schema_of(name)):
            if "properties" in part and "additionalProperties" not in part:
                fail(f"{name}: {where or '/'} allows members that it does not name")
            members |= {(name, f"{where}/{key}") for key in part.get("properties", {})}
    for case in cases:
        for path in [case] if os.path.isfile(case) else glob.glob(f"{case}/expect.json") + glob.glob(f"{case}/*/plan.json"):
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
            check_schema(document, path)
            name = f"{document['schema'].split('/')[1]}.schema.json"
            note_members(name, {"$ref": name}, document, seen)
    for name, path in sorted(members - seen):
        if name.startswith(("summary", "comparison")) and path not in NOT_IN_CASES:
            print(f"{name}: no case has {path}")


# --- CSV -----------------------------------------------------------------------------------------------------------------

# Members of a level that have no place in a row; and objects that may be missing as a whole.
SERIES = {"slices", "blocks.output_tps", "blocks.request_rps", "blocks.concurrency", "server.reconciled", "conversations"}
WHOLE = {"server.sums", "errors", "window.warmup", "window.cooldown", "blocks", "gpu"}


def column_of(path):
    """The column that has a member of a level in summary.json."""
    parts = path.split(".")
    name = parts[0]
    if name.endswith("_ms") and len(parts) > 1:
        stem = name[:-len("_ms")]
        if parts[1] == "interval_95":
            return f"{stem}_{'.'.join(parts[2:-1])}_{parts[-1]}_ms"
        return f"{stem}_count" if parts[1] == "count" else f"{stem}_{'.'.join(parts[1:])}_ms"
    if name == "window":
        if parts[1] in ("warmup", "cooldown"):
            return f"{parts[1]}_{'s' if parts[2] == 'seconds' else parts[2]}"
        return {"start_s": "window_start_s", "end_s": "window_end_s"}.get(parts[1], parts[1])
    if name == "requests":
        return "requests" if parts[1] == "members" else parts[1]
    if name == "errors":
        return f"error_{parts[1]}"
    if name == "interval_95":
        return f"{parts[1]}_{parts[2]}"
    if name == "blocks":
        return {"count": "blocks", "seconds": "block_seconds"}[parts[1]]
    if name == "gpu":
        return parts[1] if parts[1].endswith("_per_joule") else "gpus_seen" if parts[1] == "gpus" else f"gpu_{parts[1]}"
    if name == "server":
        if parts[1] == "sums":
            own = parts[2].startswith("client_") or parts[2] in ("preemptions", "prefix_cache_hit_share")
            return parts[2] if own else f"server_{parts[2]}"
        return parts[1] if len(parts) == 2 or parts[2] == "mean" else f"{parts[1]}_{parts[2]}"
    if name == "classes":
        return {"level": "class", "decided_by": "decided_by"}.get(parts[1], f"class_{parts[1]}")
    if name == "validity":
        return "validity" if parts[1] == "verdict" else "validity_reasons"
    return {"ttft_p95_at_least_ms": "ttft_censored_p95_at_least_ms", "reason": "end_reason"}.get(name, name)


def leaves(value, path=""):
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, f"{path}.{key}" if path else key)
    else:
        yield path, value


def text_of(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(value)
    return value


def check_csv(runs, path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    levels = [(run, level) for run in runs for level in run["levels"]]
    if len(rows) != len(levels):
        fail(f"{path}: {len(rows)} rows for {len(levels)} levels")
    for row, (run, level) in zip(rows, levels):
        if row["run_id"] != run["run"]["run_id"]:
            fail(f"{path}: a row of {row['run_id']} where {run['run']['run_id']} was expected")
        for member, value in leaves({key: level[key] for key in level if key not in ("missing", "derived")}):
            if member in SERIES or (value is None and member in WHOLE):
                continue
            column = column_of(member)
            if column not in row:
                if value is None and ("." not in member or member.startswith("server.")):
                    continue  # a whole object that is missing
                fail(f"{path}: no column {column} for {member}")
            got, wanted = row[column], text_of(value)
            if isinstance(wanted, str):
                same = got == wanted or (wanted == "" and got == "unknown")
            else:
                same = got != "" and math.isclose(float(got), wanted, rel_tol=1e-8)
            if not same:
                fail(f"{path}: {column} is {got!r}, and {member} is {value!r}")
            looked_at["csv"] += 1


# --- JUnit ---------------------------------------------------------------------------------------------------------------

def check_junit(path):
    root = xml.etree.ElementTree.parse(path).getroot()
    if root.tag != "testsuites":
        fail(f"{path}: {root.tag}")
    for suite in [root, *root.findall("testsuite")]:
        cases = suite.findall(".//testcase")
        counts = {"tests": len(cases), "failures": sum(case.find("failure") is not None for case in cases), "errors": 0,
                  "skipped": sum(case.find("skipped") is not None for case in cases)}
        for name, count in counts.items():
            if int(suite.get(name)) != count:
                fail(f"{path}: {suite.get('name')}: {name} is {suite.get(name)}, and there are {count}")
        for case in cases:
            if not case.get("name") or not case.get("classname") or float(case.get("time")) < 0 or len(case) != 1:
                fail(f"{path}: {xml.etree.ElementTree.tostring(case)}")
            looked_at["junit"] += 1
    names = [(suite.get("name"), case.get("name")) for suite in root for case in suite]
    if len(names) != len(set(names)):
        fail(f"{path}: two test cases have the same name")


# --- GuideLLM ------------------------------------------------------------------------------------------------------------

def near(where, got, wanted):
    looked_at["guidellm"] += 1
    if not math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-9):
        fail(f"{where}: {got}, and {wanted} is right")


def check_distribution(where, got, values):
    """values: (value, weight); weights are whole numbers."""
    values = sorted((value, weight) for value, weight in values if weight > 0)
    total = sum(weight for _, weight in values)
    near(f"{where}.count", got["count"], total)
    if total == 0:
        if any(got[key] != 0 for key in ("mean", "median", "min", "max", "std_dev", "total_sum")):
            fail(f"{where}: not zero, and nothing was observed")
        return
    mean = math.fsum(value * weight for value, weight in values) / total
    variance = math.fsum((value - mean) ** 2 * weight for value, weight in values) / total
    weights = {}
    for value, weight in values:
        weights[value] = weights.get(value, 0) + weight
    near(f"{where}.mean", got["mean"], mean)
    near(f"{where}.std_dev", got["std_dev"], math.sqrt(variance))
    near(f"{where}.min", got["min"], values[0][0])
    near(f"{where}.max", got["max"], values[-1][0])
    near(f"{where}.mode", got["mode"], min(weights, key=lambda value: (-weights[value], value)))
    near(f"{where}.total_sum", got["total_sum"], mean * total)
    for name, per_mille in PERCENTILES.items():
        below = 0
        for value, weight in values:
            below += weight
            if below * 1000 >= per_mille * total:
                near(f"{where}.{name}", got["percentiles"][name], value)
                break


def tokens_of(record):
    chunks = record.get("arrivals", 0) + record.get("coalesced", 0)
    return record.get("output_tokens", chunks or None)


def quantities(record, scale, open_loop):
    """name: [(value, weight)…] of one request, by GuideLLM's definitions."""
    s = scale / 1e9
    sent, first, last, end = (record.get(key) for key in ("sent", "first_token", "last_token", "end"))
    tokens, chunks = tokens_of(record), record.get("arrivals", 0) + record.get("coalesced", 0)
    out = {"request_streaming_iterations_count": [(record["chunks"], 1)]}
    if sent is not None and end is not None:
        out["request_latency"] = [((end - sent) * s, 1)]
    if open_loop and end is not None:
        out["request_scheduled_latency"] = [((end - record["intended"]) * s, 1)]
    if open_loop and sent is not None:
        out["request_dispatch_delay"] = [((sent - record["intended"]) * s, 1)]
    if "prompt_tokens" in record:
        out["prompt_token_count"] = [(record["prompt_tokens"], 1)]
    if tokens is not None:
        out["output_token_count"] = [(tokens, 1)]
    if tokens is not None or "prompt_tokens" in record:
        out["total_token_count"] = [((tokens or 0) + record.get("prompt_tokens", 0), 1)]
    if first is not None:
        out["time_to_first_token_ms"] = [((first - sent) * s * 1000, 1)]
    if last is not None and tokens:
        out["time_per_output_token_ms"] = [((last - sent) * s * 1000 / tokens, tokens)]
    if last is not None and tokens and tokens > 1:
        out["inter_token_latency_ms"] = [((last - first) * s * 1000 / (tokens - 1), tokens - 1)]
    if tokens:
        later = [((tokens - 1) / (chunks - 1), chunks - 1)] if chunks > 1 and tokens > 1 else []
        out["iter_tokens_per_iteration"] = later
        out["output_tokens_per_iteration"] = [(1 if chunks > 1 else tokens, 1)] + later
    return out


def overlap(records, start, end):
    return sum(max(0, min(r["end"], end) - max(r["sent"], start)) for r in records if "sent" in r and "end" in r) / (end - start)


def check_rates(where, metrics, records, start, end, scale):
    seconds = (end - start) * scale / 1e9
    for outcome, ending in [*ENDINGS.items(), (None, "total")]:
        some = [r for r in records if outcome in (None, r["outcome"]) and "sent" in r and "end" in r]
        inside = [r for r in some if start <= r["end"] <= end]
        near(f"{where}.requests_per_second.{ending}", metrics["requests_per_second"][ending]["mean"], len(inside) / seconds)
        near(f"{where}.request_concurrency.{ending}", metrics["request_concurrency"][ending]["mean"], overlap(some, start, end))
        prompts = sum(r.get("prompt_tokens", 0) for r in some if start <= r.get("first_token", r["end"]) <= end)
        near(f"{where}.prompt_tokens_per_second.{ending}", metrics["prompt_tokens_per_second"][ending]["mean"], prompts / seconds)
        output = 0
        for r in some:
            tokens, chunks = tokens_of(r) or 0, r.get("arrivals", 0) + r.get("coalesced", 0)
            first, last = r.get("first_token"), r.get("last_token")
            if first is None or chunks <= 1:
                output += tokens if start <= (last or r["end"]) <= end else 0
                continue
            times = [first + (last - first) * k // (chunks - 1) for k in range(chunks)]
            output += (start <= first <= end) + (tokens - 1) / (chunks - 1) * sum(start <= t <= end for t in times[1:])
        near(f"{where}.output_tokens_per_second.{ending}", metrics["output_tokens_per_second"][ending]["mean"], output / seconds)
        near(f"{where}.tokens_per_second.{ending}", metrics["tokens_per_second"][ending]["mean"], (output + prompts) / seconds)


def check_benchmark(where, got, level, bounds, records, scale):
    open_loop = level["unit"] == "req/s"
    start, end = bounds["window_start"], bounds["window_end"]
    if not math.isclose(end * scale / 1e9, level["window"]["end_s"], rel_tol=1e-6) or \
            not math.isclose(start * scale / 1e9, level["window"]["start_s"], rel_tol=1e-6, abs_tol=1e-6):
        return  # a window that summarize found: the referee has looked at that
    due = "intended" if open_loop else "sent"
    members = [r for r in records if start <= r.get(due, r["intended"]) < end]
    if len(members) != level["requests"]["members"]:
        fail(f"{where}: {len(members)} members")
    metrics, by_name = got["metrics"], {}
    for record in members:
        for name, values in quantities(record, scale, open_loop).items():
            by_name.setdefault(name, {}).setdefault(record["outcome"], []).extend(values)
    for name, by_outcome in by_name.items():
        for outcome, ending in ENDINGS.items():
            check_distribution(f"{where}.{name}.{ending}", metrics[name][ending], by_outcome.get(outcome, []))
        check_distribution(f"{where}.{name}.total", metrics[name]["total"], [pair for pairs in by_outcome.values() for pair in pairs])
    check_rates(where, metrics, records, start, end, scale)
    for outcome, ending in ENDINGS.items():
        kept = [item["request_id"] for item in got["requests"][ending]]
        ids = {r["id"] for r in members if r["outcome"] == outcome}
        if len(kept) != len(ids) or set(kept) != ids:
            fail(f"{where}: kept {kept} of {sorted(ids)}")


def check_guidellm(case, run, summary, path):
    folder = os.path.join(case, run)
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    version = 1 if "0.6" in os.path.basename(path) else 2
    if report["metadata"]["version"] != version or ("args" in report) != (version == 1) or len(report["benchmarks"]) != len(summary["levels"]):
        fail(f"{path}: not what was asked for")
    if not os.path.exists(os.path.join(folder, "records.jsonl")):
        return  # shards: each has times of its own
    lines = [json.loads(line) for line in open(os.path.join(folder, "records.jsonl"), encoding="utf-8")]
    scale = summary["run"]["time_scale"]
    ends = {(line["level_end"]["index"], line["level_end"]["repeat"]): line["level_end"] for line in lines if "level_end" in line}
    for got, level in zip(report["benchmarks"], summary["levels"]):
        key = level["index"], level["repeat"]
        records = [line for line in lines if "outcome" in line and (line["level"], line["repeat"]) == key]
        totals = got["metrics"]["request_totals"]
        if [totals[ending] for ending in ENDINGS.values()] != [level["requests"][outcome] for outcome in ENDINGS]:
            fail(f"{path}: level {key}: {totals}")
        if key in ends:
            check_benchmark(f"{path}: level {key}", got, level, ends[key], records, scale)


# --- all of it -----------------------------------------------------------------------------------------------------------

def check_documents(output, stem):
    with open(os.path.join(output, f"{stem}.json"), encoding="utf-8") as file:
        document = json.load(file)
    with open(os.path.join(output, f"{stem}.yaml"), encoding="utf-8") as file:
        again = yaml.safe_load(file)
    if json.dumps(again) != json.dumps(document):
        fail(f"{output}: {stem}.yaml does not say what {stem}.json says")
    looked_at["yaml"] += sum(1 for _ in leaves(document))
    check_schema(document, output)
    check_csv([document] if stem == "summary" else document["runs"], os.path.join(output, f"{stem}.csv"))
    check_junit(os.path.join(output, "junit.xml"))
    return document


def check(case, output):
    runs = runs_of(case)
    document = check_documents(output, "summary" if len(runs) == 1 else "comparison")
    for name in ("guidellm.json", "guidellm-0.6.json"):
        if len(runs) == 1:
            check_guidellm(case, runs[0], document, os.path.join(output, name))
        elif os.path.exists(os.path.join(output, name)):
            fail(f"{output}: {name} of several runs")
    print(os.path.basename(case), " ".join(f"{name}={count}" for name, count in looked_at.items()))


def check_nulls(value, missing, path, where):
    """No null without a reason: in the `missing` of an object around it, by the path from there."""
    if isinstance(value, dict) and "missing" in value:
        missing, path = value["missing"], ""
    for key, member in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        inner = f"{path}.{key}" if path else str(key)
        if member is None and key != "plan" and not any(fnmatch.fnmatchcase(inner, pattern) for pattern in missing) and f"{key}_missing" not in value:
            fail(f"{where}: {inner} is null, and nothing says why")
        check_nulls(member, missing, inner, where)


def check_imported(output):
    document = check_documents(output, "summary")
    check_nulls(document, {}, "", output)
    print(" ".join(f"{name}={count}" for name, count in looked_at.items()))


if __name__ == "__main__":
    {"pack": pack, "check": check, "imported": check_imported, "schemas": lambda *cases: check_schemas(cases)}[sys.argv[1]](*sys.argv[2:])
