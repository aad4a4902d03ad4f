"""Incidents: calls against bare libcurl, CPU against a script, kill -9, time to ticket."""
import json
import os
import statistics
import subprocess
import time

from harness.events import raw_fields, threat_detected
from harness import System, build_dir, wait_until
from measure_normalizer import fill
from result import ratio_row, rows, value_row

LIFELIKE = {"TOCSIN_CALL_DEADLINE": "30s", "TOCSIN_REMOTE_MAX": "60s", "TOCSIN_QUARANTINE": "120s",
            "TOCSIN_QUARANTINE_MARGIN": "30s", "TOCSIN_HEARTBEAT": "5s", "TOCSIN_CLAIM_IDLE": "30s",
            "TOCSIN_SCAN": "1s", "TOCSIN_LEASE": "30s", "TOCSIN_LEASE_RENEW": "10s",
            "TOCSIN_BACKOFF_BASE": "1s", "TOCSIN_BACKOFF_CAP": "60s"}


def installation(folder, latency_ms, **env):
    """One customer with tickets in ServiceNow only and no cap on calls in flight."""
    folder.mkdir()
    system = System(folder, "--latency-ms", str(latency_ms), "--ledger", "0",
                    **{**LIFELIKE, "TOCSIN_ACCOUNT_SHARE": "0", **env})
    system.servicenow("main", in_flight=0)
    system.customer("acme", xdr=None)
    system.apply()
    return system


def findings(system, total):
    """total findings, each a problem of its own, made by the real normalizer."""
    fill(system.redis.client, system.key_name("raw"), [raw_fields(i) for i in range(total)])
    normalizer = system.start("normalizer")
    wait_until(lambda: system.length("findings") == total, 120, "the findings")
    normalizer.stop()
    system.services.remove(normalizer)


def tickets(system):
    """Incidents, how many of them are repeats, and calls answered."""
    summary = system.summary()
    counts = summary["servicenow"]["main"]
    repeats = sum(count - 1 for count in counts["duplicates"].values())
    return {"incidents": counts["incidents"], "repeats": repeats, "calls": summary["calls"]}


def finish(system, total):
    """Asks Redis first: a summary of thousands of tickets keeps the sandbox from answering."""
    return wait_until(lambda: system.drained() and tickets(system)["incidents"] >= total, 300,
                      f"{total} tickets", every=0.02)


def cpu_of(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bare_curl(system, calls):
    url = f"{system.sandbox.url}/snow/main/api/now/v2/table/incident?sysparm_fields=sys_id"
    answer = subprocess.run([str(build_dir() / "bench" / "bare_curl"), url, "tocsin:snow-secret",
                             "256", str(calls), "1500"], check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)["per_second"]


def calls_rate(folder, total, bare_first):
    """(calls/s of the incident service, of bare libcurl, peak memory in MiB)."""
    system = installation(folder, 100, TOCSIN_INCIDENT_THREADS="256", TOCSIN_CONNECTIONS="256")
    try:
        findings(system, total)
        bare = bare_curl(system, total * 2) if bare_first else None
        made, before = tickets(system)["incidents"], tickets(system)["calls"]
        service = system.service("incident")
        wait_until(lambda: system.length("findings") < total, 30, "it begins", every=0.002)
        start = time.monotonic()
        finish(system, made + total)
        calls = tickets(system)["calls"] - before
        ours = calls / (time.monotonic() - start)
        rss = service.rss_mib()
        service.stop()
        system.services.remove(service)
        return ours, bare or bare_curl(system, calls), rss
    finally:
        system.done()


@rows("incident_vs_bare_curl", "incident_rss_mib")
def vs_bare_curl(folder, runs):
    measured = [calls_rate(folder / str(i), 8000, i % 2 == 1) for i in range(runs)]
    return [ratio_row("incident_vs_bare_curl", "calls/s", [m[:2] for m in measured], ">= 0.9",
                      ["256 threads, 100 ms, plain HTTP, no cap per account"]),
            value_row("incident_rss_mib", "MiB", [m[2] for m in measured], "<= 32")]


def script_cpu(system, folder, total):
    lines = folder / "events.ndjson"
    lines.write_text("".join(json.dumps(threat_detected(i)) + "\n" for i in range(total)))
    script = subprocess.run(["/usr/bin/python3", "tests/bench/ancestor.py",
                             f"{system.sandbox.url}/snow/main/api/now/v2/table/incident", "tocsin",
                             "snow-secret", str(lines)], check=True, capture_output=True, text=True)
    return json.loads(script.stdout)["cpu_ms_each"]


def cpu_each(folder, total, script_first):
    """(CPU ms per incident of the service and of Redis, CPU ms per ticket of the script)."""
    system = installation(folder, 0, TOCSIN_INCIDENT_THREADS="64", TOCSIN_CONNECTIONS="64")
    try:
        findings(system, total)
        script = script_cpu(system, folder, total) if script_first else None
        made = tickets(system)["incidents"]
        redis_before = cpu_of(system.redis.pid)
        service = system.service("incident")
        finish(system, made + total)
        ours = service.cpu_seconds()
        redis_cpu = cpu_of(system.redis.pid) - redis_before
        service.stop()
        system.services.remove(service)
        return (ours * 1000 / total, redis_cpu * 1000 / total,
                script or script_cpu(system, folder, total))
    finally:
        system.done()


@rows("incident_cpu_vs_script")
def cpu_vs_script(folder, runs):
    measured = [cpu_each(folder / str(i), 5000, i % 2 == 1) for i in range(runs)]
    parts = [statistics.median(m[i] for m in measured) for i in (0, 1)]
    return [ratio_row("incident_cpu_vs_script", "ms CPU", [(m[0] + m[1], m[2]) for m in measured],
                      "<= 0.25", [f"service {parts[0]:.3f} ms, Redis {parts[1]:.3f} ms an incident"])]


def kill_once(folder, total, at):
    """(lost, duplicate) tickets after kill -9 at `at` of `total`."""
    system = installation(folder, 100, TOCSIN_INCIDENT_THREADS="256", TOCSIN_CONNECTIONS="256",
                          TOCSIN_CALL_DEADLINE="1s", TOCSIN_REMOTE_MAX="1s",
                          TOCSIN_QUARANTINE_MARGIN="500ms", TOCSIN_QUARANTINE="3s",
                          TOCSIN_START_BY="500ms", TOCSIN_HEARTBEAT="200ms", TOCSIN_CLAIM_IDLE="1s",
                          TOCSIN_SCAN="200ms", TOCSIN_CONNECT_TIMEOUT="500ms")
    try:
        findings(system, total)
        service = system.service("incident")
        wait_until(lambda: tickets(system)["incidents"] >= at, 60, f"{at} tickets", every=0.005)
        service.kill()
        system.services.remove(service)
        system.start("incident")
        finish(system, total)
        seen = tickets(system)
        return total - (seen["incidents"] - seen["repeats"]), seen["repeats"]
    finally:
        system.done()


@rows("kill9_lost", "kill9_duplicates")
def kill9(folder, runs):
    measured = [kill_once(folder / str(i), 5000, 1500) for i in range(runs)]
    return [value_row("kill9_lost", "tickets", [m[0] for m in measured], "0"),
            value_row("kill9_duplicates", "tickets", [m[1] for m in measured], "0")]


def latencies(folder, customers, seconds, rate):
    """Of every event: from the first poll that could see it to ServiceNow's 201, in ms."""
    folder.mkdir()
    system = System(folder, "--latency-ms", "20", **LIFELIKE)
    try:
        for instance in range(4):
            system.servicenow(f"i{instance}")
        clients = [system.customer(f"c{i}", instance=f"i{i % 4}", xdr=None)
                   for i in range(customers)]
        system.apply()
        system.start()
        total = seconds * rate // customers
        for client in clients:
            system.sandbox.post("generate", {"account": client, "rate": rate / customers,
                                             "total": total, "unique_hosts": True,
                                             "host_prefix": client,
                                             "mix": {"threat_detected": 1}})
        wait_until(lambda: system.fates() >= total * customers, seconds + 60, "all events are in",
                   every=0.5)
        wait_until(system.drained, 60, "nothing is left to do", every=0.2)
        return [ms for client in clients for ms in beyond_poll(system, client)]
    finally:
        system.done()


def beyond_poll(system, client):
    polls = sorted(call["time_ms"] for call in ledger(system, f"account={client}&method=GET")
                   if call["path"].endswith("/events"))
    created = {}
    for instance in range(4):
        for record in system.sandbox.get(f"state/servicenow/i{instance}")["incidents"]:
            host = record["short_description"].split("event for [")[1].split("]")[0]
            created[host] = record["created_ms"] + 20  # the answer leaves when its latency is over
    for event in system.sandbox.get(f"events/{client}")["events"]:
        seen = next((poll for poll in polls if poll >= event["visible_ms"]), None)
        if seen is not None and event["hostname"] in created:
            yield created[event["hostname"]] - seen


def ledger(system, query):
    since, calls = 0, []
    while True:
        page = system.sandbox.get(f"ledger?{query}&since={since}&limit=10000")
        calls += page["calls"]
        if not page["calls"]:
            return calls
        since = page["next_since"]


@rows("event_to_ticket_p99_ms")
def latency(folder, runs):
    values = [sorted(latencies(folder / str(i), 50, 30, 50)) for i in range(runs)]
    p99 = [v[int(len(v) * 0.99)] for v in values]
    p50 = statistics.median(v[len(v) // 2] for v in values)
    return [value_row("event_to_ticket_p99_ms", "ms", p99, "< 500",
                      [f"p50 {p50:.0f} ms; 50 events/s, 50 customers, 20 ms vendor latency"])]
