#!/usr/bin/env python3
"""Writes seeds/: one file for each frame vector, and some conversations for the other targets.

The operations of `connection` are those of src/connection.rs, the layout of `driver` is that of
src/driver.rs.
"""

import json
import pathlib
import shutil

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors" / "frame-vectors.json"
LIVE = 0x80  # the first stream that is in use
LEASE, WEBSOCKET, NO_SETUP, CLIENT = 8, 16, 32, 1

# ---- operations of `connection` ---------------------------------------------------------------


def rr(id, len, follows=0):
    return bytes([0, id, follows, len])


def fnf(id, len, follows=0):
    return bytes([1, id, follows, len])


def stream(id, n, len=3, follows=0):
    return bytes([2, id, follows, n, len])


def channel(id, n, len=3, flags=0):
    return bytes([4, id, flags, n, len])


def payload(id, flags, len):
    return bytes([6, id, sum({"F": 1, "C": 2, "N": 4}[f] for f in flags), len])


def request_n(id, n):
    return bytes([9, id, n])


def cancel(id):
    return bytes([11, id])


def error(id, code):
    return bytes([12, id, code, 5])


def keepalive(respond=1, len=4):
    return bytes([13, 0, respond, len])


def lease(ttl, requests):
    return bytes([14, 0, ttl, requests])


def push(len):
    return bytes([15, 0, len])


def setup(flags=0):
    return bytes([16, 0, flags])


def resume(version=1):
    return bytes([17, 0, version])


def ext(ignorable, type):
    return bytes([18, 0, ignorable, type])


def raw(content):
    return bytes([19, 0, len(content)]) + content


ACCEPT, REJECT = bytes([20]), bytes([21, 1])
FLUSH, FLUSH_REST, LEND, STATS = bytes([34]), bytes([35]), bytes([36]), bytes([38])
WRITE_ALL = bytes([32, 255])
TURN = FLUSH + FLUSH_REST + WRITE_ALL
FINISH, DRAIN_REQUESTS, EOF = bytes([39, 40]), bytes([39, 50]), bytes([39, 0])


def respond(kind, len=5, which=0):
    return bytes([22, which, kind, len])


DONE, FAILED, PACED, CAUGHT_UP, PARTS = 0, 1, 2, 3, 0x80


def fill(count, len, end=CAUGHT_UP, share=255, which=0):
    return bytes([23, which, count, share, end, len])


def drain(count, n=0, grant=0, which=0, cancels=False):
    return bytes([25, which, count, n, 224 | grant if cancels else grant])


RR, FNF, STREAM, CHANNEL = range(4)


def request(interaction, n, len, complete=0):
    return bytes([27, interaction, n, complete, len])


def complete(which=0):
    return bytes([28, which])


def give_up(kind=1, which=0):
    return bytes([29, which, 60, kind])


def our_push(len):
    return bytes([30, len])


def pass_time(step):
    return bytes([31, step])


def ping(len):
    return bytes([37, len])


def write(eighths):
    return bytes([32, eighths])


SERVED = {
    "response": rr(1, 9) + respond(2) + TURN,
    "response-empty": rr(1, 9) + respond(1) + TURN + rr(1, 0) + respond(0, 3) + TURN,
    "response-large": rr(1, 9) + respond(2, 230) + TURN * 8 + rr(3, 1) + respond(2, 220) + TURN,
    "response-fragmented-request": rr(1, 9, 1) + payload(1, "FN", 90) + payload(1, "N", 9)
    + respond(2) + TURN,
    "effect": fnf(1, 9) + fnf(3, 9, 1) + payload(3, "N", 4),
    "stream": stream(1, 3) + fill(2, 9) + request_n(1, 5) + fill(9, 20) + TURN + fill(9, 1, DONE)
    + TURN,
    "stream-unbounded": stream(1, 255) + (fill(15, 100) + TURN) * 4 + cancel(1) + fill(3, 3),
    "stream-large": stream(1, 4) + fill(3, 240) + TURN * 3 + fill(2, 3) + TURN * 9
    + fill(3, 250, DONE) + TURN * 12,
    "stream-failed": stream(1, 4) + fill(1, 9, FAILED) + TURN + request_n(1, 1) + cancel(1),
    "stream-zero": stream(1, 0) + stream(3, 1) + request_n(3, 0) + TURN,
    "stream-parts": stream(1, 9) + fill(3, 60, PARTS | CAUGHT_UP, 20) + write(3) + fill(3, 60, PACED),
    "channel": channel(1, 4) + drain(0, 3, 1) + TURN + payload(1, "N", 9) + payload(1, "N", 8)
    + drain(2) + fill(2, 9) + payload(1, "NC", 3) + drain(3) + fill(1, 1, DONE) + TURN,
    "channel-surplus": channel(1, 4) + drain(0, 1, 1) + TURN + payload(1, "N", 1) * 2 + TURN,
    "channel-fragments": channel(1, 4, 9, 1) + payload(1, "FN", 50) + payload(1, "N", 3)
    + drain(0, 9, 1) + TURN + payload(1, "FN", 100) + payload(1, "F", 100) + payload(1, "C", 7)
    + drain(4) + fill(1, 3, DONE) + TURN,
    "channel-cancelled": channel(1, 2) + drain(1, 2, 1, cancels=True) + TURN + payload(1, "N", 3)
    + fill(1, 1, DONE) + TURN,
    "channel-error": channel(1, 2, 3, 2) + error(1, 2) + channel(1, 2) + give_up() + TURN,
    "reopened": (stream(1, 2) + fill(1, 3, DONE) + TURN) * 4,
    "timeouts": rr(1, 9, 1) + pass_time(4) + rr(3, 9, 1) + pass_time(3) + payload(1, "FN", 9)
    + pass_time(4) + pass_time(5) + TURN + pass_time(7) + TURN,
    "limits": b"".join(stream(2 * i + 1, 1) for i in range(10)) + TURN
    + b"".join(rr(2 * i + 1, 200, 1) for i in range(8)) + payload(LIVE, "FN", 220),
    "control": keepalive() + keepalive(0, 0) + push(9) + ext(1, 1) + raw(bytes.fromhex("0000000100"))
    + setup() + ping(9) + lease(9, 9) + TURN + STATS + LEND + keepalive(1, 70) + TURN,
    "ext": ext(0, 1) + TURN,
    "malformed": raw(bytes.fromhex("0000000129000000ff")) + TURN,
    "ids": rr(0, 1) + rr(2, 1) + stream(2, 1) + payload(9, "N", 1) + cancel(9) + request_n(9, 1) + TURN,
    "close": stream(1, 5) + error(0, 1) + fill(2, 2, DONE) + TURN,
    "drain": stream(1, 5) + DRAIN_REQUESTS + rr(3, 1) + complete() + FINISH + TURN,
    "own": request(STREAM, 5, 9) + TURN + payload(LIVE, "N", 5) + drain(2) + payload(LIVE, "NC", 5)
    + drain(3),
    "flood": keepalive(1, 60) * 40 + TURN + keepalive() + TURN,
}
RAW = {
    "setup": setup() + ACCEPT + stream(1, 1) + fill(1, 1) + TURN,
    "setup-rejected": setup() + REJECT + TURN,
    "setup-resume": setup(2) + TURN,
    "setup-late": pass_time(5) + TURN,
    "setup-undecided": setup() + pass_time(6) + TURN,
    "setup-other": rr(1, 1) + TURN,
    "resume": resume() + TURN,
    "lease": setup(1) + ACCEPT + rr(1, 1) * 1 + rr(3, 1) + rr(5, 1) + rr(7, 1) + pass_time(5) + TURN,
}
ASKING = {
    "response": request(RR, 1, 9) + TURN + payload(1, "NC", 9) + drain(2) + drain(1),
    "response-fragments": request(RR, 1, 9) + TURN + payload(1, "FN", 99) + payload(1, "N", 9)
    + drain(2) + drain(2),
    "request-large": request(RR, 1, 240) + TURN * 9 + payload(1, "C", 0) + drain(2),
    "request-answered-early": request(RR, 1, 240) + TURN + payload(1, "NC", 4) + TURN * 9 + drain(2),
    "effect": request(FNF, 1, 9) + request(FNF, 1, 230) + TURN * 9,
    "stream": request(STREAM, 3, 9) + TURN + payload(1, "N", 9) * 2 + drain(2, 4, 1) + TURN
    + payload(1, "N", 9) + payload(1, "C", 0) + drain(4),
    "stream-cancelled": request(STREAM, 3, 9) + TURN + drain(0, cancels=True) + TURN
    + payload(1, "N", 9),
    "stream-error": request(STREAM, 3, 9) + TURN + payload(1, "N", 9) + error(1, 2) + drain(3),
    "stream-surplus": request(STREAM, 1, 9) + TURN + payload(1, "N", 9) * 2 + TURN + drain(3),
    "channel": request(CHANNEL, 3, 9) + TURN + request_n(1, 4) + fill(3, 9) + payload(1, "N", 4)
    + TURN + drain(2, 2, 1) + fill(1, 2, DONE) + payload(1, "NC", 4) + drain(3) + TURN,
    "channel-large": request(CHANNEL, 3, 240) + TURN * 8 + request_n(1, 2) + fill(2, 240) + TURN * 9
    + cancel(1) + TURN + payload(1, "C", 0) + drain(2),
    "channel-one": request(CHANNEL, 3, 250, 1) + TURN * 12 + error(1, 3) + drain(2),
    "rejected": error(0, 4) + TURN,
    "closed": keepalive(0) + payload(3, "N", 0) + error(0, 1) + request(RR, 1, 1),
    "timers": pass_time(4) * 8 + TURN + our_push(9) + TURN,
    "serves": rr(2, 3) + respond(2) + stream(4, 4) + fill(5, 5, DONE) + TURN,
    "eof": request(STREAM, 3, 9) + request(CHANNEL, 3, 9) + EOF,
}
LEASED = {
    "lease": request(RR, 1, 1) + lease(100, 2) + request(RR, 1, 1) * 3 + TURN + pass_time(5)
    + lease(0, 3) + request(RR, 1, 1) + lease(255, 255) + request(STREAM, 4, 9) + TURN,
}

# ---- layout of `driver` -----------------------------------------------------------------------

def wire(stream, type, flags, content=b""):
    return stream.to_bytes(4) + (type << 10 | flags).to_bytes(2) + content


SETUP = wire(0, 1, 0, bytes.fromhex("0001000000004e2000015f90") + b"\3a/b\3c/d")
DRIVEN = {
    "response": [wire(1, 4, 0, b"echo")],
    "response-later": [wire(1, 4, 0, b"later"), wire(3, 4, 0, b"never")],
    "response-large": [wire(1, 4, 0, b"large")],
    "effect": [wire(1, 5, 0, b"now"), wire(3, 5, 0, b"later")],
    "stream": [wire(1, 6, 0, bytes(3) + b"\5three"), wire(1, 8, 0, bytes(3) + b"\1")],
    "stream-endless": [wire(1, 6, 0, b"\x7f\xff\xff\xffmore"), wire(1, 9, 0)],
    "stream-paced": [wire(1, 6, 0, b"\x7f\xff\xff\xffpaced"), wire(0, 3, 0x80, bytes(8))],
    "channel": [wire(1, 7, 0, bytes(3) + b"\x09echo")]
    + [wire(1, 10, 0x20, b"item")] * 3 + [wire(1, 10, 0x60, b"last")],
    "channel-fragments": [wire(1, 7, 0x80, bytes(3) + b"\x09ec"), wire(1, 10, 0x20, b"ho")]
    + [wire(1, 10, 0xA0, b"a"), wire(1, 10, 0x20, b"b")],
    "control": [wire(0, 3, 0x80, bytes(8) + b"data"), wire(0, 12, 0x100, b"push")],
    "malformed": [wire(1, 4, 0x100, b"\0\0\xff")],
    "close": [wire(1, 6, 0, bytes(3) + b"\5more"), wire(0, 11, 0, b"\0\0\1\2")],
}
# What the socket does: see `Behaviour` in src/driver.rs.
SOCKETS = {"all": b"\xf0", "short": b"\x08\x11\x00\x1a\x23", "slow": b"\0\0\0\x0a\0\xf0"}


def driven(frames, config, script):
    out = bytes([config, len(script)]) + script
    for content in frames:
        out += bytes([len(content)]) + content
    return out


def write_all(target, seeds):
    folder = HERE / "seeds" / target
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in seeds.items():
        (folder / name).write_bytes(content)


def main():
    vectors = {v["name"]: bytes.fromhex(v["hex"]) for v in json.loads(VECTORS.read_text())}
    frames = list(vectors.values())[:6]
    stream = b"".join(len(f).to_bytes(3) + f for f in frames if len(f) > 5)
    messages = b"".join(bytes([0x82, len(f)]) + f for f in frames if len(f) < 126)
    masked = b"".join(bytes([0x82, 0x80 | len(f), 0, 0, 0, 0]) + f for f in frames if len(f) < 126)
    parts = bytes.fromhex("0203000000 8902aabb 0004000000048003ffff00 8a00 8800")
    write_all("decode", vectors | {
        "framed-stream": stream, "framed-messages": messages, "framed-masked": masked,
        "framed-parts": parts,
    })
    operations = {}
    for name, steps in SERVED.items():
        for budget, label in enumerate(["", "-600"]):
            operations[f"served-{name}{label}"] = bytes([budget << 1]) + steps
        operations[f"served-{name}-websocket"] = bytes([WEBSOCKET | 4]) + steps
    for name, steps in RAW.items():
        operations[f"raw-{name}"] = bytes([NO_SETUP | LEASE]) + steps
    for name, steps in ASKING.items():
        operations[f"asking-{name}"] = bytes([CLIENT]) + steps
        operations[f"asking-{name}-websocket"] = bytes([CLIENT | WEBSOCKET | 2]) + steps
    for name, steps in LEASED.items():
        operations[f"leased-{name}"] = bytes([CLIENT | LEASE]) + steps
    write_all("connection", operations)
    conversations = {}
    for name, frames in DRIVEN.items():
        for (socket, script), config in zip(SOCKETS.items(), (0, 1, 2)):
            conversations[f"{name}-{socket}"] = driven(frames, config, script)
    tcp = b"".join(len(f).to_bytes(3) + f for f in [SETUP, *DRIVEN["channel"]])
    conversations["raw-tcp"] = bytes([4, 3]) + b"\x08\0\xf0" + tcp
    write_all("driver", conversations)


if __name__ == "__main__":
    main()
