"""Alerts of Defender for Endpoint are resolved with what was found out, when their incident closes."""
import time

import pytest
from harness import wait_until
from harness.closing import FRESH, analysts, close, said
from test_closing import closed
from test_containment import finding
from test_incident import add, calls, incident, incident_ids, tickets, timeline

ALERTS = ("da1-1", "da1-2")


@pytest.fixture
def acme(system):
    system.servicenow()
    analysts(system)
    system.defender("acme", closing=FRESH, notes={"intervals": ["0s"] * 4})
    system.sandbox.post("accounts", {
        "vendor": "defender", "account": "tenant-acme.example",
        "alerts": [{"id": name, "title": "Malware", "status": "New", "machineId": "a" * 40,
                    "severity": "High", "alertCreationTime": "2026-11-01T08:00:00Z"} for name in ALERTS]})
    system.apply()
    return system


def opened(system):
    """One incident of two alerts, one of which changed in between."""
    stamp = int(time.time() * 1000)
    for event_id in (f"{ALERTS[0]}:{stamp}", f"{ALERTS[1]}:{stamp}", f"{ALERTS[0]}:{stamp + 500}"):
        add(system, finding(event_id, "WS-1", source="defender", group="g"))
    wait_until(lambda: incident_ids(system) and incident(system)["findings"] == "3" and system.drained(),
               30, "three findings")
    (ticket,) = tickets(system)
    return ticket


def alert(system, name):
    rows = system.sandbox.get("state/defender/tenant-acme.example")["alerts"]
    return next(row for row in rows if row["id"] == name)


def patches(system):
    return [c for c in calls(system, vendor="defender", method="PATCH") if c["committed"]]


@pytest.mark.parametrize("verdict, classification, determination", [
    ("false_positive", "FalsePositive", "Clean"), ("true_positive", "TruePositive", "Malware"),
    ("benign", "InformationalExpectedActivity", "Other"), (None, None, None)])
def test_alerts_are_resolved(acme, verdict, classification, determination):
    acme.start("incident")
    opened(acme)
    (incident_id,) = incident_ids(acme)
    acme.tocsin("incident", "close", incident_id, *(["--verdict", verdict] if verdict else []))
    closed(acme)
    for name in ALERTS:
        found = alert(acme, name)
        assert found["status"] == "Resolved"
        assert (found.get("classification"), found.get("determination")) == (classification, determination)
        # By this the collector knows what is our own doing.
        assert f"[tocsin-i:test:acme:{incident(acme)['group']}:{incident_id}]" in \
            found["comments"][-1]["comment"]
    assert len(patches(acme)) == 2


def test_a_classification_that_is_refused(acme):
    acme.sandbox.fault(kind="reply", vendor="defender", method="PATCH", count=1, status=400, body={
        "error": {"code": "InvalidRequestBody", "message": "Request body is incorrect", "target": "1"}})
    acme.start("incident")
    opened(acme)
    acme.tocsin("incident", "close", incident(acme)["id"], "--verdict", "benign")
    closed(acme)
    assert [alert(acme, name)["status"] for name in ALERTS] == ["Resolved", "Resolved"]
    # Whichever was asked first.
    assert {alert(acme, name).get("classification") for name in ALERTS} == {None, "InformationalExpectedActivity"}


def test_what_an_analyst_has_resolved_is_left_alone(acme):
    acme.start("incident")
    ticket = opened(acme)
    acme.sandbox.post("accounts", {
        "vendor": "defender", "account": "tenant-acme.example", "tenant_id": "tenant-acme.example",
        "alerts": [{"id": ALERTS[0], "status": "Resolved", "classification": "TruePositive"}]})
    close(acme, ticket)
    said(acme, ticket)
    closed(acme)
    assert len(patches(acme)) == 1 and alert(acme, ALERTS[0])["classification"] == "TruePositive"


def test_without_the_permission_nothing_else_stops(acme):
    acme.sandbox.post("accounts", {"vendor": "defender", "account": "tenant-acme.example",
                                   "tenant_id": "tenant-acme.example", "roles": ["Alert.Read.All"]})
    acme.start("incident")
    ticket = opened(acme)
    close(acme, ticket)
    said(acme, ticket)
    closed(acme)
    assert alert(acme, ALERTS[0])["status"] == "New"
    assert "lacks Alert.ReadWrite.All" in timeline(acme, incident(acme)["id"])
    assert not acme.redis.client.hget("tocsin:account:acme.defender", "parked")
