"""The clients: how each is installed, how it is started, and how a cell is asked of it."""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
CELL_SECONDS = 30


@dataclass(frozen=True)
class Client:
    name: str
    install: callable
    command: list


def sh(*command, cwd=HERE):
    print("interop:", *command, flush=True)
    subprocess.run(command, cwd=cwd, check=True, stdout=sys.stderr)


def need(tool, *packages):
    """A tool that is missing is installed where that takes no question, else named."""
    if shutil.which(tool):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"interop: {tool} is needed; on Debian: apt-get install {' '.join(packages)}")
    apt(*packages)


def apt(*packages):
    sh("apt-get", "update", "-q")
    sh("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages)


def up_to_date(made, *sources):
    return made.exists() and all(made.stat().st_mtime >= it.stat().st_mtime for it in sources)


def install_npm(folder):
    lock = HERE / folder / "package-lock.json"
    if not up_to_date(HERE / folder / "node_modules/.package-lock.json", lock):
        need("npm", "nodejs", "npm")
        sh("npm", "ci", "--no-audit", "--no-fund", cwd=HERE / folder)
        (HERE / folder / "node_modules/.package-lock.json").touch()


def install_python():
    pins, venv = HERE / "python/requirements.txt", HERE / "python/.venv"
    if up_to_date(venv / "installed", pins):
        return
    try:
        sh(sys.executable, "-m", "venv", "--clear", str(venv))
    except subprocess.CalledProcessError:
        apt("python3-venv")
        sh(sys.executable, "-m", "venv", "--clear", str(venv))
    sh(str(venv / "bin/pip"), "install", "-q", "-r", str(pins))
    (venv / "installed").touch()


def install_rust():
    """Its WebSocket crate links the system's OpenSSL, which is why it is a package of its own."""
    need("pkg-config", "pkg-config")
    if subprocess.run(["pkg-config", "--exists", "openssl"]).returncode != 0:
        need("the OpenSSL headers", "libssl-dev")
    folder = HERE / "rsocket-rust"
    sh("cargo", "build", "-q", "--release", "--locked", "--target-dir", "target", cwd=folder)


def install_java():
    need("java", "default-jdk-headless")
    need("mvn", "maven")
    sh("mvn", "-q", "-B", "-Dstyle.color=never", "package", cwd=HERE / "java")


CLIENTS = {
    "js-0": Client("js-0", lambda: install_npm("js-0"), ["node", "js-0/client.js"]),
    "js-1": Client("js-1", lambda: install_npm("js-1"), ["node", "js-1/client.js"]),
    "python": Client("python", install_python, ["python/.venv/bin/python", "python/client.py"]),
    "rsocket-rust": Client(
        "rsocket-rust", install_rust, ["rsocket-rust/target/release/rsocket-rust-peer"]
    ),
    "java": Client(
        "java", install_java,
        ["java", "-cp", "java/target/classes:java/target/dependency/*", "Client"],
    ),
}


class Process:
    """A running client. It is asked one cell at a time, and replaced when it does not answer."""

    def __init__(self, client, url, log):
        self.client, self.url, self.log = client, url, log
        self.process = None

    def ask(self, cell):
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write(cell + "\n")
            self.process.stdin.flush()
            line = self.lines.get(timeout=CELL_SECONDS)
        except queue.Empty:
            self.stop()
            return failure(f"no answer within {CELL_SECONDS} s")
        except BrokenPipeError:
            line = None
        if line is None:
            self.stop()
            return failure("the client died, see its log")
        return json.loads(line)

    def start(self):
        self.process = subprocess.Popen(
            [*self.client.command, self.url], cwd=HERE, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, args=(self.process, self.lines), daemon=True).start()

    def read(self, process, lines):
        for line in process.stdout:
            # Whatever else a library prints goes to the log.
            if line.startswith("{"):
                lines.put(line)
            else:
                print(line, end="", file=self.log, flush=True)
        lines.put(None)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def failure(detail):
    return {"result": "fail", "detail": detail}
