"""The incident service against a real Redis and the sandbox: one problem, one ticket, whatever
happens on the way."""
import collections
import hashlib
import json
import time
import urllib.parse

import pytest
from harness import System, wait_until

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
    system.customer("acme")
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
    assert service.metric("tocsin_findings_total", outcome="opened") == 1
    assert service.metric("tocsin_event_to_ticket_seconds_count") == 1
    lines = timeline(acme, state["id"])
    for step in ("inspect", "threat_response.create", "servicenow.create", "servicenow.link",
                 "threat_response.link"):
        assert f" {step}: " in lines, lines
