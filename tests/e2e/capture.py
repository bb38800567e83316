"""When the simulator's tokens left, by the kernel's clock: compares --truth-file with a packet capture on lo. Needs root.

    capture.py take PORT OUT       captures what 127.0.0.1:PORT sends until SIGTERM; OUT: JSON, {id: [ns since 1970, ...]}
    capture.py compare OUT TRUTH   prints what the truth's times are later than the packets' (us): tokens p50 p99 max min

The kernel stamps an outgoing packet when it hands it to the device (SO_TIMESTAMPNS on a packet socket), which is within send().
"""
import bisect
import json
import re
import signal
import socket
import struct
import sys
from datetime import datetime, timezone

ETH_P_ALL, ETH_P_IP, OUTGOING = 3, 0x0800, 4
SO_TIMESTAMPNS, SO_RCVBUFFORCE, SOL_PACKET, PACKET_STATISTICS = 35, 33, 263, 6
TOKEN = re.compile(rb'data: \{"id":"([^"]+)"[^\n]*"(?:delta":\{"content|text)":"[^\n]*\n\n')


def packets(port):
    """Yields (connection's other port, sequence number, payload, ns since 1970) of what the port sends, until SIGTERM."""
    capture = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    capture.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
    capture.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    capture.bind(("lo", ETH_P_ALL))
    capture.settimeout(0.2)
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    print("capturing", flush=True)
    while True:
        try:
            packet, control, _, address = capture.recvmsg(1 << 17, 256)
        except TimeoutError:
            if ended:
                break
            continue
        header = (packet[0] & 15) * 4
        if address[1] != ETH_P_IP or address[2] != OUTGOING or packet[9] != socket.IPPROTO_TCP:
            continue
        source, target, sequence = struct.unpack_from("!HHI", packet, header)
        payload = packet[header + (packet[header + 12] >> 4) * 4:struct.unpack_from("!H", packet, 2)[0]]
        if source == port and payload:
            seconds, ns = struct.unpack("qq", control[0][2])
            yield target, sequence, payload, seconds * 10**9 + ns
    _, dropped = struct.unpack("II", capture.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    if dropped:
        sys.exit(f"{dropped} packets were lost: the capture is not whole")


def take(port, out):
    connections = {}
    expected = {}
    for target, sequence, payload, time in packets(port):
        again = (expected.setdefault(target, sequence) - sequence) & 0xFFFFFFFF  # bytes that were sent before
        if again >= 1 << 31:
            sys.exit("a segment is missing")
        if again < len(payload):
            connections.setdefault(target, []).append((payload[again:], time))
            expected[target] = (sequence + len(payload)) & 0xFFFFFFFF
    tokens = {}
    for sent in connections.values():
        ends, length = [], 0
        for payload, _ in sent:
            length += len(payload)
            ends.append(length)
        for event in TOKEN.finditer(b"".join(payload for payload, _ in sent)):
            packet = bisect.bisect_left(ends, event.end())
            tokens.setdefault(event.group(1).decode(), []).append(sent[packet][1])
    with open(out, "w", encoding="utf-8") as file:
        json.dump(tokens, file)


def ns_of(date):
    seconds, fraction = date.rstrip("Z").split(".")
    whole = datetime.fromisoformat(seconds).replace(tzinfo=timezone.utc)
    return int(whole.timestamp()) * 10**9 + int(fraction.ljust(9, "0"))


def compare(out, truth):
    with open(out, encoding="utf-8") as file:
        captured = json.load(file)
    with open(truth, encoding="utf-8") as file:
        head, *requests = map(json.loads, file)
    later = []
    for request in requests:
        start = ns_of(head["started"]) + request["arrived_ns"]
        times = captured.pop(request["id"], [])
        if not request["stream"]:
            continue
        if len(times) != len(request["sent_ns"]):
            sys.exit(f'{request["id"]}: {len(times)} tokens captured, {len(request["sent_ns"])} in the truth')
        later += [start + sent - time for sent, time in zip(request["sent_ns"], times)]
    if captured or not later:
        sys.exit(f"{len(captured)} requests are not in the truth; {len(later)} tokens compared")
    later.sort()
    at = [later[len(later) // 2], later[len(later) * 99 // 100], later[-1], later[0]]
    print(len(later), *(f"{ns / 1000:.1f}" for ns in at))


if sys.argv[1] == "take":
    take(int(sys.argv[2]), sys.argv[3])
else:
    compare(sys.argv[2], sys.argv[3])
