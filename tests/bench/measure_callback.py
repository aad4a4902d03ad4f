"""Requests/s of pushed events, durable before they are answered, against bare appends to the same Redis."""
import json
import pathlib
import re
import subprocess

from harness import System, build_dir, signed_headers
from result import ratio_row, rows

HERE = pathlib.Path(__file__).parent
PAYLOAD_BYTES = 1000
SECONDS = 3
THREADS, CONNECTIONS = 2, 256
REQUESTS = 240_000  # more than can be sent in that time, by each thread: none is sent twice


def write_requests(path, secret, first):
    """Signed events of their own ids and contents, ready to be sent."""
    with open(path, "wb") as file:
        for n in range(first, first + REQUESTS):
            body = json.dumps({"n": n, "event_type": "bench", "target_device": f"pc{n % 500}"}).encode()
            body = body[:-1] + b', "more": "' + b"x" * (PAYLOAD_BYTES - len(body) - 12) + b'"}'
            head = "".join(f"{name}: {value}\r\n" for name, value in
                           signed_headers(secret, body, webhook_id=f"msg_{n:012d}").items())
            text = (f"POST /v1/events/acme/generic HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n"
                    f"{head}\r\n").encode() + body
            file.write(b"%08d" % len(text) + text)


def push_rate(system, path):
    """Events per second that became durable, as wrk's senders saw them."""
    raw = system.key_name("raw")
    before = system.redis.client.xlen(raw)
    out = subprocess.run(
        ["wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s",
         HERE / "signed_requests.lua", f"http://127.0.0.1:{system.callback_port}", "--", path, str(THREADS)],
        check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    requests, seconds = re.search(r"(\d+) requests in ([\d.]+)s", out).groups()
    stored = system.redis.client.xlen(raw) - before
    assert int(requests) <= stored <= int(requests) + CONNECTIONS, f"{requests} answered, {stored} stored"
    p99 = re.search(r"99%\s+(\S+)", out).group(1)
    return int(requests) / float(seconds), p99


def bare_rate(system, fields_bytes):
    out = subprocess.run([build_dir() / "bench" / "bare_append", str(system.redis.socket), "bench:raw",
                          str(fields_bytes), str(PAYLOAD_BYTES), str(SECONDS)],
                         check=True, capture_output=True, text=True).stdout
    system.redis.client.delete("bench:raw")
    return json.loads(out)["per_second"]


def one_run(folder, number):
    """(pushed, bare, p99, MiB) on one fresh Redis; which is first alternates."""
    folder.mkdir()
    system = System(folder, redis_options=("--auto-aof-rewrite-percentage", "0"))
    try:
        secret = system.pusher("acme")
        system.tocsin("push", "add", "acme", "--events-per-minute", "10000000")
        system.apply()
        process = system.callback(TOCSIN_CALLBACK_PER_ADDRESS="0", TOCSIN_LOG_LEVEL="warn")
        write_requests(folder / "requests", secret, 0)
        bare = bare_rate(system, 200) if number % 2 else None
        pushed, p99 = push_rate(system, folder / "requests")
        rss = process.rss_mib()
        if bare is None:
            bare = bare_rate(system, 200)
        return pushed, bare, p99, rss
    finally:
        system.done()


@rows("callback_vs_bare_append")
def callback(folder, runs):
    measured = [one_run(folder / str(number), number) for number in range(runs)]
    beside = [f"{CONNECTIONS} connections, {PAYLOAD_BYTES} bytes, HMAC checked; p99 "
              f"{', '.join(run[2] for run in measured)}; peak {max(run[3] for run in measured):.0f} MiB"]
    return [ratio_row("callback_vs_bare_append", "requests/s", [run[:2] for run in measured], ">= 0.8", beside)]
