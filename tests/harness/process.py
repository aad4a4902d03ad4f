"""A process of ours: started with an environment of its own, watched, stopped."""
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build_dir() -> pathlib.Path:
    """Where the binaries are: TOCSIN_BUILD, so that the same tests run on sanitizer builds."""
    return ROOT / os.environ.get("TOCSIN_BUILD", "build/release")


def wait_until(condition, deadline=20.0, what="condition", every=0.02):
    """Calls condition() until it returns something true, which is returned. Exceptions count as
    false until the deadline; then the last one, or the last value, is in the failure."""
    last = None
    end = time.monotonic() + deadline * float(os.environ.get("TOCSIN_TEST_PATIENCE", "1"))
    while True:
        try:
            last = condition()
            if last:
                return last
        except (OSError, ValueError, KeyError, LookupError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline} s; last seen: {last!r}")
        time.sleep(every)


def _ports():
    """One after the other, below those that the kernel gives to whoever asks for any, and of those that
    this one of pytest's workers has for itself: nobody takes one between here and its use. The first by
    chance, for another run beside this one."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    many = 22000 // workers
    first = random.randrange(many)
    while True:
        yield 10000 + worker * many + first % many
        first += 1


_port = _ports()


def free_port() -> int:
    for port in _port:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Process:
    """`name` is a binary of ours ("tocsin-collector"); env is added to a clean environment."""

    def __init__(self, name, args=(), env=None, log=None, health=True):
        self.name = name
        self.log_path = pathlib.Path(log)
        self.port = free_port() if health else None
        self.env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
        for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if key in os.environ:
                self.env[key] = os.environ[key]
        if health:
            self.env["TOCSIN_HEALTH_PORT"] = str(self.port)
        self.env.update(env or {})
        self.args = [str(build_dir() / name), *map(str, args)]
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.args, env=self.env, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        return self

    def run(self, deadline=60):
        """Runs it to its end: (stdout, stderr, exit status)."""
        deadline *= float(os.environ.get("TOCSIN_TEST_PATIENCE", "1"))
        done = subprocess.run(self.args, env=self.env, stdin=subprocess.DEVNULL, timeout=deadline,
                              capture_output=True, text=True, check=False)
        return done.stdout, done.stderr, done.returncode

    def ready(self, deadline=20.0):
        """Waits for /readyz."""
        def look():
            assert_running(self)
            return self.get("/readyz")[0] == 200
        wait_until(look, deadline, f"{self.name} ready (log: {self.tail()})")
        return self

    def get(self, path):
        """(status, text) of the internal port."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name, **labels):
        """Sum of a metric's series that carry these labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            if not line.startswith(name) or line[len(name)] not in "{ ":
                continue
            if all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def counts(self, value, name, **labels):
        """The metric comes to be that: what is done is counted after it."""
        wait_until(lambda: self.metric(name, **labels) == value, 20, f"{name} is {value}")

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9, as a crash."""
        if self.running():
            self.process.kill()
        self.process.wait()

    def stop(self, deadline=12.0):
        """SIGTERM; the exit status must be 0 within the deadline."""
        if self.process is None:
            return
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(deadline * float(os.environ.get("TOCSIN_TEST_PATIENCE", "1")))
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError(f"{self.name} did not stop within {deadline} s: {self.tail()}")
        assert status in (0, -signal.SIGKILL), f"{self.name} ended with {status}: {self.tail()}"

    def tail(self, size=3000):
        try:
            return self.log_path.read_text(errors="replace")[-size:]
        except OSError:
            return ""

    def log_lines(self):
        """The JSON lines written so far."""
        lines = []
        for line in self.log_path.read_text(errors="replace").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        return lines

    def rss_mib(self):
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0

    def cpu_ns(self):
        """Time that all threads were on a processor, in ns: others that are busy do not count."""
        return sum(int(task.read_text().split()[0])
                   for task in pathlib.Path(f"/proc/{self.pid}/task").glob("*/schedstat"))

    def cpu_seconds(self):
        return cpu_seconds(self.pid)


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def assert_running(process):
    if not process.running():
        raise AssertionError(f"{process.name} ended: {process.tail()}")
