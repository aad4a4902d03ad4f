"""Normalizer events/s against a bare read, append, acknowledge loop on the same Redis."""
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

from harness.events import raw_defender, raw_fields, raw_umbrella, raw_wazuh
from harness import System, build_dir, wait_until
from result import ratio_row, rows

EVENTS = 12000
WAZUH = pathlib.Path(__file__).parents[2] / "deploy/sources/wazuh.jq"
IN_MEMORY = pathlib.Path("/dev/shm")


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


def ours(system, entries, threads):
    """(events/s, mean bytes of what it publishes)"""
    client = system.redis.client
    fill(client, system.key_name("raw"), entries)
    rate = drain_rate(system, threads)
    findings = system.key_name("findings")
    out_bytes = sum(len(e["payload"]) for _, e in client.xrange(findings, count=200)) // 200
    client.delete(findings)
    system.apply()  # the stream and its group again
    return rate, out_bytes


def bare(system, entries, threads, out_bytes, *mode):
    client = system.redis.client
    client.xgroup_create("bench:{p0}:in", "tocsin", id="0", mkstream=True)
    fill(client, "bench:{p0}:in", entries)
    rate = bare_rate(system, threads, out_bytes, *mode)
    client.delete("bench:{p0}:in", "bench:{p0}:out")
    return rate


OUT_BYTES = 2000  # of a finding, until the first one was measured


def one_run(folder, threads, number, make=raw_fields):
    """(normalizer, bare, bare in MULTI) on one fresh Redis; which is first alternates. make(n) is an
    entry of `raw`."""
    global OUT_BYTES
    folder.mkdir()
    # Nothing is taken over in here: times as in life. A rewrite of the append-only file would hit
    # one of the three.
    system = System(folder, TOCSIN_CLAIM_IDLE="30s", TOCSIN_HEARTBEAT="5s", TOCSIN_SCAN="5s",
                    redis_options=("--auto-aof-rewrite-percentage", "0"))
    try:
        system.customer("acme", instance=None, xdr=None)
        (system.config / "sources").mkdir()
        (system.config / "sources/wazuh.jq").write_text(WAZUH.read_text())
        system.apply()
        entries = [make(number * EVENTS + i) for i in range(EVENTS)]
        rates = {}
        for what in ("ours", "bare", "multi") if number % 2 == 0 else ("multi", "bare", "ours"):
            if what == "ours":
                rates[what], OUT_BYTES = ours(system, entries, threads)
            else:
                rates[what] = bare(system, entries, threads, OUT_BYTES,
                                   *(["multi"] if what == "multi" else []))
        return rates["ours"], rates["bare"], rates["multi"]
    finally:
        system.done()


def ratios_in_memory(threads, runs):
    """The same where writing durably costs nothing, which is harder: the bare loop's pipeline is
    read in pieces, each made durable, while one function call is one piece."""
    if not os.access(IN_MEMORY, os.W_OK):
        return "not measured"
    with tempfile.TemporaryDirectory(dir=IN_MEMORY, prefix="tocsin-bench-") as folder:
        measured = [one_run(pathlib.Path(folder) / str(i), threads, i) for i in range(runs)]
    return f"{statistics.median(m[0] / m[1] for m in measured):.2f}"


@rows("normalizer_vs_bare_loop", "normalizer_vs_bare_loop_one_thread")
def normalizer(folder, runs):
    results = []
    for name, threads, target in (("normalizer_vs_bare_loop", 4, ">= 0.75"),
                                  ("normalizer_vs_bare_loop_one_thread", 1, ">= 0.5")):
        measured = [one_run(folder / f"{threads}-{i}", threads, i) for i in range(runs)]
        multi = statistics.median(m[2] for m in measured)
        results.append(ratio_row(name, "events/s", [m[:2] for m in measured], target,
                                 [f"{threads} thread{'s' if threads > 1 else ''}; "
                                  f"the bare loop in MULTI: {multi:.0f}/s",
                                  f"ratio with Redis's files in memory: "
                                  f"{ratios_in_memory(threads, runs)}"]))
    return results


def sources_row(folder, runs, name, make):
    """How much of the bare loop's rate the normalizer keeps with this source's records, against how
    much it keeps with Secure Endpoint's, measured in turns."""
    pairs, beside = [], []
    for i in range(runs):
        ratios = []
        for number, entry in enumerate((make, raw_fields)):
            mine, limit, _ = one_run(folder / f"{name}-{i}-{number}", 4, i, entry)
            ratios.append(mine / limit)
            beside.append(f"{'Secure Endpoint' if number else name.split('_')[1]}: {mine:.0f}/s of {limit:.0f}/s")
        pairs.append(tuple(ratios))
    return ratio_row(name, "of the bare loop", pairs, ">= 0.8", beside)


@rows("normalizer_umbrella_vs_secure_endpoint", "normalizer_defender_vs_secure_endpoint")
def normalizer_sources(folder, runs):
    return [sources_row(folder, runs, "normalizer_umbrella_vs_secure_endpoint", raw_umbrella),
            sources_row(folder, runs, "normalizer_defender_vs_secure_endpoint", raw_defender)]


@rows("normalizer_jq_source")
def normalizer_jq_source(folder, runs):
    """Alerts of Wazuh, mapped by a jq program in child processes, beside Secure Endpoint's, mapped in
    C, measured in turns."""
    pairs = []
    for i in range(runs):
        rates = [one_run(folder / f"jq-{i}-{number}", 4, i, make)[0]
                 for number, make in enumerate((raw_wazuh, raw_fields))]
        pairs.append(tuple(rates))
    return [ratio_row("normalizer_jq_source", "events/s", pairs, ">= 0.25",
                      ["deploy/sources/wazuh.jq, 4 threads and 4 child processes; the limit is the "
                       "normalizer with Secure Endpoint's events"])]


def built_with_tls():
    linked = subprocess.run(["ldd", build_dir() / "tocsin-normalizer"], capture_output=True, text=True, check=True)
    return "hiredis_ssl" in linked.stdout


@rows("normalizer_with_tls")
def normalizer_with_tls(folder, runs):
    """Over TLS to Redis and over a socket, measured in turns."""
    if not built_with_tls():
        print("normalizer_with_tls: not measured, this build has no TLS to Redis")
        return []
    pairs = []
    for i in range(runs):
        rates = []
        for tls in (True, False):
            if tls:
                os.environ["TOCSIN_TEST_TLS"] = "1"
            rates.append(one_run(folder / f"tls-{i}-{tls}", 4, i)[0])
            os.environ.pop("TOCSIN_TEST_TLS", None)
        pairs.append(tuple(rates))
    return [ratio_row("normalizer_with_tls", "events/s", pairs, ">= 0.7",
                      ["4 threads, Secure Endpoint's events; the limit is the same over a unix socket"])]
