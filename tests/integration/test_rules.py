"""Rules with real processes: from rules.json through setup and normalizer to tickets."""
import json
import pathlib
import re
import time

import pytest
from harness import wait_until
from harness.events import quarantine_failure, threat_detected
from harness.process import ROOT

OWNER = {"owner": "soc@example.com"}
OTHER = {"caller_id": "a1" * 16, "company": "b2" * 16, "assignment_group": "c3" * 16}
HOUR = 3600


def at(seconds):
    """So long from now, with a zone that is not ours."""
    when = time.gmtime(time.time() + seconds + 2 * HOUR)
    return time.strftime("%Y-%m-%dT%H:%M:%S+02:00", when)


def write(system, *rules):
    (system.config / "rules.json").write_text(
        json.dumps({"rules": [{**OWNER, **rule} for rule in rules]}, indent=2))


def start(system, *rules, incident=1, **env):
    system.servicenow()
    if not (system.config / "customers" / "acme.json").exists():
        system.customer("acme", xdr=None, notes={"intervals": ["0s", "1s", "1s", "1s"], "per_day": 100})
    if rules:
        write(system, *rules)
    system.apply()
    return system.start("normalizer", *["incident"] * incident, **env)


def add(system, *events, customer="acme"):
    for event in events:
        system.redis.client.xadd(system.key_name("raw"), {
            "v": "1", "customer": customer, "source": "secure_endpoint", "event_id": str(event["id"]),
            "observed_ms": str(int(time.time() * 1000)), "trace": "", "asked": "",
            "payload": json.dumps(event)})


def tickets(system, instance="main"):
    return system.sandbox.get(f"state/servicenow/{instance}")["incidents"]


def fate(system, event, customer="acme"):
    return system.fate(customer, event["id"])


def settled(system, *events, deadline=40):
    def all_over():
        fates = [fate(system, event) for event in events]
        return all(found and found != "queued" for found in fates) and system.drained()
    wait_until(all_over, deadline, "every event has its fate")
    assert system.length("dead") == 0


def host_of(number):
    return f"WS-{number:05d}.corp.example.com"


def story(system, event):
    (told,) = system.tocsin("trace", str(event["id"]))["events"]
    return " ".join(told["story"])


def test_suppressed_with_the_rule_that_did_it(system):
    start(system,
          {"name": "no-lab", "hosts": ["ws-00001*"], "suppress": True},
          {"name": "no-invoices", "suppress": True,
           "when": 'any(.finding.evidences[]; .file.name == "invoice-2.exe")'},
          {"name": "never", "severity": "low", "when": ".customer.id == \"globex\""})
    one, two, three = (threat_detected(number) for number in (1, 2, 3))
    add(system, one, two, three)
    settled(system, one, two, three)
    assert fate(system, one) == "suppressed:no-lab"
    assert fate(system, two) == "suppressed:no-invoices"
    assert fate(system, three).startswith("incident:")
    assert "the rule 'no-invoices' suppressed it" in story(system, two)
    assert len(tickets(system)) == 1
    rules = {rule["name"]: rule for rule in system.tocsin("rules", "list")["rules"]}
    assert [rules[name]["matches"] for name in ("no-lab", "no-invoices", "never")] == [1, 1, 0]
    assert rules["no-lab"]["owner"] == OWNER["owner"] and rules["no-lab"]["last_ms"]
    # Suppressed ones can be looked at as well.
    trial = system.tocsin("rules", "test")
    assert trial["count"] == 3 and trial["outcomes"] == {"suppressed": 2, "as it is": 1}
    # The same rules that would suppress nothing, without anything being done.
    other = system.folder / "other.json"
    other.write_text(json.dumps({"rules": [{**OWNER, "name": "all-p1", "priority": "P1"}]}))
    trial = system.tocsin("rules", "test", str(other), "--since", "1h", "--customer", "acme")
    assert trial["outcomes"] == {"changed": 3} and trial["rules"][0]["decided"] == 3
    assert system.tocsin("rules", "test", str(other), "--customer", "globex")["count"] == 0
    assert len(tickets(system)) == 1 and fate(system, one) == "suppressed:no-lab"


def test_severity_and_priority(system):
    start(system,
          {"name": "crown-jewels", "hosts": ["WS-00001*"], "priority": "P1"},
          {"name": "worse", "when": '.host.hostname | startswith("WS-00002")', "severity": "critical"},
          {"name": "harmless", "hosts": ["WS-00003*"], "severity": "informational"},
          {"name": "only-high", "hosts": ["WS-00004*"], "minimum_severity": "critical"},
          {"name": "late-p1", "priority": "P1",
           "when": '.finding.finding_info.types[0] == "Quarantine Failure"'})
    events = [threat_detected(number) for number in (1, 2, 3, 4)]
    add(system, *events)
    settled(system, *events)
    got = {}
    for event in events[:2]:
        wait_until(lambda: system.incident_of("acme", event).get("servicenow.sys_id"), 20, "a ticket")
        ticket = system.ticket("main", system.incident_of("acme", event)["servicenow.sys_id"])
        got[event["id"]] = (ticket["impact"], ticket["urgency"], ticket["priority"])
    assert got == {events[0]["id"]: ("1", "1", "1"), events[1]["id"]: ("2", "1", "2")}
    assert fate(system, events[2]) == "recorded:below the customer's minimum severity"
    assert fate(system, events[3]) == "recorded:rule only-high"
    assert len(tickets(system)) == 2
    # A later event of the same problem raises it, when a rule says so.
    problem = threat_detected(5)
    add(system, problem)
    settled(system, problem)
    worse = quarantine_failure(problem, 1)
    add(system, worse)
    settled(system, worse)

    def raised():
        ticket = system.ticket("main", system.incident_of("acme", problem)["servicenow.sys_id"])
        return (ticket["impact"], ticket["urgency"]) == ("1", "1")
    wait_until(raised, 20, "the ticket is raised to P1")


def test_rules_that_never_match_are_reported(system):
    start(system, {"name": "old", "hosts": ["NOBODY-*"], "suppress": True},
          {"name": "quiet", "hosts": ["WS-00001*"], "suppress": True},
          {"name": "new", "hosts": ["NOBODY-*"], "severity": "low"})
    event = threat_detected(1)
    add(system, event)
    settled(system, event)
    key, day = system.key_name("rules"), 86400 * 1000
    now = int(time.time() * 1000)
    system.redis.client.hset(key, mapping={"old:since": now - 40 * day, "quiet:since": now - 50 * day,
                                           "quiet:last": now - 35 * day, "gone": 5, "gone:last": 1})
    said = [problem["text"] for problem in system.tocsin("rules", "check", expect=4)["problems"]]
    assert said == ["rules.json:3: old: has never matched in 40d",
                    "rules.json:11: quiet: has not matched for 35d",
                    "rules.json:19: new: does nothing: old in line 3 matches all that it does, and suppresses it"]
    said = system.tocsin("rules", "check", "--idle", "60d", expect=4)["problems"]
    assert len(said) == 1
    # What is no longer in the file is no longer counted.
    write(system, {"name": "old", "hosts": ["NOBODY-*"], "suppress": True})
    system.apply()
    assert set(system.redis.client.hgetall(key)) == {"old:since"}


def test_routed_to_another_instance(system):
    system.servicenow("other")
    system.sandbox.servicenow("other", "tocsin", "snow-secret", OTHER)
    start(system, {"name": "ot-desk", "hosts": ["WS-00001*"],
                   "route": {"account": "snow-other", **OTHER}},
          {"name": "same-desk", "hosts": ["WS-00002*"],
           "route": {"assignment_group": "c3" * 16}})
    one, three = threat_detected(1), threat_detected(3)
    add(system, one, three)
    settled(system, one, three)
    wait_until(lambda: len(tickets(system, "other")) == 1 and len(tickets(system)) == 1, 30, "tickets")
    (ticket,) = tickets(system, "other")
    assert (ticket["company"], ticket["caller_id"], ticket["assignment_group"]) == \
        (OTHER["company"], OTHER["caller_id"], OTHER["assignment_group"])
    incident = system.incident_of("acme", one)
    assert incident["servicenow.account"] == "snow-other"
    # Its notes go there too, although the rules have changed since.
    write(system)
    system.apply()
    more = [dict(one, id=one["id"] + n, timestamp=one["timestamp"] + n) for n in (1, 2)]
    add(system, *more)
    settled(system, *more)
    wait_until(lambda: len(tickets(system, "other")[0]["work_notes"]) >= 3, 30, "a note")
    assert len(tickets(system)) == 1 and len(tickets(system, "other")) == 1


def test_windows_and_expiry(system):
    start(system,
          {"name": "patching", "hosts": ["WS-00001*"],
           "maintenance": {"from": at(-HOUR), "until": at(HOUR)}},
          {"name": "watching", "customers": ["acme"], "hosts": ["WS-00002*"],
           "maintenance": {"from": at(-HOUR), "until": at(HOUR), "do": "record"}},
          {"name": "tomorrow", "customers": ["acme"],
           "maintenance": {"from": at(20 * HOUR), "until": at(24 * HOUR)}},
          {"name": "gone", "customers": ["acme"], "expires": at(-60), "suppress": True})
    now = time.time()
    inside, recorded, before, other = (threat_detected(1, when=now - 60), threat_detected(2, when=now - 60),
                                       threat_detected(5001, host=1, when=now - 2 * HOUR),
                                       threat_detected(3, when=now - 60))
    add(system, inside, recorded, before, other)
    settled(system, inside, recorded, before, other)
    assert fate(system, inside) == "suppressed:patching"
    assert fate(system, recorded) == "recorded:rule watching"
    assert fate(system, before).startswith("incident:")
    assert fate(system, other).startswith("incident:")
    states = {rule["name"]: rule["state"] for rule in system.tocsin("rules", "list")["rules"]}
    assert states == {"patching": "in force", "watching": "in force", "tomorrow": "not yet",
                      "gone": "expired"}
    report = system.tocsin("rules", "check", expect=4)
    assert any("gone: expired at" in problem["text"] for problem in report["problems"])


@pytest.mark.parametrize("killed", [False, True], ids=["two", "killed"])
def test_storm_of_60_hosts_is_n_tickets_and_one_summary(system, killed):
    processes = start(system, {"name": "storm", "storm": {"limit": 7}}, incident=2,
                      TOCSIN_FINDING_THREADS="2")
    one = threat_detected(1)
    events = [dict(threat_detected(100 + host, host=host), file=one["file"],
                   detection=one["detection"]) for host in range(60)]
    add(system, *events[:30])
    if killed:
        wait_until(lambda: len(tickets(system)) >= 2, 20, "some tickets")
        processes[-1].kill()
        system.services.remove(processes[-1])
    add(system, *events[30:])
    settled(system, *events, deadline=60)
    wait_until(lambda: len(tickets(system)) == 8 and system.drained(), 40, "8 tickets")
    summaries = [ticket for ticket in tickets(system) if "Storm" in ticket["short_description"]]
    (summary,) = summaries
    assert summary["short_description"].endswith("[SecureX]")
    assert "More than 7 incidents" in summary["description"]
    counts = {}
    for event in events:
        counts[fate(system, event)] = counts.get(fate(system, event), 0) + 1
    assert sorted(counts.values()) == [1] * 7 + [53]
    text = "\n".join(note["value"] for note in summary["work_notes"])
    opening = next(event for event in events
                   if system.incident_of("acme", event).get("storm") == "storm"
                   and system.incident_of("acme", event)["event_id"] == str(event["id"]))
    attached = [event for event in events if system.incident_of("acme", event).get("storm")]
    assert len(attached) == 53
    for event in attached:
        assert event is opening or str(event["id"]) in text or "more" in text
    # What is attached stays attached: another event of the same host and file opens nothing.
    later = dict(attached[-1], id=attached[-1]["id"] + 100000)
    add(system, later)
    settled(system, later)
    assert fate(system, later) == fate(system, opening) and len(tickets(system)) == 8


def test_grouping_by_a_rule(system):
    start(system, {"name": "one-malware-one-ticket",
                   "group": {"by": [".finding.nothing", ".finding.evidences[0].file.hashes[]"
                                    " | select(.algorithm_id == 3).value"], "per_host": False}})
    one = threat_detected(1)
    events = [dict(threat_detected(100 + host, host=host), file=one["file"]) for host in range(5)]
    add(system, *events, threat_detected(9))
    settled(system, *events)
    wait_until(lambda: len(tickets(system)) == 2, 20, "tickets")
    assert len({fate(system, event) for event in events}) == 1


def test_reload_while_events_flow(system):
    """None is lost, and from some event on the new rules hold."""
    write(system, {"name": "none", "when": "false", "suppress": True})
    start(system)
    client, sent = system.redis.client, []

    def send(count):
        for _ in range(count):
            event = threat_detected(len(sent))
            sent.append(event)
            add(system, event)
    send(100)
    write(system, {"name": "all", "when": ".finding.severity_id > 0", "suppress": True})
    system.apply()

    def suppressed():
        send(5)
        return fate(system, sent[-6]) == "suppressed:all"
    wait_until(suppressed, 20, "the new rules are in force")
    send(20)
    # A wrong file changes nothing.
    (system.config / "rules.json").write_text('{"rules": [\n{"name": "x", "owner": "y",\n'
                                              ' "when": ".finding |", "suppress": true}]}')
    told = system.tocsin("setup", expect=4)
    assert told["problems"][0]["error"].startswith("rules.json:3:11: x: when: syntax error")
    send(5)
    wait_until(lambda: system.length("raw") == 0 and fate(system, sent[-1]), 30, "all are read")
    assert fate(system, sent[-1]) == "suppressed:all"
    fates = [fate(system, event) for event in sent]
    assert None not in fates and not client.xlen(system.key_name("dead"))
    # Threads do not turn to them at the same moment, but within one batch.
    assert "suppressed:all" not in fates[:100] and set(fates[-20:]) == {"suppressed:all"}
    # Away with the file, away with the rules.
    (system.config / "rules.json").unlink()
    system.apply()

    def free():
        send(1)
        return len(sent) > 1 and (fate(system, sent[-2]) or "").startswith(("incident:", "queued"))
    wait_until(free, 20, "no rules are in force")


def test_conditions_that_fail_or_never_end_stop_nothing(system):
    normalizer = start(system, {"name": "fails", "suppress": True, "when": ".finding.device > (1 | length | error)"},
                       {"name": "loops", "when": "def f: f; f", "suppress": True},
                       {"name": "works", "hosts": ["WS-00001*"], "when": "true", "suppress": True},
                       {"name": "eats", "when": '("x" * 1000000000 | length) > 1', "suppress": True})[0]
    events = [threat_detected(number) for number in range(1, 4)]
    add(system, *events)
    settled(system, *events, deadline=90)
    assert fate(system, events[0]) == "suppressed:works"
    assert all(fate(system, event).startswith("incident:") for event in events[1:])
    rules = {rule["name"]: rule for rule in system.tocsin("rules", "list")["rules"]}
    assert rules["loops"]["state"] == "left out" and rules["eats"]["state"] == "left out"
    # A finding that is judged again, by another worker for one, counts again.
    assert rules["fails"]["errors"] >= 3 and rules["fails"]["matches"] == 0
    said = [line["msg"] for line in normalizer.log_lines() if line["level"] == "error"]
    assert any("rule loops" in line and "left out" in line for line in said)
    report = system.tocsin("rules", "check", expect=4)
    text = "\n".join(problem["text"] for problem in report["problems"])
    assert "loops: is left out" in text and f"fails: its condition failed on {rules['fails']['errors']} findings" in text
    # From now on they cost nothing: it was a second each.
    more = [threat_detected(number) for number in range(10, 210)]
    add(system, *more)
    settled(system, *more, deadline=30)


def test_no_rules_no_child(system):
    normalizer = start(system)[0]
    event = threat_detected(1)
    add(system, event)
    settled(system, event)
    threads = pathlib.Path(f"/proc/{normalizer.process.pid}/task").iterdir()
    assert not any((thread / "children").read_text().strip() for thread in threads)


def examples():
    """Every rules.json of the documentation, and the example to copy from."""
    yield (ROOT / "deploy/rules/rules.json").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        yield from re.findall(r"```json rules\.json\n(.*?)```", page.read_text(), re.S)


def test_examples_are_right(system):
    start(system)
    events = [threat_detected(number) for number in (1, 2)]
    add(system, *events)
    settled(system, *events)
    seen = 0
    ahead = str(time.gmtime().tm_year + 1)
    for text in examples():
        file = system.folder / "example.json"
        file.write_text(re.sub(r"\b20\d\d(?=-\d\d-\d\dT)", ahead, text)) # a maintenance that is over is warned of
        report = system.tocsin("rules", "check", str(file))
        assert report["problems"] == [] and report["rules"] > 0
        trial = system.tocsin("rules", "test", str(file))
        assert trial["count"] == 2 and not any(rule["failed"] for rule in trial["rules"])
        seen += 1
    assert seen >= 2
