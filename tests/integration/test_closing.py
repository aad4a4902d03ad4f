"""Closing against a real Redis and the sandbox: what is said is a hint, the ticket decides; each side is
closed once, whatever happens on the way."""
import pytest
from harness import wait_until
from harness.closing import FRESH, analysts, close, said
from test_incident import add, ctim, finding, incident, incident_ids, notes, settled, tickets, timeline


def installation(system, **closing):
    system.servicenow()
    analysts(system)
    system.threat_response()
    system.customer("acme", closing={**FRESH, **closing})
    system.apply()
    return system


def opened(system, count=1, first=1):
    """Opens so many incidents; their tickets, in the order of the events."""
    known = {ticket["sys_id"] for ticket in tickets(system)}
    add(system, *(finding(first + i, host=f"WS-{first + i}") for i in range(count)))
    wait_until(lambda: len(tickets(system)) == len(known) + count and system.drained(), 40,
               f"{count} tickets")
    return [ticket for ticket in tickets(system) if ticket["sys_id"] not in known]


def state(system):
    return incident(system)["state"]


def closed(system, count=1, deadline=30):
    def done():
        return sum(incident(system, i).get("state") == "closed" for i in incident_ids(system)) == count
    wait_until(lambda: done() and system.drained(), deadline, f"{count} closed")
    assert system.length("dead") == system.length("closures") == 0


def closings(system):
    """How often each incident was closed in Threat Response."""
    calls = system.sandbox.get("ledger?vendor=threat_response&method=PATCH")["calls"]
    return sum('"Closed' in (call["body"] or "") for call in calls)


def test_the_ticket_is_closed_and_everything_with_it(system):
    installation(system)
    service = system.start("incident")
    (ticket,) = opened(system)
    close(system, ticket)
    said(system, ticket)
    closed(system)
    (entity,) = ctim(system)["incidents"]
    assert entity["status"] == "Closed"
    assert entity["incident_time"]["closed"]
    references = [r for r in entity["external_references"] if r["source_name"] == "ServiceNow"]
    assert [r["external_id"] for r in references] == [ticket["number"]]
    assert closings(system) == 1
    assert service.metric("tocsin_closings_total", via="servicenow", outcome="closed") == 1
    (incident_id,) = incident_ids(system)
    assert "threat_response.close: Closed" in timeline(system, incident_id)
    # Closed for good: not written to.
    assert len(notes(tickets(system)[0])) == 2
