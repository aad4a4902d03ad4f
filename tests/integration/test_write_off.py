"""Hosts that are gone for good: an operator writes them off, with a reason, and everybody is told."""
import pytest
from harness import wait_until
from harness.closing import FRESH, cancel, said, say
from harness.linked import LinkKeys
from test_containment import TRIAGE, Estate, guid, machine_id
from test_closing_hosts import contained
from test_closing_hosts import state
from test_incident import incident, notes, tickets, timeline

SOON = {"TOCSIN_RECONCILE_INTERVAL": "300ms"}
REASON = "the disk was replaced: CHG0042"


@pytest.fixture(params=["secure_endpoint", "defender"])
def acme(system, request):
    settings = {"triage_group": TRIAGE} if request.param == "secure_endpoint" else {}
    return Estate(system, request.param, settings, closing=FRESH)


@pytest.fixture
def cisco(system):
    return Estate(system, "secure_endpoint", {}, closing=FRESH)


def forget(acme, name):
    if acme.source == "secure_endpoint":
        acme.configure(forget_computers=[guid(name)])
    else:
        acme.configure(forget_machines=[machine_id(name)])


def fail(acme, number=1):
    """Its ticket is resolved by us, and its host is not to be found."""
    acme.system.tocsin("incident", "close", acme.of(number))
    wait_until(lambda: state(acme, number) == "failed", 20, "failed")
    wait_until(lambda: any("FAILED" in note for note in notes(tickets(acme.system)[0])), 20, "told")


def write_off(acme, what, *options, expect=0):
    return acme.system.tocsin("containment", "write-off", what, "--reason", REASON, *options,
                              expect=expect, **acme.env)


def over(acme, number=1):
    found = incident(acme.system, acme.of(number))
    return (found["state"] == "closed" and not found.get("undo.due") and not found.get("write_off.by")
            and not acme.holders(f"WS-{number}")
            and not acme.system.redis.client.exists(acme.system.key_name("containment:stuck")))


def log_of(acme, number=1):
    return timeline(acme.system, acme.of(number))


def test_what_is_gone_is_written_off(acme):
    acme.start(**SOON)
    contained(acme, 1)
    forget(acme, "WS-1")
    fail(acme)
    assert acme.system.redis.client.zcard(acme.system.key_name("containment:stuck")) == 1, "the alarm's gauge"
    acts = len(acme.acts("isolate")), len(acme.acts("release"))
    write_off(acme, "ws-1")
    wait_until(lambda: over(acme), 20, "closed")
    assert {entry["state"] for entry in acme.ledger(1)} == {"written_off"}
    assert all(REASON in entry["words"] for entry in acme.ledger(1)), "who and why stays on record"
    assert REASON in log_of(acme) and "@" in acme.ledger(1)[0]["words"]
    wait_until(lambda: REASON in notes(tickets(acme.system)[0])[-1], 20, "the ticket is told")
    assert "FAILED" not in notes(tickets(acme.system)[0])[-1]
    assert acts == (len(acme.acts("isolate")), len(acme.acts("release"))), "nothing is done at the vendor"
    assert acme.system.tocsin("containment", "list")["hosts"] == []
    write_off(acme, acme.of(1), expect=1)


def test_what_is_still_contained_is_not(acme):
    service = acme.start(**SOON)
    contained(acme, 1)
    write_off(acme, "WS-1")
    wait_until(lambda: "WS-1 is not written off" in log_of(acme), 20, "refused")
    service.counts(1, "tocsin_containment_actions_total", action="write_off", outcome="refused")
    assert state(acme, 1) == "open" and acme.isolated("WS-1") and acme.holders("WS-1")
    # A person may know better than the vendor; the ticket, which is open, is told.
    write_off(acme, "WS-1", "--force")
    wait_until(lambda: not acme.holders("WS-1"), 20, "written off")
    wait_until(lambda: any("its vendor was not asked" in note for note in notes(tickets(acme.system)[0])),
               20, "told")
    assert state(acme, 1) == "open" and acme.isolated("WS-1")
    acme.system.tocsin("incident", "close", acme.of(1))
    wait_until(lambda: over(acme), 20, "closed without it")
    assert not acme.acts("release")


def test_only_an_operator_writes_off(cisco):
    cisco.start()
    contained(cisco, 1)
    forget(cisco, "WS-1")
    keys = LinkKeys(cisco.system.folder)
    for fields in ({}, {"via": "link", "token": keys.token(incident=cisco.of(1), purpose="approve",
                                                          needs_code=True)}):
        say(cisco.system, op="write_off", incident=cisco.of(1), note=REASON, force="1", **fields)
    wait_until(lambda: log_of(cisco).count("write_off by") == 2, 20, "refused")
    assert cisco.holders("WS-1") and state(cisco, 1) == "open"


def test_without_a_reason_or_a_host(cisco):
    cisco.start()
    contained(cisco, 1)
    cisco.system.tocsin("containment", "write-off", "WS-1", expect=2, **cisco.env)
    cisco.system.tocsin("containment", "write-off", "WS-1", "--reason", " ", expect=2, **cisco.env)
    write_off(cisco, "WS-9", expect=3)
    assert cisco.isolated("WS-1") and "write" not in log_of(cisco)


def test_two_incidents_hold_one_host(cisco):
    """By its name for both, by an incident for that one only."""
    cisco.start()
    contained(cisco, 1)
    cisco.find(2, "WS-1")
    wait_until(lambda: len(cisco.holders("WS-1")) == 2, 20, "both hold it")
    forget(cisco, "WS-1")
    write_off(cisco, cisco.of(1))
    wait_until(lambda: cisco.holders("WS-1") == {f"isolate {cisco.of(2)}"}, 20, "one is written off")
    write_off(cisco, "WS-1")
    wait_until(lambda: not cisco.holders("WS-1"), 20, "the other as well")


def test_nobody_is_asked_about_it_any_more(cisco):
    """A cancelled ticket waits for a confirmation that its host, which is gone, is let go."""
    cisco.start()
    (ticket,) = contained(cisco, 1)
    cancel(cisco.system, ticket)
    said(cisco.system, ticket)
    wait_until(lambda: incident(cisco.system, cisco.of(1)).get("closing.release") == "ask", 20, "asked")
    forget(cisco, "WS-1")
    write_off(cisco, ticket["number"])
    wait_until(lambda: over(cisco), 20, "closed")
    assert not cisco.system.redis.client.exists(cisco.system.key_name("asks:acme"))


def test_it_never_came_about(system):
    """The host is gone before the isolation that was taken is seen to be there."""
    cisco = Estate(system, "secure_endpoint", {}, closing=FRESH)
    cisco.configure(isolation_start_ms=3600_000)
    cisco.host("WS-1")
    cisco.start()
    cisco.find(1, "WS-1")
    wait_until(lambda: cisco.step(1, "contain.isolate") == "pending", 20, "taken")
    write_off(cisco, "WS-1", "--force")
    wait_until(lambda: not cisco.holders("WS-1"), 20, "written off")
    cisco.system.tocsin("incident", "close", cisco.of(1))
    wait_until(lambda: over(cisco), 20, "closed")
    assert not cisco.acts("release")


def test_the_vendor_cannot_be_asked(cisco):
    """The right is lost: that says nothing about the host."""
    cisco.start()
    contained(cisco, 1)
    cisco.system.sandbox.fault(kind="reply", vendor="secure_endpoint", path="/computers", status=403,
                               body={"version": "v1.2.0", "data": {}, "errors": [
                                   {"error_code": 403, "description": "Forbidden", "details": ["no"]}]})
    fail(cisco)
    write_off(cisco, "WS-1")
    wait_until(lambda: "WS-1 is not written off" in log_of(cisco), 20, "refused")
    assert state(cisco, 1) == "failed"
    write_off(cisco, "WS-1", "--force")
    wait_until(lambda: over(cisco), 20, "closed")


def test_killed_while_it_is_written_off(cisco):
    """The vendor's answer never comes, and what was done in Redis before the crash is done once."""
    service = cisco.start()
    contained(cisco, 1)
    forget(cisco, "WS-1")
    fail(cisco)
    cisco.system.sandbox.fault(kind="latency", vendor="secure_endpoint", ms=1500, count=1)
    write_off(cisco, "WS-1")
    wait_until(lambda: cisco.system.sandbox.hits() == 1, 20, "the vendor is asked")
    service.kill()
    cisco.system.services.remove(service)
    assert cisco.holders("WS-1") and state(cisco, 1) == "failed"
    cisco.start()
    wait_until(lambda: over(cisco), 30, "closed")
    assert sum(REASON in note for note in notes(tickets(cisco.system)[0])) == 1, "told once"
