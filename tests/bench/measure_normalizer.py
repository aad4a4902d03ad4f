"""Normalizer events/s against a bare read, append, acknowledge loop on the same Redis."""
import json
import subprocess
import time

from harness.events import raw_fields
from harness import System, build_dir, wait_until
from result import ratio_row, rows

EVENTS = 24000


def fill(client, stream, entries):
    for start in range(0, len(entries), 500):
        pipe = client.pipeline(transaction=False)
        for entry in entries[start:start + 500]:
            pipe.xadd(stream, entry)
        pipe.execute()


def drain_rate(system, threads):
    """Events per second from the first settled to the last."""
    client = system.redis.client
    process = system.service("normalizer", TOCSIN_NORMALIZER_THREADS=str(threads))
    raw = system.key_name("raw")
    wait_until(lambda: client.xlen(raw) < EVENTS, 20, "the normalizer starts", every=0.002)
    left, start = client.xlen(raw), time.monotonic()
    wait_until(lambda: client.xlen(raw) == 0, 120, "the normalizer is done", every=0.005)
    rate = left / (time.monotonic() - start)
    process.stop()
    system.services.remove(process)
    return rate


def bare_rate(system, threads, out_bytes, *mode):
    stream, out = "bench:{p0}:in", "bench:{p0}:out"
    answer = subprocess.run([str(build_dir() / "bench" / "bare_loop"), str(system.redis.socket), stream,
                             out, "tocsin", str(threads), str(out_bytes), *mode],
                            check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)["per_second"]


def one_run(folder, threads, number):
    """(normalizer, bare, bare in MULTI) on one fresh Redis."""
    folder.mkdir()
    # Nothing is taken over in here: times as in life.
    system = System(folder, TOCSIN_CLAIM_IDLE="30s", TOCSIN_HEARTBEAT="5s", TOCSIN_SCAN="5s")
    try:
        system.customer("acme", instance=None, xdr=None)
        system.apply()
        client = system.redis.client
        entries = [raw_fields(number * EVENTS + i) for i in range(EVENTS)]
        fill(client, system.key_name("raw"), entries)
        ours = drain_rate(system, threads)
        findings = system.key_name("findings")
        out_bytes = sum(len(e["payload"]) for _, e in client.xrange(findings, count=200)) // 200
        client.delete(findings)
        rates = []
        for mode in ((), ("multi",)):
            client.xgroup_create("bench:{p0}:in", "tocsin", id="0", mkstream=True)
            fill(client, "bench:{p0}:in", entries)
            rates.append(bare_rate(system, threads, out_bytes, *mode))
            client.delete("bench:{p0}:in", "bench:{p0}:out")
        return ours, *rates
    finally:
        system.done()


@rows("normalizer_vs_bare_loop", "normalizer_vs_bare_loop_one_thread")
def normalizer(folder, runs):
    results = []
    for name, threads, target in (("normalizer_vs_bare_loop", 4, ">= 0.75"),
                                  ("normalizer_vs_bare_loop_one_thread", 1, ">= 0.5")):
        measured = [one_run(folder / f"{threads}-{i}", threads, i) for i in range(runs)]
        multi = sorted(m[2] for m in measured)[len(measured) // 2]
        results.append(ratio_row(name, "events/s", [m[:2] for m in measured], target,
                                 [f"{threads} threads; the bare loop in MULTI: {multi:.0f}/s"]))
    return results
