"""The incident service against a real Redis and the sandbox: one problem, one ticket, whatever
happens on the way."""
import collections
import hashlib
import json
import subprocess
import time
import urllib.parse

import pytest
from harness import System, build_dir, wait_until

COMPANY = "d" * 32

# ---- findings, as the normalizer makes them


def payload(event_id, host, severity_id, when_ms, event_type):
    return {
        "class_uid": 2004, "category_uid": 2, "activity_id": 1, "type_uid": 200401,
        "severity_id": severity_id, "time": when_ms, "confidence_id": 3, "disposition_id": 1,
        "metadata": {"version": "1.8.0", "original_event_uid": str(event_id),
                     "product": {"name": "Secure Endpoint", "vendor_name": "Cisco",
                                 "uid": "cisco_secure_endpoint"}},
        "finding_info": {"uid": str(event_id), "title": f"{event_type}: W32.Sample",
                         "types": [event_type],
                         "src_url": "https://console.amp.example.com/events/1"},
        "device": {"hostname": host, "uid": f"guid-{host}", "ip": "10.1.2.3"},
        "evidences": [{"file": {"name": "invoice.exe", "type_id": 1, "hashes": [
            {"algorithm_id": 3, "algorithm": "SHA-256",
             "value": hashlib.sha256(str(event_id).encode()).hexdigest()}]}}]}


def finding(event_id, customer="acme", group=None, severity_id=4, host="WS-1", when_ms=None,
            event_type="Threat Detected"):
    now = int(time.time() * 1000)
    when_ms = when_ms or now - 42_000
    key = hashlib.sha256(f"{customer} {group or event_id}".encode()).hexdigest()[:16]
    return {"v": "1", "customer": customer, "source": "secure_endpoint", "event_id": str(event_id),
            "uid": f"secure_endpoint:{event_id}", "group": key, "severity_id": str(severity_id),
            "time_ms": str(when_ms), "observed_ms": str(now), "trace": "",
            "payload": json.dumps(payload(event_id, host, severity_id, when_ms, event_type))}


def add(system, *findings):
    for fields in findings:
        system.redis.client.xadd(system.key_name("findings"), fields)


# ---- what became of them


def tickets(system, instance="main"):
    return system.sandbox.get(f"state/servicenow/{instance}")["incidents"]


def ctim(system, organisation="client-xdr"):
    return system.sandbox.get(f"state/threat_response/{organisation}")


def calls(system, **query):
    return system.sandbox.get("ledger?" + urllib.parse.urlencode(query))["calls"]


def incident_ids(system):
    found = set()
    for key in system.redis.client.scan_iter(system.key_name("incident:*")):
        found.add(key.split("incident:")[1].split(":")[0])
    return found


def incident(system, incident_id=None):
    if incident_id is None:
        (incident_id,) = incident_ids(system)
    return system.redis.client.hgetall(system.key_name(f"incident:{incident_id}"))


def timeline(system, incident_id):
    return "\n".join(system.redis.client.lrange(
        system.key_name(f"incident:{incident_id}:timeline"), 0, -1))


def notes(ticket):
    return [note["value"] for note in ticket["work_notes"]]


def settled(system, deadline=30):
    wait_until(system.drained, deadline, "everything is settled")
    assert system.length("dead") == 0


def expect_one_each(system, count, instance="main", deadline=40):
    """count incidents, each once on both sides, with links both ways."""
    wait_until(lambda: len(tickets(system, instance)) >= count and system.drained(), deadline,
               f"{count} tickets")
    assert system.length("dead") == 0
    seen = collections.Counter(t["correlation_id"] for t in tickets(system, instance))
    assert len(seen) == count and set(seen.values()) == {1}
    entities = ctim(system)
    keys = collections.Counter(x for i in entities["incidents"] for x in i["external_ids"]
                               if x.startswith("tocsin-i:"))
    assert keys == seen
    assert len(entities["sightings"]) == len(entities["relationships"]) == count
    for ticket in tickets(system, instance):
        texts = notes(ticket)
        assert len(texts) == 2, texts
        assert texts[1].startswith("respond/trigger/tocsin/close?observable_type=")
    for entity in entities["incidents"]:
        linked = [r for r in entity["external_references"] if r["source_name"] == "ServiceNow"]
        assert len(linked) == 1, linked


@pytest.fixture
def acme(system):
    """One customer with both vendors; the service is started by the test."""
    system.servicenow()
    system.threat_response()
    system.customer("acme", closing={"grace": "0s", "report": False})
    system.apply()
    return system


# ---- the forward path


def test_opens_on_both_sides_and_links(acme):
    service = acme.start("incident")
    add(acme, finding(7165437912345678901))
    settled(acme)
    expect_one_each(acme, 1)
    state = incident(acme)
    (ticket,) = tickets(acme)
    (entity,) = ctim(acme)["incidents"]
    assert state["state"] == "open"
    assert state["servicenow.sys_id"] == ticket["sys_id"]
    assert state["servicenow.number"] == ticket["number"]
    assert state["threat_response.id"] == entity["id"]
    assert "opening" not in state or not state["opening"]
    assert acme.fate("acme", 7165437912345678901) == f"incident:{state['id']}"

    assert ticket["short_description"].startswith("[Acme] - New Cisco Secure event [Threat Detected]")
    assert ticket["short_description"].endswith(" [SecureX]")
    assert (ticket["impact"], ticket["urgency"]) == ("2", "2")
    assert ticket["company"] == COMPANY and ticket["correlation_display"] == "Tocsin"
    assert ticket["correlation_id"] == f"tocsin-i:test:acme:{state['group']}:{state['id']}"
    first, second = notes(ticket)
    for fact in ("Customer name: Acme", "Event type: Threat Detected", " UTC", "sha256: ",
                 "Event id: 7165437912345678901", "Seen by Tocsin: 42 s", "/investigate?q=",
                 "https://console.amp.example.com/events/1"):
        assert fact in first, fact
    url = second.splitlines()[0]
    value = urllib.parse.parse_qs(url.split("?", 1)[1])["observable_value"][0]
    assert json.loads(value) == {
        "snow-incident-id": ticket["sys_id"], "securex-incident-id": entity["id"],
        "customer-name": "Acme", "tocsin-incident-id": state["id"]}
    assert entity["id"] in second

    assert (entity["status"], entity["confidence"], entity["severity"], entity["tlp"]) == (
        "New", "High", "High", "amber")
    assert f"tocsin-g:test:acme:{state['group']}" in entity["external_ids"]
    (relationship,) = ctim(acme)["relationships"]
    assert relationship["relationship_type"] == "member-of"
    assert relationship["target_ref"] == entity["id"]
    service.counts(1, "tocsin_findings_total", outcome="opened")
    service.counts(1, "tocsin_event_to_ticket_seconds_count")
    lines = timeline(acme, state["id"])
    for step in ("inspect", "threat_response.create", "servicenow.create", "servicenow.link",
                 "threat_response.link"):
        assert f" {step}: " in lines, lines


def test_detection_and_failed_quarantine_are_one_ticket(acme):
    acme.start("incident")
    add(acme, finding(1, group="detection-1"),
        finding(2, group="detection-1", event_type="Quarantine Failure"))
    wait_until(lambda: tickets(acme) and len(notes(tickets(acme)[0])) == 3 and acme.drained(), 30,
               "three notes")
    (ticket,) = tickets(acme)
    assert notes(ticket)[1].startswith("respond/trigger/")
    # Which of the two came first is up to the threads that read them.
    assert "1 more event" in notes(ticket)[2]
    assert "Quarantine Failure" in notes(ticket)[0] + notes(ticket)[2]
    assert incident(acme)["findings"] == "2"
    assert acme.fate("acme", 1) == acme.fate("acme", 2) == f"incident:{incident(acme)['id']}"
    assert len(ctim(acme)["incidents"]) == 1


def test_servicenow_only(system):
    system.servicenow()
    system.customer("acme", xdr=None)
    system.apply()
    system.start("incident")
    add(system, *(finding(i) for i in range(20)))
    wait_until(lambda: len(tickets(system)) == 20 and system.drained(), 30, "20 tickets")
    for ticket in tickets(system):
        assert len(notes(ticket)) == 2
        assert "securex-incident-id" not in notes(ticket)[1]


def test_configuration_item(acme):
    """Linked when there is one of that name; an instance without any is not asked for each device."""
    acme.start("incident")
    add(acme, *(finding(i, host=f"WS-{i}") for i in range(1, 4)))
    expect_one_each(acme, 3)
    asked = [c for c in calls(acme, vendor="servicenow") if c["path"].endswith("cmdb_ci")]
    assert asked and not any("WS-" in c["query"] for c in asked)
    acme.stop()
    acme.sandbox.post("accounts", {"vendor": "servicenow", "account": "main", "tables": {
        "cmdb_ci": [{"sys_id": "a" * 32, "name": "WS-7", "install_status": "1",
                     "operational_status": "1"}]}})
    acme.start("incident")
    add(acme, finding(7, host="WS-7"), finding(8, host="WS-8"))
    expect_one_each(acme, 5)
    linked = {t["short_description"].split("for [")[1].split("]")[0]: t.get("cmdb_ci", "")
              for t in tickets(acme)}
    assert linked["WS-7"] == "a" * 32
    assert not any(item for host, item in linked.items() if host != "WS-7")


def test_threat_response_only(system):
    system.threat_response()
    system.customer("acme", instance=None)
    system.apply()
    system.start("incident")
    add(system, finding(1), finding(2, group=1))
    wait_until(lambda: len(ctim(system)["incidents"]) == 1, 30, "one incident")
    settled(system)
    wait_until(lambda: incident(system)["findings"] == "2", 10, "both findings")
    assert incident(system)["state"] == "open"


def test_below_the_minimum(acme):
    acme.start("incident")
    add(acme, finding(1, severity_id=2), finding(2, severity_id=99), finding(3, severity_id=3))
    expect_one_each(acme, 2)
    assert acme.fate("acme", 1) == "recorded:below the customer's minimum severity"
    assert {t["impact"] + t["urgency"] for t in tickets(acme)} == {"33", "32"}


def test_malformed_finding_is_dead(acme):
    acme.start("incident")
    bad = finding(1)
    bad["payload"] = bad["payload"][:-1]
    add(acme, bad, {**finding(2), "group": "x"}, finding(3))
    wait_until(lambda: acme.length("dead") == 2, 20, "two dead")
    wait_until(lambda: len(tickets(acme)) == 1 and acme.drained(), 20, "the good one's ticket")
    assert acme.fate("acme", 1).startswith("dead:")


def test_what_redis_refuses_does_not_age(acme):
    """A key of another type, a right that is missing: nothing is dead however long it lasts."""
    one = finding(1)
    spoiled = acme.key_name(f"group:acme:{one['group']}")
    acme.redis.client.rpush(spoiled, "x")
    acme.start("incident", TOCSIN_GIVE_UP="4s", TOCSIN_FATE_TTL="60s")
    add(acme, one)
    started = time.monotonic()
    wait_until(lambda: acme.length("dead") or time.monotonic() - started > 8, 20, "twice the time")
    assert acme.length("dead") == 0
    acme.redis.client.delete(spoiled)
    expect_one_each(acme, 1)


def test_shadow_mode_then_live(system):
    """Nothing outside; what would have been done is told; live, the next finding opens it."""
    system.servicenow()
    system.threat_response()
    system.customer("acme", mode="shadow")
    system.apply()
    system.start("incident")
    add(system, finding(1, group="g"), finding(2, group="g"))
    wait_until(lambda: incident(system)["findings"] == "2" and system.drained(), 20, "two findings")
    state = incident(system)
    assert state["shadow"] == "1"
    assert "would have created the ticket [Acme] - New" in timeline(system, state["id"])
    assert not calls(system, vendor="servicenow") and not calls(system, vendor="threat_response")
    system.stop()
    system.customer("acme", mode="live")
    system.apply()
    system.start("incident")
    add(system, finding(3, group="g"))
    expect_one_each(system, 1)
    assert incident(system)["shadow"] == ""
    assert "Event id: 3" in notes(tickets(system)[0])[0]


def waiting_reasons(system):
    rows = system.redis.client.fcall("deferred_list", 1, system.key_name("deferred"), 0, 100)
    return [row[2] for row in rows]


def test_shadow_mode_stops_what_was_begun(system):
    """Nothing is done outside from then on; live again, it goes on."""
    system.servicenow()
    system.customer("acme", xdr=None)
    system.apply()
    system.start("incident")
    fault = system.sandbox.fault(kind="5xx_before", vendor="servicenow", account="main", status=503)
    add(system, finding(1))
    wait_until(lambda: system.sandbox.hits() > 1, 20, "tries")
    system.customer("acme", xdr=None, mode="shadow")
    system.apply()
    wait_until(lambda: "customer:acme" in waiting_reasons(system), 20, "waits for the customer")
    system.sandbox.heal(fault)
    done = len(calls(system))
    add(system, finding(2, group="1", severity_id=5))
    wait_until(lambda: incident(system)["waiting.count"] == "1", 20, "the later one is looked at")
    assert len(calls(system)) == done and not tickets(system)
    system.customer("acme", xdr=None)
    system.apply()
    time_is_up = ("wake_matching", 1, system.key_name("deferred"), "customer:acme", 0)
    wait_until(lambda: system.redis.client.fcall(*time_is_up) and tickets(system), 20, "the ticket")


def test_paused_and_unknown_customers_wait(acme):
    acme.customer("later")
    acme.customer("acme", mode="paused")
    acme.apply()
    service = acme.start("incident")
    add(acme, finding(1), finding(2, customer="stranger"), finding(3, customer="later"))
    wait_until(lambda: len(tickets(acme)) == 1, 20, "the ticket of the live one")
    wait_until(lambda: acme.redis.client.zcard(acme.key_name("deferred")) == 2, 20, "two wait")
    assert acme.length("dead") == 0
    complaints = [line["msg"] for line in service.log_lines() if line["level"] == "error"]
    assert len(complaints) == 2, complaints
    assert any("acme is paused" in c for c in complaints)
    assert any("stranger is unknown" in c for c in complaints)


def test_a_customer_just_added_waits_a_moment(acme):
    acme.start("incident")
    add(acme, finding(1, customer="new"))
    wait_until(lambda: "customer:new" in waiting_reasons(acme), 10, "not known yet")
    acme.customer("new")
    acme.apply()
    wait_until(lambda: tickets(acme), 20, "the ticket, and not a minute later")


# ---- later findings


def test_notes_wait_and_a_rise_does_not(acme):
    """One note at once, then several findings in one; a rise in severity at once, with priority."""
    acme.customer("acme", notes={"intervals": ["0s", "2s", "1h", "1h"]})
    acme.apply()
    acme.start("incident")
    add(acme, finding(1, group="g", severity_id=3))
    wait_until(lambda: tickets(acme) and len(notes(tickets(acme)[0])) == 2, 20, "the ticket")
    add(acme, finding(2, group="g", severity_id=3))
    wait_until(lambda: len(notes(tickets(acme)[0])) == 3, 10, "the first note at once")
    add(acme, *(finding(i, group="g", severity_id=3) for i in range(3, 8)))
    wait_until(lambda: len(notes(tickets(acme)[0])) == 4, 10, "one note for five")
    assert notes(tickets(acme)[0])[3].startswith("5 more events")
    (ticket,) = tickets(acme)
    assert (ticket["impact"], ticket["urgency"]) == ("3", "2")
    add(acme, finding(9, group="g", severity_id=5))
    wait_until(lambda: len(notes(tickets(acme)[0])) == 5, 20, "the rise, an hour before a note is due")
    (ticket,) = tickets(acme)
    assert (ticket["impact"], ticket["urgency"]) == ("2", "1")
    settled(acme)


def change_ticket(system, ticket, **columns):
    """As a person does in ServiceNow."""
    import requests
    answer = requests.patch(
        f"{system.sandbox.url}/snow/main/api/now/v2/table/incident/{ticket['sys_id']}",
        json=columns, auth=("tocsin", "snow-secret"), timeout=10)
    assert answer.status_code == 200, answer.text


def test_priority_that_a_person_changed_is_theirs(acme):
    acme.start("incident")
    add(acme, finding(1, group="g", severity_id=3))
    expect_one_each(acme, 1)
    change_ticket(acme, tickets(acme)[0], impact="3", urgency="3")
    add(acme, finding(2, group="g", severity_id=5))
    wait_until(lambda: len(notes(tickets(acme)[0])) == 3, 20, "the note")
    (ticket,) = tickets(acme)
    assert (ticket["impact"], ticket["urgency"]) == ("3", "3")


def test_finding_after_the_closing_opens_a_new_one(acme):
    """The closed ticket is not written; an older event is only recorded on it."""
    acme.start("incident")
    add(acme, finding(1, group="g"))
    expect_one_each(acme, 1)
    old = incident(acme)["id"]
    (ticket,) = tickets(acme)
    change_ticket(acme, ticket, state="6", close_code="Solution provided", close_notes="done")
    add(acme, finding(2, group="g", when_ms=int(time.time() * 1000) - 3600_000))
    wait_until(lambda: incident(acme)["state"] == "closed", 20, "closed here too")
    settled(acme)
    assert len(tickets(acme)) == 1 and len(notes(tickets(acme)[0])) == 2
    assert "1 later events recorded, 0 of them" in timeline(acme, old)
    add(acme, finding(3, group="g", when_ms=int(time.time() * 1000) + 5000))
    expect_one_each(acme, 2)
    (new,) = incident_ids(acme) - {old}
    assert incident(acme, new)["previous"] == old
    newer = next(t for t in tickets(acme) if t["sys_id"] != ticket["sys_id"])
    assert f"Follows Tocsin incident {old}" in notes(newer)[0]


def test_finding_that_meets_a_closed_ticket_is_handed_on(acme):
    """We learn of the closing only when we come to write a note: that finding opens a new one."""
    acme.start("incident")
    add(acme, finding(1, group="g"))
    expect_one_each(acme, 1)
    change_ticket(acme, tickets(acme)[0], state="8")
    add(acme, finding(2, group="g", when_ms=int(time.time() * 1000) + 5000),
        finding(3, group="g", when_ms=int(time.time() * 1000) + 6000))
    wait_until(lambda: len(tickets(acme)) == 2 and acme.drained(), 30, "a new ticket")
    assert len({t["correlation_id"] for t in tickets(acme)}) == 2
    cancelled = next(t for t in tickets(acme) if t["state"] == "8")
    assert len(notes(cancelled)) == 2


# ---- crashes and bad answers

# Each call of an opening that changes something, and inspect: method and path.
CALLS = [("POST", "iroh-inspect/inspect"), ("POST", "bundle/import"), ("POST", "table/incident"),
         ("PATCH", "table/incident/"), ("PATCH", "ctia/incident/")]


def strike(system, kind, calls_struck=None, **parameters):
    """The first call of each sort meets this fault."""
    for method, path in calls_struck or CALLS:
        system.sandbox.fault(kind=kind, method=method, path=path, count=1, **parameters)


@pytest.mark.parametrize("commit", ["early", "late"])
def test_kill_at_every_call(acme, commit):
    """kill -9 while one incident each is in one of the calls: committed or about to be."""
    service = acme.start("incident")
    strike(acme, "latency", ms=1500, commit=commit)
    add(acme, *(finding(i) for i in range(8)))
    wait_until(lambda: acme.sandbox.hits() == len(CALLS), 20, "all calls struck")
    service.kill()
    acme.services.remove(service)
    acme.start("incident")
    expect_one_each(acme, 8)


def test_kill_again_and_again(acme):
    """Wherever it strikes."""
    acme.sandbox.fault(kind="latency", ms=30, jitter_ms=60)
    total = 60
    add(acme, *(finding(i) for i in range(total)))
    for round_ in range(4):
        service = acme.start("incident")
        done = len(calls(acme))
        wait_until(lambda: len(calls(acme)) > done + 25, 20, "some calls")
        service.kill()
        acme.services.remove(service)
    acme.start("incident")
    expect_one_each(acme, total, deadline=60)


@pytest.mark.parametrize("kind, parameters", [
    ("cut_before", {}), ("cut_after", {}), ("5xx_before", {"status": 503}),
    ("5xx_after", {"status": 500}), ("truncated_json", {}), ("202", {}), ("cut_body", {}),
    ("wrong_content_type", {}), ("429", {"retry_after": 1})])
def test_bad_answer_at_every_call(acme, kind, parameters):
    acme.start("incident")
    strike(acme, kind, **parameters)
    add(acme, *(finding(i) for i in range(6)))
    expect_one_each(acme, 6)


def test_stop_in_mid_call(acme):
    service = acme.start("incident")
    strike(acme, "latency", ms=1000, commit="early")
    add(acme, *(finding(i) for i in range(8)))
    wait_until(lambda: acme.sandbox.hits() >= 3, 20, "calls under way")
    service.stop(10)
    acme.services.remove(service)
    acme.start("incident")
    expect_one_each(acme, 8)


def test_redis_restarts(acme):
    acme.start("incident")
    acme.sandbox.fault(kind="latency", ms=50)
    add(acme, *(finding(i) for i in range(20)))
    wait_until(lambda: len(tickets(acme)) >= 3, 20, "some tickets")
    acme.redis.restart()
    expect_one_each(acme, 20, deadline=60)


def test_two_workers_share_the_work(acme):
    acme.start("incident")
    acme.start("incident")
    acme.sandbox.fault(kind="latency", ms=20, jitter_ms=20)
    add(acme, *(finding(i, group=f"g{i % 10}") for i in range(30)))
    wait_until(lambda: len(tickets(acme)) == len(ctim(acme)["incidents"]) == 10 and acme.length("actions") == 0, 30,
               "ten on both sides")
    assert sum(int(incident(acme, i)["findings"]) for i in incident_ids(acme)) == 30
    assert len({t["correlation_id"] for t in tickets(acme)}) == 10


FAST_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *now)
{
	int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
	int error = real(id, now);
	if (id == CLOCK_REALTIME)
		now->tv_sec += 3600;
	return error;
}
"""


@pytest.mark.skipif(build_dir().name != "release", reason="sanitizers want to be loaded first")
def test_take_over_by_a_host_whose_clock_is_fast(acme):
    """It waits the quarantine all the same: the vendor may still be at work on the dead one's
    call."""
    library = acme.folder / "fast_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", library, "-"], check=True, text=True,
                   input=FAST_CLOCK)
    slowly = {"TOCSIN_REMOTE_MAX": "13s", "TOCSIN_QUARANTINE": "16s"}
    service = acme.start("incident", **slowly)
    acme.sandbox.fault(kind="latency", vendor="servicenow", method="POST", ms=12_000, commit="late",
                       count=1)
    add(acme, finding(1))
    wait_until(lambda: acme.sandbox.hits() == 1, 20, "the call is under way")
    service.kill()
    acme.services.remove(service)
    struck = time.monotonic()
    acme.start("incident", LD_PRELOAD=str(library), **slowly)
    wait_until(lambda: time.monotonic() > struck + 13, 20, "the vendor has done it")
    expect_one_each(acme, 1)


def test_wake_up_that_was_lost_is_made_again(system):
    """The one that waited for the incident died, and was replayed, or dropped: the next wake-up
    of any kind takes its place."""
    system.servicenow()
    system.customer("acme", xdr=None)
    system.apply()
    system.sandbox.fault(kind="429", vendor="servicenow", account="main", retry_after=3000)
    system.start("incident")
    add(system, finding(1))
    wait_until(lambda: waiting_reasons(system), 20, "it waits")
    (incident_id,) = incident_ids(system)
    system.redis.client.delete(system.key_name("deferred"))
    hour_ago = int(time.time() * 1000) - 3_600_000
    system.redis.client.hset(system.key_name(f"incident:{incident_id}"), "wake_ms", hour_ago)
    system.redis.client.xadd(system.key_name("actions"), {"v": "1", "incident": incident_id})
    wait_until(lambda: system.length("actions") == 0, 20, "the wake-up is settled")
    assert waiting_reasons(system)


def test_redis_loses_everything(acme):
    """What is open is found again and goes on; what was closed stays so; nothing is doubled."""
    acme.start("incident")
    add(acme, finding("first-1", group="a"), finding("first-2", group="b"),
        finding("first-3", group="c"))
    expect_one_each(acme, 3)
    closed = next(t for t in tickets(acme) if "Event id: first-3" in notes(t)[0])
    change_ticket(acme, closed, state="6", close_code="Solution provided", close_notes="done")
    acme.stop()
    acme.redis.client.flushall()
    acme.apply()
    acme.start("incident")
    # Polled again; and for one group another event comes first, so that its id is another.
    add(acme, finding("first-1", group="a"), finding("first-3", group="c"),
        finding("later-2", group="b", event_type="Quarantine Failure"))
    wait_until(lambda: acme.drained() and len(incident_ids(acme)) == 3, 30, "all are settled")
    assert len(tickets(acme)) == 3 and len(ctim(acme)["incidents"]) == 3
    states = {incident(acme, i)["event_id"]: incident(acme, i) for i in incident_ids(acme)}
    assert states["first-1"]["state"] == states["later-2"]["state"] == "open"
    assert states["first-3"]["state"] == "closed"
    by_event = {notes(t)[0].split("Event id: ")[1].split()[0]: t for t in tickets(acme)}
    assert states["first-1"]["servicenow.sys_id"] == by_event["first-1"]["sys_id"]
    assert states["later-2"]["servicenow.sys_id"] == by_event["first-2"]["sys_id"]
    assert len(notes(by_event["first-1"])) == 2 and len(notes(by_event["first-3"])) == 2
    assert "Quarantine Failure" in notes(by_event["first-2"])[2]
    for entity in ctim(acme)["incidents"]:
        assert len([r for r in entity["external_references"]
                    if r["source_name"] == "ServiceNow"]) == 1
    # What never was outside is opened as ever.
    add(acme, finding("new-1", group="d"))
    wait_until(lambda: len(tickets(acme)) == 4 and acme.drained(), 20, "a new one")


# ---- accounts


def test_one_instance_hangs_the_other_does_not(acme):
    acme.servicenow("other")
    acme.customer("calm", instance="other")
    acme.apply()
    acme.start("incident")
    hanging = acme.sandbox.fault(kind="latency", vendor="servicenow", account="main", ms=30_000,
                                 commit="late")
    add(acme, *(finding(i) for i in range(40)))
    wait_until(lambda: len(calls(acme, vendor="servicenow", account="main")) or acme.sandbox.hits(),
               20, "the first call hangs")
    add(acme, *(finding(100 + i, customer="calm") for i in range(10)))
    wait_until(lambda: len(tickets(acme, "other")) == 10, 20, "the other's tickets")
    assert not tickets(acme), "the first call hangs still"
    acme.sandbox.heal(hanging)
    wait_until(lambda: len(tickets(acme)) >= 40 and acme.drained(), 90, "all of them")
    assert acme.length("dead") == 0
    # The sandbox may commit what hung after REMOTE_MAX; ours are one each nevertheless.
    assert len({t["correlation_id"] for t in tickets(acme)}) == 40


@pytest.mark.parametrize("kind, parameters", [
    ("expired_password", {}), ("mandatory_column", {"column": "u_site"}), ("hibernation", {}),
    ("5xx_before", {"status": 503})])
def test_account_out_of_order(acme, kind, parameters):
    """Its work waits, the other vendor's goes on, nothing is dead; then it drains."""
    acme.start("incident")
    fault = acme.sandbox.fault(kind=kind, vendor="servicenow", account="main", **parameters)
    add(acme, *(finding(i) for i in range(10)))
    wait_until(lambda: len(ctim(acme)["incidents"]) == 10, 20, "Threat Response goes on")
    wait_until(lambda: acme.length("actions") == 0, 20, "all wait")
    assert acme.length("dead") == 0 and not tickets(acme)
    acme.sandbox.heal(fault)
    expect_one_each(acme, 10, deadline=60)


@pytest.mark.parametrize("kind, at_old, at_new", [("cut_after", 1, 0), ("cut_before", 0, 1)])
def test_customer_moves_while_it_is_open_whether_there_is_a_ticket(system, kind, at_old, at_new):
    """What was opened at the old instance is adopted, not taken for a stray; what was not is
    opened at the new one. The old account is other customers' too: it is not parked."""
    there = {"caller_id": "1" * 32, "company": "2" * 32, "assignment_group": "3" * 32}
    system.servicenow()
    system.servicenow("other")
    system.sandbox.servicenow("other", "tocsin", "snow-secret", there)
    system.customer("acme", xdr=None)
    system.apply()
    system.start("incident", TOCSIN_QUARANTINE="6s")
    fault = system.sandbox.fault(kind=kind, vendor="servicenow", account="main", method="POST")
    add(system, finding(1))
    wait_until(lambda: system.sandbox.hits() == 1, 20, "an answer that says nothing")
    system.sandbox.heal(fault)
    system.customer("acme", xdr=None, servicenow={"account": "snow-other", **there})
    system.apply()
    wait_until(lambda: incident(system)["state"] == "open" and system.drained(), 30, "one ticket")
    assert [len(tickets(system, name)) for name in ("main", "other")] == [at_old, at_new]
    assert not any(t["state"] == "8" for name in ("main", "other") for t in tickets(system, name))
    assert "parked" not in system.redis.client.hgetall("tocsin:account:snow-main")


def lines(system, words):
    return [line for one in incident_ids(system) for line in timeline(system, one).splitlines()
            if words in line]


def test_refusals_do_not_fill_the_timeline(system):
    """Waiting for a slot, or for a parked account, is said once of each step, however long."""
    system.servicenow(in_flight=1)
    system.customer("acme", xdr=None)
    system.apply()
    system.start("incident")
    slow = system.sandbox.fault(kind="latency", vendor="servicenow", ms=400)
    add(system, *(finding(i) for i in range(8)))
    wait_until(lambda: len(tickets(system)) == 8 and system.drained(), 60, "eight tickets")
    assert len(lines(system, "not sent")) <= 2 * 8
    system.sandbox.heal(slow)
    system.sandbox.fault(kind="expired_password", vendor="servicenow", account="main")
    add(system, *(finding(100 + i) for i in range(2)))
    wait_until(lambda: system.sandbox.hits() >= 6, 30, "several tries of the parked account")
    assert len(lines(system, "401")) <= 2 * 2 and len(lines(system, "parked")) <= 2 * 2


def test_company_that_the_instance_does_not_know(acme):
    """The ticket is taken back, the account stops until someone resumes it."""
    settings = {"account": "snow-main", "caller_id": "c" * 32, "company": "9" * 32,
                "assignment_group": "e" * 32}
    acme.customer("acme", servicenow=settings)
    acme.apply()
    service = acme.start("incident")
    add(acme, finding(1))
    wait_until(lambda: tickets(acme) and tickets(acme)[0]["state"] == "8", 20, "cancelled")
    (ticket,) = tickets(acme)
    assert ticket["short_description"].startswith("Cancelled") and not ticket.get("correlation_id")
    account = wait_until(lambda: acme.redis.client.hget("tocsin:account:snow-main", "parked"), 20, "parked")
    assert "company" in account
    acme.stop()
    assert len([line for line in service.log_lines()
                if line["level"] == "error" and "parked" in line["msg"]]) == 1
    acme.customer("acme")
    acme.apply()
    acme.start("incident")
    acme.tocsin("account", "resume", "snow-main", text=True)
    wait_until(lambda: len(tickets(acme)) == 2 and acme.drained(), 30, "the right one")
    assert acme.length("dead") == 0
    right = next(t for t in tickets(acme) if t["sys_id"] != ticket["sys_id"])
    assert right["company"] == COMPANY
