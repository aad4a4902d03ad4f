"""A closing meets every fault: each side is closed once, each host let go once, nothing is forgotten."""
import subprocess

import pytest
from harness import build_dir, wait_until
from harness.closing import FRESH, close, open_again, said
from test_closing import closed, entity, installation, opened, set_status, states
from test_closing_hosts import contained, free
from test_containment import TRIAGE, Estate
from test_incident import (FAST_CLOCK, add, calls, ctim, finding, incident, incident_ids, notes,
                           tickets)

# Each call of a closing that changes something, and those that read before it.
CALLS = [("GET", "table/incident/"), ("GET", "ctia/incident/"), ("PATCH", "ctia/incident/"),
         ("GET", "sys_choice"), ("PATCH", "table/incident/")]
HOST_CALLS = [("GET", "/isolation"), ("DELETE", "/isolation"), ("PATCH", "v1/computers/"),
              ("GET", "v1/computers/")]


def strike(system, kind, struck=CALLS, **parameters):
    """The first call of each sort meets this fault."""
    for method, path in struck:
        system.sandbox.fault(kind=kind, method=method, path=path, count=1, **parameters)


def committed(system, vendor, method, text):
    """How often each record was changed so."""
    found = {}
    for call in calls(system, vendor=vendor, method=method):
        if call["committed"] and text in (call["body"] or ""):
            found[call["record"]] = found.get(call["record"], 0) + 1
    return found


def each_side_once(system, count, resolved=True, deadline=60):
    closed(system, count, deadline)
    assert list(committed(system, "threat_response", "PATCH", '"Closed').values()) == [1] * count
    assert all(one["status"].startswith("Closed") for one in ctim(system)["incidents"])
    for one in ctim(system)["incidents"]:
        assert [r["source_name"] for r in one["external_references"]].count("ServiceNow") == 1
    if not resolved:
        return
    assert list(committed(system, "servicenow", "PATCH", '"state":"6"').values()) == [1] * count
    for ticket in tickets(system):
        reports = [note for note in notes(ticket) if "Tocsin has closed this incident" in note]
        assert ticket["state"] == "6" and len(reports) == 1, notes(ticket)


def close_all(system):
    for incident_id in incident_ids(system):
        system.tocsin("incident", "close", incident_id, "--verdict", "false_positive")


@pytest.fixture
def acme(system):
    return installation(system)


@pytest.mark.parametrize("commit", ["early", "late"])
def test_kill_at_every_call(acme, commit):
    """kill -9 while one incident each is in one of the calls: committed or about to be."""
    service = acme.start("incident")
    opened(acme, 8)
    strike(acme, "latency", ms=1500, commit=commit)
    close_all(acme)
    wait_until(lambda: acme.sandbox.hits() == len(CALLS), 20, "all calls struck")
    service.kill()
    acme.services.remove(service)
    acme.start("incident")
    each_side_once(acme, 8)


@pytest.mark.parametrize("method, path", CALLS)
def test_kill_in_this_call(acme, method, path):
    """The one incident there is; the answer never comes."""
    service = acme.start("incident")
    opened(acme)
    strike(acme, "latency", [(method, path)], ms=1200, commit="early")
    close_all(acme)
    wait_until(lambda: acme.sandbox.hits() == 1, 20, "struck")
    service.kill()
    acme.services.remove(service)
    acme.start("incident")
    each_side_once(acme, 1)


def killed_and_started(system, service, **env):
    """In a call that a fault makes last."""
    wait_until(lambda: system.sandbox.hits() == 1, 20, "struck")
    service.kill()
    system.services.remove(service)
    return system.start("incident", **env)


@pytest.mark.parametrize("commit", ["early", "late"])
def test_kill_while_it_is_reopened(acme, commit):
    """Open again on the ticket, in Threat Response and here, each once; its group joins it."""
    service = acme.start("incident")
    (ticket,) = opened(acme, group="g")
    close(acme, ticket)
    said(acme, ticket)
    closed(acme)
    open_again(acme, ticket)
    acme.sandbox.fault(kind="latency", vendor="threat_response", method="POST", path="/status", count=1,
                       ms=1500, commit=commit)
    said(acme, ticket, op="reopen")
    killed_and_started(acme, service)
    wait_until(lambda: entity(acme)["status"] == "Open" and acme.drained(), 40, "open there")
    assert states(acme) == ["open"] and len(ctim(acme)["incidents"]) == 1
    add(acme, finding(9, group="g"))
    wait_until(lambda: incident(acme)["findings"] == "2" and acme.drained(), 20, "joined")
    assert len(tickets(acme)) == 1
    close(acme, ticket)
    said(acme, ticket)
    closed(acme)
    assert entity(acme)["status"] == "Closed"


@pytest.mark.parametrize("commit", ["early", "late"])
def test_kill_while_a_merge_is_told(system, commit):
    installation(system, threat_response=True)
    soon = {"TOCSIN_RECONCILE_INTERVAL": "300ms"}
    service = system.start("incident", **soon)
    opened(system)
    system.sandbox.fault(kind="latency", vendor="servicenow", method="PATCH", path="table/incident", count=1,
                         ms=1500, commit=commit)
    set_status(system, "Closed: Merged")
    service = killed_and_started(system, service, **soon)
    wait_until(lambda: incident(system).get("step.contain.note", "").startswith("done"), 40, "told")
    told = [note for note in notes(tickets(system)[0]) if "closed there as merged" in note]
    assert len(told) == 1 and states(system) == ["open"]


def test_kill_again_and_again(acme):
    """Wherever it strikes."""
    service = acme.start("incident")
    opened(acme, 30)
    acme.sandbox.fault(kind="latency", ms=30, jitter_ms=60)
    close_all(acme)
    for _ in range(4):
        done = len(calls(acme))
        wait_until(lambda: len(calls(acme)) > done + 25 or "closed" in states(acme)[:1], 20, "some calls")
        service.kill()
        acme.services.remove(service)
        service = acme.start("incident")
    each_side_once(acme, 30)


@pytest.mark.parametrize("kind, parameters", [
    ("cut_before", {}), ("cut_after", {}), ("5xx_before", {"status": 503}),
    ("5xx_after", {"status": 500}), ("truncated_json", {}), ("202", {}), ("cut_body", {}),
    ("wrong_content_type", {}), ("429", {"retry_after": 1})])
def test_bad_answer_at_every_call(acme, kind, parameters):
    acme.start("incident")
    opened(acme, 6)
    strike(acme, kind, **parameters)
    close_all(acme)
    each_side_once(acme, 6)


# ---- hosts


@pytest.fixture
def hosts(system):
    return Estate(system, "secure_endpoint", {"triage_group": TRIAGE}, closing=FRESH)


def let_go_once(hosts, count, deadline=60):
    numbers = range(1, count + 1)
    wait_until(lambda: free(hosts, *numbers), deadline, "all are free")
    wait_until(lambda: hosts.system.length("actions") == 0, 20, "nothing is under way")
    assert [len(hosts.acts("release", f"WS-{n}")) for n in numbers] == [1] * count
    assert [len(hosts.acts("move", f"WS-{n}")) for n in numbers] == [2] * count, "there and back"
    for n in numbers:
        assert not hosts.holders(f"WS-{n}")
        assert {e["state"] for e in hosts.ledger(n)} <= {"released"}
        assert hosts.state(f"WS-{n}")[1] != TRIAGE
    assert hosts.system.length("dead") == 0


@pytest.mark.parametrize("commit", ["early", "late"])
def test_kill_while_hosts_are_let_go(hosts, commit):
    service = hosts.start()
    contained(hosts, 5)
    strike(hosts.system, "latency", HOST_CALLS, ms=1500, commit=commit)
    for n in range(1, 6):
        hosts.close(n)
    wait_until(lambda: hosts.system.sandbox.hits() >= 3, 20, "calls struck")
    service.kill()
    hosts.system.services.remove(service)
    hosts.start()
    let_go_once(hosts, 5)


@pytest.mark.parametrize("kind, parameters", [
    ("cut_before", {}), ("cut_after", {}), ("5xx_before", {"status": 503}), ("5xx_after", {"status": 500}),
    ("truncated_json", {}), ("429", {"retry_after": 1})])
def test_bad_answers_while_hosts_are_let_go(hosts, kind, parameters):
    hosts.start()
    contained(hosts, 5)
    strike(hosts.system, kind, HOST_CALLS, **parameters)
    for n in range(1, 6):
        hosts.close(n)
    let_go_once(hosts, 5)


def test_what_cannot_be_undone_is_failed_and_retried(hosts):
    """The vendor refuses: the incident fails, visibly, and a person has it tried again."""
    service = hosts.start()
    contained(hosts, 1)
    fault = hosts.system.sandbox.fault(kind="reply", vendor="secure_endpoint", method="DELETE",
                                       path="/isolation", status=404, body={
                                           "version": "v1.2.0", "data": {}, "errors": [
                                               {"error_code": 404, "description": "Not Found",
                                                "details": ["gone"]}]})
    hosts.system.tocsin("incident", "close", hosts.of(1))
    wait_until(lambda: incident(hosts.system, hosts.of(1))["state"] == "failed", 30, "failed")
    wait_until(lambda: any("FAILED" in note for note in notes(tickets(hosts.system)[0])), 20, "told")
    assert hosts.isolated("WS-1") and hosts.ledger(1)
    service.counts(1, "tocsin_incident_steps_total", step="release.isolate", outcome="failed")
    hosts.system.sandbox.heal(fault)
    hosts.system.tocsin("incident", "retry", hosts.of(1))
    wait_until(lambda: free(hosts, 1), 20, "let go")


# ---- outages


def test_servicenow_is_down_for_long(acme):
    """Closed while it is down: it is done when it is back; meanwhile nothing dies."""
    acme.start("incident")
    many = opened(acme, 5)
    fault = acme.sandbox.fault(kind="5xx_before", vendor="servicenow", status=503)
    close_all(acme)
    for ticket in many:
        said(acme, ticket)
    acme.pause(6)
    assert acme.length("dead") == 0 and "closed" not in states(acme)
    acme.sandbox.heal(fault)
    each_side_once(acme, 5)


def test_threat_response_is_down(acme):
    """The ticket is resolved all the same."""
    acme.start("incident")
    opened(acme, 2)
    fault = acme.sandbox.fault(kind="5xx_before", vendor="threat_response", status=503)
    close_all(acme)
    wait_until(lambda: all(ticket["state"] == "6" for ticket in tickets(acme)), 20, "tickets are resolved")
    assert "closed" not in states(acme)
    acme.sandbox.heal(fault)
    each_side_once(acme, 2)


@pytest.mark.skipif(build_dir().name != "release", reason="sanitizers want to be loaded first")
def test_stuck_for_73_hours(acme):
    library = acme.folder / "fast_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", library, "-"], check=True, text=True,
                   input=FAST_CLOCK.replace("3600", "73 * 3600"))
    acme.start("incident")
    (ticket,) = opened(acme)
    fault = acme.sandbox.fault(kind="5xx_before", vendor="threat_response", status=503)
    close(acme, ticket)
    said(acme, ticket)
    wait_until(lambda: states(acme) == ["closing"], 20, "it is stuck")
    acme.stop()
    before = len(calls(acme, vendor="threat_response"))
    acme.start("incident", LD_PRELOAD=str(library))
    wait_until(lambda: len(calls(acme, vendor="threat_response")) > before + 2, 20, "it is tried on")
    assert acme.length("dead") == 0 and states(acme) == ["closing"]
    acme.sandbox.heal(fault)
    closed(acme)
    assert entity(acme)["status"] == "Closed"


def test_redis_restarts(acme):
    acme.start("incident")
    opened(acme, 10)
    acme.sandbox.fault(kind="latency", ms=50)
    close_all(acme)
    wait_until(lambda: "closing" in states(acme) or "closed" in states(acme), 20, "some close")
    acme.redis.restart()
    each_side_once(acme, 10)
