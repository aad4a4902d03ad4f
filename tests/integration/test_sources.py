"""Sources that are jq programs: from the operators' files to findings, with good and evil events."""
import json
import os
import pathlib
import subprocess
import threading

import redis

from harness import wait_until

WAZUH = pathlib.Path(__file__).parents[2] / "deploy/sources/wazuh.jq"
SAMPLES = pathlib.Path(__file__).parents[1] / "fixtures/wazuh"

# An event says what is to become of it.
TRICKS = """
if .do == "loop" then def f: f; f
elif .do == "eat" then def g: 1 + g; g
elif .do == "grow" then "x" * 1e9
elif .do == "fail" then error("I will not")
elif .do == "many" then 1, 2
elif .do == "none" then empty
elif .do == "number" then 42
elif .do == "untitled" then {severity: "low"}
elif .do == "misspelt" then {title: "a", sevrity: "low"}
elif .do == "class" then {class_uid: 3002, severity_id: 1, finding_info: {title: "a"}}
elif .do == "die" then [1114112] | implode | reduce range(1e6) as $i (0; [.])
elif .do == "skip" then "it said so"
elif .do == "null" then null
elif .do == "full" then {class_uid: 2004, severity_id: 4, finding_info: {title: "whole"}, device: {hostname: "h", type_id: 0}}
else {title: "event \\(.n)", severity: "high", host: "h\\(.n)", uid: .id, time: 1795283883} end
"""
EVIL = {
    "loop": "did not end within",
    "fail": "I will not",
    "many": "gave more than one result",
    "none": "gave no result",
    "number": "neither an object nor null",
    "untitled": "no title",
    "misspelt": "unknown member sevrity",
    "class": "class_uid must be 2004",
}
# What the machine decides: memory, or time on a busy one.
DEADLY = ("eat", "grow", "die")
SKIPPED = {"skip": "it said so", "null": "by the source's program"}


def program(system, name, text):
    folder = system.config / "sources"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.new").write_text(text)
    (folder / f"{name}.new").rename(folder / f"{name}.jq")


def push(system, events, source="tricks", customer="acme"):
    pipe = system.redis.client.pipeline(transaction=False)
    for event_id, event in events.items():
        pipe.xadd(system.key_name("raw"), {
            "v": "1", "customer": customer, "source": source, "event_id": event_id,
            "observed_ms": "1763749001000", "trace": "", "asked": "", "payload": json.dumps(event)})
    pipe.execute()


def findings(system):
    entries = [fields for _, fields in system.redis.client.xrange(system.key_name("findings"))]
    return {entry["event_id"]: entry for entry in entries}


def dead(system):
    entries = [fields for _, fields in system.redis.client.xrange(system.key_name("dead"))]
    return {entry["event_id"]: entry["dead.reason"] for entry in entries}


def settled(system):
    return system.length("raw") == 0 and system.pending("raw") == 0


def version(system):
    return system.redis.client.hget("tocsin:programs", "#version")


def test_evil_events_stop_nobody(system):
    """300 good events around a dozen that fail, loop, eat memory and end the process: each evil one
    is dead with its reason, each good one a finding, and both sources go on."""
    program(system, "tricks", TRICKS)
    program(system, "wazuh", WAZUH.read_text())
    system.apply()
    normalizer = system.start("normalizer", TOCSIN_JQ_DEADLINE="500ms")
    good = {f"g{i}": {"id": 6159251516445163587 + i, "n": i} for i in range(300)}
    events = dict(list(good.items())[:150])
    events.update({do: {"do": do} for do in (*EVIL, *DEADLY, *SKIPPED, "full")})
    events.update(list(good.items())[150:])
    push(system, events)
    push(system, {"w1": json.loads((SAMPLES / "rootcheck.in.json").read_text())[0]}, source="wazuh")
    wait_until(lambda: settled(system), 60, "all settled")

    found, buried = findings(system), dead(system)
    assert set(found) == {*good, "full", "w1"}
    assert set(buried) == {*EVIL, *DEADLY}
    for do, words in EVIL.items():
        assert words in buried[do], buried[do]
        assert buried[do].startswith("the program") or "program" in buried[do]
    for do, words in SKIPPED.items():
        assert system.fate("acme", do, "tricks") == f"skipped:{words}"
    for i in (0, 1, 299):
        payload = json.loads(found[f"g{i}"]["payload"])
        # Two ids that are one double stay two.
        assert payload["finding_info"]["uid"] == str(6159251516445163587 + i)
        assert payload["unmapped"]["id"] == 6159251516445163587 + i
        assert found[f"g{i}"]["severity_id"] == "4" and found[f"g{i}"]["time_ms"] == "1795283883000"
    assert len({entry["group"] for entry in found.values()}) == len(found)
    assert json.loads(found["full"]["payload"])["metadata"]["original_event_uid"] == "full"
    def runs(outcome):
        return normalizer.metric("tocsin_normalizer_source_program_runs_total", source="tricks", outcome=outcome)
    wait_until(lambda: runs("result") >= 300 and runs("deadline") >= 1, 10, "both are counted")


def test_programs_change_without_restart(system):
    """A wrong program leaves the one in force; a right one is used without a restart; a customer's
    own goes first; a source that is gone is buried."""
    program(system, "web", '{title: "one", severity: 1}')
    system.customer("acme", instance=None, xdr=None)
    system.apply()
    system.start("normalizer")

    def title(event_id, customer="acme", source="web"):
        push(system, {event_id: {"n": 1}}, source, customer)
        wait_until(lambda: settled(system), 20, f"{event_id} settled")
        entry = findings(system).get(event_id)
        return entry and json.loads(entry["payload"])["finding_info"]["title"]

    assert title("a") == "one"
    before = version(system)
    program(system, "web", '{title: "two",\n severity: 1')
    out = system.tocsin("setup", expect=4)
    assert any("sources/web.jq:2:" in problem["error"] for problem in out["problems"])
    assert version(system) == before
    assert title("b") == "one"

    program(system, "web", '{title: "three", severity: 1}')
    program(system, "own", '{title: "acme alone", severity: 1}')
    file = system.config / "customers/acme.json"
    body = json.loads(file.read_text())
    body["push"] = {"sources": {"web": {"program": "own.jq"}}}
    file.write_text(json.dumps(body))
    system.apply()
    assert version(system) != before
    # Both are seen within the second between two looks.
    wait_until(lambda: title(f"c{os.urandom(4).hex()}", "other") == "three", 10, "the new program")
    assert title("d") == "acme alone"

    # While the customer's file is broken, what it named stays in force.
    before = version(system)
    file.write_text("{")
    system.tocsin("setup", expect=4)
    assert version(system) == before
    file.write_text(json.dumps(body))

    (system.config / "sources/web.jq").unlink()
    del body["push"]
    file.write_text(json.dumps(body))
    system.apply()
    wait_until(lambda: title(f"e{os.urandom(4).hex()}") is None, 10, "no program any more")
    assert "no mapping for source web" in " ".join(dead(system).values())


def test_nothing_published_is_nobodys_fault(system):
    """Before setup has published programs, an event that needs one waits; so it does while the
    process that runs them cannot be had."""
    program(system, "web", '{title: "one", severity: 1}')
    system.apply()
    system.redis.client.delete("tocsin:programs")
    normalizer = system.start("normalizer", TOCSIN_JQ="/nonexistent/tocsin-jq")
    push(system, {"a": {}}, "web")
    deferred = system.key_name("deferred")
    wait_until(lambda: system.redis.client.zcard(deferred) == 1, 20, "put off")
    system.apply()
    # Members are packed, not texts.
    client = redis.Redis(unix_socket_path=str(system.redis.socket))
    wait_until(lambda: b"/nonexistent/tocsin-jq" in b" ".join(client.zrange(deferred, 0, -1)), 20,
               "put off because there is no tocsin-jq")
    client.close()
    assert not dead(system)
    normalizer.stop()
    system.start("normalizer")
    wait_until(lambda: "a" in findings(system), 20, "the finding")


def children(pid):
    out = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,comm="], capture_output=True, text=True,
                         check=False).stdout
    return [int(line.split()[0]) for line in out.splitlines() if "tocsin-jq" in line]


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_children_end_with_the_service(system):
    """Killed children are replaced; a killed normalizer leaves none behind, even in a loop."""
    program(system, "tricks", TRICKS)
    system.apply()
    normalizer = system.start("normalizer", TOCSIN_JQ_DEADLINE="10s", TOCSIN_NORMALIZER_THREADS="1")
    push(system, {"a": {"n": 1}})
    wait_until(lambda: "a" in findings(system), 20, "the first finding")
    first = children(normalizer.pid)
    assert len(first) == 1
    os.kill(first[0], 9)
    push(system, {"b": {"n": 2}})
    wait_until(lambda: "b" in findings(system), 20, "the second finding")
    push(system, {"c": {"do": "loop"}})
    wait_until(lambda: system.pending("raw") == 1, 20, "the loop has begun")
    wait_until(lambda: children(normalizer.pid), 20, "a child")
    running = children(normalizer.pid)
    assert running and running != first
    normalizer.kill()
    wait_until(lambda: not any(alive(pid) for pid in running), 10, "no child is left")


def test_ten_thousand_events(system):
    """10,000 alerts while the program changes all the time: each is accounted once."""
    program(system, "web", '{title: "v0", severity: 1, uid: .id}')
    system.apply()
    system.start("normalizer")
    stop = threading.Event()

    def change():
        number = 0
        while not stop.wait(0.3):
            number += 1
            program(system, "web", f'{{title: "v{number}", severity: 1, uid: .id}}')
            system.apply()

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for part in range(10):
            push(system, {f"e{part}-{i}": {"id": i} for i in range(1000)}, "web")
        wait_until(lambda: settled(system), 60, "all settled")
    finally:
        stop.set()
        changer.join()
    assert len(findings(system)) == system.length("findings") == 10000
    assert not dead(system)


def test_a_source_that_only_loops(system):
    """A program that never ends, on 200 events: a few are dead, the others are put off, and events of
    other sources do not wait for them; with a right program the rest become findings."""
    program(system, "bad", "def f: f; f")
    program(system, "web", '{title: "one", severity: 1}')
    system.apply()
    system.start("normalizer", TOCSIN_JQ_DEADLINE="200ms", TOCSIN_NORMALIZER_THREADS="1")
    push(system, {f"b{i}": {} for i in range(200)}, "bad")
    push(system, {f"w{i}": {} for i in range(20)}, "web")
    wait_until(lambda: len(findings(system)) == 20, 30, "the other source")
    wait_until(lambda: settled(system), 30, "nothing waits in the stream")
    buried = len(dead(system))
    assert 1 <= buried <= 40
    assert system.redis.client.zcard(system.key_name("deferred")) == 200 - buried
    program(system, "bad", '{title: "mended", severity: 1}')
    system.apply()
    wait_until(lambda: len(findings(system)) == 220 - buried, 60, "what was put off")
    assert len(dead(system)) == buried


def test_an_alert_of_wazuh_becomes_a_ticket(system):
    """Pushed as Wazuh would, mapped by the worked example, opened: the ticket names rule, host and file."""
    system.servicenow()
    program(system, "wazuh", WAZUH.read_text())
    system.customer("acme", xdr=None)
    secret = system.pusher("acme", "wazuh=id")
    system.apply()
    system.callback()
    system.start("normalizer", "incident")
    call = system.caller()
    alerts = [alert for name in ("rootcheck", "other")
              for alert in json.loads((SAMPLES / f"{name}.in.json").read_text())]
    answer = call.push("acme/wazuh", alerts, secret)
    assert (answer.status, answer.json) == (202, {"accepted": len(alerts), "duplicate": 0})
    assert call.push("acme/wazuh", alerts[:1], secret).json == {"accepted": 0, "duplicate": 1}
    call.close()
    rootcheck = {"id": alerts[0]["id"]}
    wait_until(lambda: (system.fate("acme", rootcheck["id"], "wazuh") or "").startswith("incident:"), 40,
               "the incident")
    fate = system.fate("acme", rootcheck["id"], "wazuh")
    wait_until(lambda: system.redis.client.hget(system.key_name(fate), "state") == "open", 40, "it is open")
    (ticket,) = system.sandbox.get("state/servicenow/main")["incidents"]
    assert "Wazuh event [rootcheck] event for [web01]" in ticket["short_description"]
    for words in ("Trojaned version of file detected.", "web01", "/bin/diff"):
        assert words in json.dumps(ticket), words
    assert system.fate("acme", alerts[1]["id"], "wazuh").startswith("skipped:not a detection: level 2")
    # One below the customer's minimum severity is recorded.
    wait_until(lambda: (system.fate("acme", alerts[3]["id"], "wazuh") or "").startswith("recorded:below"), 20,
               "recorded")
    assert not dead(system)
