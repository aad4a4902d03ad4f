"""200 rules on every finding: what they add to the normalizer's time."""
import json
import os
import pathlib
import statistics
import time

from harness.events import raw_fields
from harness import System, wait_until
from measure_normalizer import fill
from result import rows, value_row

RULES, EVENTS = 200, 4000

# As people write them: hosts, files, users, hashes, severities; none of them matches. The last
# two are for jq alone to tell, the second of those only on findings of its source.
CONDITIONS = (
    '.finding.device.hostname == "SRV-{n}.corp.example.com"',
    '.customer.id == "acme" and .finding.severity_id >= 5 and .host.name == "SRV-{n}"',
    '.files | index("tool-{n}.exe")',
    '.finding.actor.user.name == "scanner{n}" and .source == "secure_endpoint"',
    '.finding.finding_info.title | contains("W32.Never{n}")',
    '(.host.hostname // "") | startswith("LAB-{n}-")',
    '.hashes | index("{n:064x}")',
    '.finding.malware[0].name == "W32.Other{n}" and (.finding.device.groups | length) > 3',
    'any(.finding.device.groups[]?; .name == "Plant {n}")',
    '.source == "defender" and (.finding.finding_info.title | test("Never{n}"; "i"))',
)


def write_rules(system, count):
    rules = [{"name": f"rule-{n}", "owner": "bench", "when": CONDITIONS[n % len(CONDITIONS)].format(n=n),
              **({"suppress": True} if n % 2 else {"severity": "low"})} for n in range(count)]
    (system.config / "rules.json").write_text(json.dumps({"rules": rules}))
    system.apply()


def cpu_seconds(pid):
    """Of a process and of those it has started, which jq's are."""
    numbers = (pathlib.Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    children = [child for task in (pathlib.Path("/proc") / str(pid) / "task").iterdir()
                for child in (task / "children").read_text().split()]
    own = (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(map(cpu_seconds, children))


def seconds_per_event(system, rules):
    """(of processors, of the clock): the first does not depend on who else is at work here."""
    write_rules(system, rules)
    client, raw = system.redis.client, system.key_name("raw")
    process = system.service("normalizer", TOCSIN_NORMALIZER_THREADS="1")
    process.ready()
    fill(client, raw, [raw_fields(EVENTS)])  # what is done once
    wait_until(lambda: client.xlen(raw) == 0, 20, "the normalizer works")
    busy, start = cpu_seconds(process.process.pid), time.monotonic()
    fill(client, raw, [raw_fields(i) for i in range(EVENTS)])
    wait_until(lambda: client.xlen(raw) == 0, 120, "the normalizer is done", every=0.005)
    spent = cpu_seconds(process.process.pid) - busy, time.monotonic() - start
    process.stop()
    system.services.remove(process)
    client.delete(system.key_name("findings"), system.key_name("recent"))
    system.apply()
    return [seconds / EVENTS for seconds in spent]


@rows("rules_us_per_rule_and_finding")
def rules_cost(folder, runs):
    measured, rates = [], []
    for number in range(runs):
        (folder / str(number)).mkdir()
        system = System(folder / str(number), redis_options=("--auto-aof-rewrite-percentage", "0"),
                        TOCSIN_CLAIM_IDLE="30s", TOCSIN_HEARTBEAT="5s", TOCSIN_SCAN="5s")
        try:
            system.customer("acme", instance=None, xdr=None)
            system.apply()
            without, with_rules = seconds_per_event(system, 0), seconds_per_event(system, RULES)
        finally:
            system.done()
        measured.append((with_rules[0] - without[0]) * 1e6 / RULES)
        rates.append((1 / without[1], 1 / with_rules[1]))
    beside = [f"one thread: {statistics.median(r[0] for r in rates):.0f} events/s without rules, "
              f"{statistics.median(r[1] for r in rates):.0f} with {RULES}"]
    return [value_row("rules_us_per_rule_and_finding", "us of CPU", measured, "<= 2", beside)]
