"""The server under test, and what its counters say about a cell."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 10
SETTLE_SECONDS = 2
SAMPLE = re.compile(r'^tidegate_frames_total\{(.*)\} (\d+)$', re.MULTILINE)


def binary():
    """TIDEGATE_BIN, else the debug build, brought up to date first."""
    if "TIDEGATE_BIN" in os.environ:
        return Path(os.environ["TIDEGATE_BIN"]).resolve()
    subprocess.run(["cargo", "build", "-q", "--locked"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/tidegate"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, binary, log):
        self.tcp, self.http = free_port(), free_port()
        self.process = subprocess.Popen(
            [str(binary), "serve", "--ephemeral", "--debug-routes",
             "--tcp", f"127.0.0.1:{self.tcp}", "--http", f"127.0.0.1:{self.http}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )
        self.wait_until_ready()

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"interop: the server ended with {self.process.returncode}, see its log")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.process.kill()
        sys.exit(f"interop: the server was not ready within {START_SECONDS} s")

    def url(self, transport):
        if transport == "tcp":
            return f"tcp://127.0.0.1:{self.tcp}"
        return f"ws://127.0.0.1:{self.http}/rsocket"

    def frames(self):
        """How many frames were counted, by (direction, type)."""
        page = urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=5)
        counts = {}
        for labels, value in SAMPLE.findall(page.read().decode()):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            counts[labels["direction"], labels["type"].upper()] = int(value)
        return counts

    def settled(self):
        """The counts once the last cell's connection has brought its last frames."""
        before, deadline = self.frames(), time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.05)
            now = self.frames()
            if now == before:
                break
            before = now
        return before

    def stop(self):
        """Ends the server as an operator would: exit code 0 after SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "no end within 60 s of SIGTERM"
