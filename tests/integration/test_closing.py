"""Closing against a real Redis and the sandbox: what is said is a hint, the ticket decides; each side is
closed once, whatever happens on the way."""
import json
import re
import time

import pytest
from harness import wait_until
from harness.closing import (FRESH, analysts, cancel, change, close, entity_call, entity_create, open_again, resolve,
                             said, say, table)
from harness.system import SYS_ID
from test_incident import (add, calls, ctim, finding, incident, incident_ids, notes, settled, tickets,
                           timeline)


@pytest.fixture
def acme(system):
    """One customer with both vendors; the service is started by the test."""
    return installation(system)


def installation(system, xdr=None, **closing):
    system.servicenow()
    analysts(system)
    system.threat_response(**(xdr or {}))
    system.customer("acme", closing={**FRESH, **closing})
    system.apply()
    return system


def opened(system, count=1, first=1, **more):
    """Opens so many incidents; their tickets."""
    known = {ticket["sys_id"] for ticket in tickets(system)}
    add(system, *(finding(first + i, host=f"WS-{first + i}", **more) for i in range(count)))
    wait_until(lambda: len(tickets(system)) == len(known) + count and system.drained(), 40,
               f"{count} tickets")
    return [ticket for ticket in tickets(system) if ticket["sys_id"] not in known]


def states(system):
    return sorted(incident(system, i).get("state", "") for i in incident_ids(system))


def closed(system, count=1, deadline=30):
    wait_until(lambda: states(system).count("closed") == count and system.drained(), deadline,
               f"{count} closed")
    assert system.length("dead") == system.length("closures") == 0


def quiet(system, deadline=20):
    wait_until(lambda: system.length("closures") == 0 and system.drained(), deadline, "all is settled")


def patched(system):
    """How often each side was closed: in Threat Response, in ServiceNow."""
    return (sum('"Closed' in (call["body"] or "") for call in calls(system, vendor="threat_response",
                                                                    method="PATCH")),
            sum('"state":"6"' in (call["body"] or "") and "tocsin" in call.get("user", "tocsin")
                for call in calls(system, vendor="servicenow", method="PATCH", path_prefix="/snow")))


def entity(system):
    (one,) = ctim(system)["incidents"]
    return one


def told(system):
    """What was put into the live feed for people."""
    return [fields["text"] for _, fields in system.redis.client.xrange(system.key_name("activity"))
            if "text" in fields]


# ---- the ticket is over


@pytest.mark.parametrize("end, status", [(resolve, "6"), (close, "7"), (cancel, "8")])
def test_the_ticket_is_over_and_everything_with_it(acme, end, status):
    service = acme.start("incident")
    (ticket,) = opened(acme)
    end(acme, ticket)
    said(acme, ticket)
    closed(acme)
    assert entity(acme)["status"] == "Closed"
    assert entity(acme)["incident_time"]["closed"]
    references = [r for r in entity(acme)["external_references"] if r["source_name"] == "ServiceNow"]
    assert [r["external_id"] for r in references] == [ticket["number"]]
    assert patched(acme)[0] == 1
    service.counts(1, "tocsin_closings_total", via="servicenow", outcome="closed")
    (incident_id,) = incident_ids(acme)
    assert "threat_response.close: Closed" in timeline(acme, incident_id)
    (after,) = tickets(acme)
    assert after["state"] == status
    # Closed or cancelled for good: not written to.
    assert len(notes(after)) == (3 if status == "6" else 2)


def test_references_that_are_there_are_kept(acme):
    acme.start("incident")
    (ticket,) = opened(acme)
    entity_call(acme, "PATCH", entity(acme), {
        "external_references": entity(acme)["external_references"] +
        [{"source_name": "Wiki", "url": "https://wiki.example.com/1"}]})
    close(acme, ticket)
    said(acme, ticket)
    closed(acme)
    assert {r["source_name"] for r in entity(acme)["external_references"]} == {
        "Cisco Secure Endpoint", "ServiceNow", "Wiki"}


def test_a_hint_about_an_open_ticket_is_nothing(acme):
    service = acme.start("incident")
    (ticket,) = opened(acme)
    said(acme, ticket)
    wait_until(lambda: "nothing is closed" in timeline(acme, incident(acme)["id"]), 20, "it was read")
    quiet(acme)
    assert states(acme) == ["open"] and patched(acme) == (0, 0)
    service.counts(1, "tocsin_closings_total", via="servicenow", outcome="hint")
    # And later it counts.
    close(acme, ticket)
    said(acme, ticket)
    closed(acme)


def test_said_twice_and_late_is_once(acme):
    acme.start("incident")
    (ticket,) = opened(acme)
    close(acme, ticket)
    for _ in range(5):
        said(acme, ticket)
    closed(acme)
    said(acme, ticket)
    said(acme, ticket, via="ancestors", incident=incident(acme)["id"])
    quiet(acme)
    assert states(acme) == ["closed"] and patched(acme) == (1, 0)


def test_unknown_and_malformed_closures(acme):
    service = acme.start("incident")
    (ticket,) = opened(acme)
    say(acme, incident="0123456789abcdef")
    say(acme, sys_id="f" * 32, instance="snow-main", number="INC1")
    say(acme, key="tocsin-i:other:acme:0123456789abcdef:0123456789abcdef")
    say(acme, op="destroy")
    wait_until(lambda: acme.length("dead") == 1 and acme.length("closures") == 0, 20, "one is dead")
    service.counts(3, "tocsin_closings_total", via="servicenow", outcome="unknown")
    assert states(acme) == ["open"] and ticket["state"] == "1"


def test_a_copy_of_the_instance_closes_nothing(acme):
    service = acme.start("incident")
    (ticket,) = opened(acme)
    close(acme, ticket)
    said(acme, ticket, instance="snow-copy", instance_name="copy")
    wait_until(lambda: service.metric("tocsin_closings_total", via="servicenow", outcome="refused") == 1,
               20, "refused")
    quiet(acme)
    assert states(acme) == ["open"]
    assert "copy is not where its ticket is" in timeline(acme, incident(acme)["id"])


# ---- the grace


def test_reopened_within_the_grace_undoes_nothing(system):
    installation(system, grace="2s")
    system.start("incident")
    (ticket,) = opened(system, group="g")
    resolve(system, ticket)
    said(system, ticket)
    wait_until(lambda: states(system) == ["closing"], 20, "the grace runs")
    open_again(system, ticket)
    wait_until(lambda: states(system) == ["open"], 20, "open again")
    quiet(system)
    assert patched(system) == (0, 0) and entity(system)["status"] == "New"
    assert "nothing was undone" in timeline(system, incident(system)["id"])
    # It has its group again: a later finding is a note.
    add(system, finding(2, group="g"))
    wait_until(lambda: len(notes(tickets(system)[0])) == 3, 20, "a note")
    # And it can be closed for good.
    resolve(system, ticket)
    said(system, ticket)
    closed(system)
    assert patched(system)[0] == 1


def test_the_grace_is_waited_for_off_the_thread(system):
    installation(system, grace="1h")
    system.start("incident", TOCSIN_INCIDENT_THREADS="1")
    first, second = opened(system, 2)
    resolve(system, first)
    said(system, first)
    wait_until(lambda: "closing" in states(system), 20, "the grace runs")
    add(system, finding(7, host="WS-7"))
    wait_until(lambda: len(tickets(system)) == 3, 20, "another ticket")
    assert "closing" in states(system)


def test_findings_while_it_closes_open_a_new_one(system):
    installation(system, grace="2s")
    system.start("incident")
    (ticket,) = opened(system, group="g")
    (old,) = incident_ids(system)
    resolve(system, ticket)
    said(system, ticket)
    wait_until(lambda: states(system) == ["closing"], 20, "the grace runs")
    add(system, finding(2, group="g", when_ms=int(time.time() * 1000) + 5000))
    wait_until(lambda: len(tickets(system)) == 2, 20, "a new ticket")
    (new,) = incident_ids(system) - {old}
    assert incident(system, new)["previous"] == old
    closed(system)
    assert states(system) == ["closed", "open"]


@pytest.mark.parametrize("kill", [False, True], ids=["", "kill"])
def test_a_thousand_that_wait_for_a_note_are_handed_on(system, kill):
    """All that came after the ticket was over belong to a new incident, those before stay."""
    installation(system)
    system.customer("acme", closing=FRESH, notes={"intervals": ["1h"] * 4})
    system.apply()
    service = system.start("incident", TOCSIN_RECONCILE_INTERVAL="1h")
    (ticket,) = opened(system, group="g", severity_id=5)
    (old,) = incident_ids(system)
    later = int(time.time() * 1000) + 3600_000
    add(system, *(finding(n, group="g") for n in range(2, 12)))
    add(system, *(finding(n, group="g", when_ms=later + n, severity_id=5 if n == 100 else 4)
                  for n in range(100, 1100)))
    wait_until(lambda: incident(system, old).get("waiting.count") == "1010", 30, "all wait", every=0.1)
    assert system.redis.client.llen(system.key_name(f"incident:{old}:waiting")) == 1010
    resolve(system, ticket)
    said(system, ticket)
    if kill:
        wait_until(lambda: system.length("findings") > 0, 20, "some are handed on", every=0.001)
        service.kill()
        system.services.remove(service)
        system.start("incident")
    wait_until(lambda: states(system) == ["closed", "open"], 40, "closed, and a new one", every=0.1)
    (new,) = incident_ids(system) - {old}

    def fates(numbers):
        return {system.fate("acme", n) for n in numbers}
    wait_until(lambda: fates(range(100, 1100)) == {f"incident:{new}"}, 40, "all belong to it", every=0.2)
    assert fates(range(1, 12)) == {f"incident:{old}"}
    wait_until(lambda: not system.redis.client.exists(system.key_name(f"incident:{old}:waiting")), 60, "none is kept")
    found = incident(system, new)
    assert found["previous"] == old and found["severity"] == "5", "the worst came first"
    assert int(found["findings"]) == 1000 or kill and int(found["findings"]) >= 1000
    wait_until(lambda: len(tickets(system)) == 2, 20, "its ticket")


def test_reopened_when_its_group_is_anothers(acme):
    acme.start("incident")
    (ticket,) = opened(acme, group="g")
    (old,) = incident_ids(acme)
    resolve(acme, ticket)
    said(acme, ticket)
    closed(acme)
    add(acme, finding(2, group="g", when_ms=int(time.time() * 1000) + 5000))
    wait_until(lambda: len(tickets(acme)) == 2 and acme.drained(), 20, "a new ticket")
    acme.tocsin("incident", "reopen", old)
    wait_until(lambda: states(acme) == ["open", "open"], 20, "both are open")
    add(acme, finding(3, group="g"))
    quiet(acme)
    (new,) = incident_ids(acme) - {old}
    assert incident(acme, new)["findings"] == "2" and incident(acme, old)["findings"] == "1"
    assert "another incident of its group is open" in timeline(acme, old)


# ---- reopening


def test_reopened_after_the_closing(acme):
    acme.start("incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    (ticket,) = opened(acme, group="g")
    resolve(acme, ticket)
    said(acme, ticket)
    closed(acme)
    open_again(acme, ticket)
    wait_until(lambda: states(acme) == ["open"] and acme.drained(), 20, "open again")
    wait_until(lambda: entity(acme)["status"] == "Open", 20, "in Threat Response too")
    add(acme, finding(2, group="g"))
    wait_until(lambda: incident(acme)["findings"] == "2", 20, "it has its group")
    resolve(acme, ticket)
    wait_until(lambda: states(acme) == ["closed"] and acme.drained(), 20, "closed again")
    assert entity(acme)["status"] == "Closed" and patched(acme)[0] == 2


def test_a_person_reopens_what_stays_closed_in_servicenow(acme):
    acme.start("incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    (ticket,) = opened(acme, group="g")
    resolve(acme, ticket)
    said(acme, ticket)
    closed(acme)
    acme.tocsin("incident", "reopen", ticket["number"])
    wait_until(lambda: states(acme) == ["open"] and entity(acme)["status"] == "Open", 20, "open again")
    before = len(calls(acme, vendor="servicenow", method="GET"))
    wait_until(lambda: len(calls(acme, vendor="servicenow", method="GET")) > before + 3, 20, "it is read")
    assert states(acme) == ["open"], "that closing was taken back"


def test_a_person_reopens_what_the_client_closed(acme):
    """The instance's clock says when it was resolved, ours when we did it."""
    acme.start("incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    (ticket,) = opened(acme)
    acme.tocsin("incident", "close", ticket["number"], "--verdict", "benign")
    wait_until(lambda: states(acme) == ["closed"] and acme.drained(), 20, "closed")
    acme.tocsin("incident", "reopen", ticket["number"])
    wait_until(lambda: states(acme) == ["open"] and acme.drained(), 20, "open again")
    before = len(calls(acme, vendor="servicenow", method="GET"))
    wait_until(lambda: len(calls(acme, vendor="servicenow", method="GET")) > before + 3, 20, "it is read")
    assert states(acme) == ["open"], "that closing was taken back"
    open_again(acme, ticket)
    acme.pause(1.1)  # the instance tells closings apart by the second
    resolve(acme, ticket)
    wait_until(lambda: states(acme) == ["closed"] and acme.drained(), 20, "closed once more")


def test_the_callback_cannot_speak_for_an_operator(acme):
    """Were it taken over, it could append anything to its stream."""
    acme.start("incident")
    (ticket,) = opened(acme)
    name = incident(acme)["id"]
    for via in ("cli", "reconciler", "threat_response"):
        acme.redis.client.xadd(acme.key_name("closures"), {
            "v": "1", "op": "verdict", "via": via, "received_ms": "1", "trace": "", "incident": name,
            "verdict": "benign", "actor": "nobody"})
    wait_until(acme.drained, 20, "all are heard")
    assert states(acme) == ["open"] and acme.ticket("main", ticket["sys_id"])["state"] == "1"


# ---- from elsewhere


@pytest.mark.parametrize("verdict, status, code", [
    ("false_positive", "Closed: False Positive", "No resolution provided"),
    ("true_positive", "Closed: Confirmed Threat", "Solution provided"),
    (None, "Closed", "Solution provided")])
def test_the_client_closes_the_ticket_too(acme, verdict, status, code):
    acme.start("incident")
    (ticket,) = opened(acme)
    options = ["--verdict", verdict] if verdict else []
    acme.tocsin("incident", "close", ticket["number"], "--note", "seen by Ann", *options)
    closed(acme)
    (after,) = tickets(acme)
    assert (after["state"], after["close_code"]) == ("6", code)
    assert "seen by Ann" in after["close_notes"]
    shown = acme.tocsin("incident", "show", ticket["number"])
    assert shown["verdict"] == verdict and shown["closing"]["via"] == "cli" and shown["closed_by"]
    assert entity(acme)["status"] == status
    assert len(notes(after)) == 3 and "Tocsin has closed this incident" in notes(after)[2]
    # What their business rule then says is no news.
    said(acme, after)
    quiet(acme)
    assert states(acme) == ["closed"] and patched(acme)[0] == 1


def test_close_template_of_the_customer(system):
    installation(system, ticket={"benign": {"close_code": "User error", "close_notes": "A drill."}},
                 report=False)
    system.start("incident")
    (ticket,) = opened(system)
    system.tocsin("incident", "close", ticket["number"], "--verdict", "benign")
    closed(system)
    (after,) = tickets(system)
    assert (after["close_code"], after["close_notes"]) == ("User error", "A drill.")
    assert len(notes(after)) == 2


def test_a_close_code_that_the_instance_has_not(system):
    """The incident fails, visibly; the account goes on, and with a code that is there it is tried again."""
    installation(system, ticket={"none": {"close_code": "Nonsense"}})
    system.start("incident")
    (ticket,) = opened(system)
    system.tocsin("incident", "close", ticket["number"])
    wait_until(lambda: states(system) == ["failed"], 20, "failed")
    assert "mandatory" in incident(system)["reason"] and entity(system)["status"] == "Closed"
    assert not system.redis.client.hget("tocsin:account:snow-main", "parked")
    wait_until(lambda: "FAILED" in notes(tickets(system)[0])[-1], 20, "the ticket says so")
    assert tickets(system)[0]["state"] != "6"
    system.customer("acme", closing={**FRESH, "ticket": {"none": {"close_code": "User error"}}})
    system.apply()
    opened(system, first=5)  # by now the settings are known
    system.tocsin("incident", "retry", ticket["number"])
    closed(system)
    assert {t["close_code"] for t in tickets(system) if t["state"] == "6"} == {"User error"}


@pytest.mark.parametrize("fault", [
    {"kind": "5xx_before", "status": 503}, {"kind": "truncated_json"}, {"kind": "cut_before"}, {"kind": "202"}])
def test_close_codes_that_cannot_be_read_now(acme, fault):
    """Without one the instance would refuse the end of the ticket for good."""
    acme.start("incident")
    (ticket,) = opened(acme)
    acme.sandbox.fault(method="GET", path="sys_choice", count=2, **fault)
    acme.tocsin("incident", "close", ticket["number"])
    closed(acme)
    assert tickets(acme)[0]["close_code"] == "Solution provided"


def test_close_codes_that_are_hidden(acme):
    """It is tried without one; an instance that asks for it says so in the incident."""
    acme.start("incident")
    (ticket,) = opened(acme)
    acme.sandbox.fault(kind="reply", method="GET", path="sys_choice", status=403, body={
        "error": {"message": "User Not Authorized", "detail": "ACL"}, "status": "failure"})
    acme.tocsin("incident", "close", ticket["number"])
    wait_until(lambda: states(acme) == ["failed"], 20, "failed")
    assert "mandatory" in incident(acme)["reason"]
    assert not acme.redis.client.hget("tocsin:account:snow-main", "parked")


def test_an_analyst_in_threat_response(system):
    installation(system, threat_response=True)
    system.start("incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    opened(system)
    set_status(system, "Closed: Under Review")
    before = len(calls(system, vendor="threat_response", method="GET"))
    wait_until(lambda: len(calls(system, vendor="threat_response", method="GET")) > before + 2, 20, "read")
    assert states(system) == ["open"], "that is no end"
    set_status(system, "Closed: False Positive")
    closed(system)
    (after,) = tickets(system)
    assert after["state"] == "6" and after["close_code"] == "No resolution provided"
    assert entity(system)["status"] == "Closed: False Positive"


def set_status(system, status):
    entity_call(system, "POST", entity(system), {"status": status}, "/status")


def test_merged_in_threat_response_is_told(system):
    """It does not say into which: nothing is closed, and nothing is silent."""
    installation(system, threat_response=True)
    service = system.start("incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    opened(system)

    def lines():
        return sum(note.count("closed there as merged") for note in notes(tickets(system)[0]))
    set_status(system, "Closed: Merged")
    wait_until(lambda: lines() == 1, 20, "told")
    readings = service.metric("tocsin_reconciliations_total", account="xdr", outcome="ok")
    wait_until(lambda: service.metric("tocsin_reconciliations_total", account="xdr", outcome="ok") >
               readings + 2, 20, "read again")
    quiet(system)
    assert states(system) == ["open"] and lines() == 1 and tickets(system)[0]["state"] == "1"
    assert entity(system)["incident_time"]["closed"][:10] in notes(tickets(system)[0])[-1]
    say(system, "merged", incident=incident(system)["id"], note="never")
    wait_until(lambda: "only Threat Response says so" in timeline(system, incident(system)["id"]), 20, "refused")
    # Taken out again, and closed as what it was.
    set_status(system, "Open")
    set_status(system, "Closed: False Positive")
    closed(system)


def test_all_of_many_are_looked_at_in_threat_response(system):
    """A hundred questions a reading; the next goes on where it ended, past what cannot be read."""
    installation(system, {"calls_per_hour": 0}, threat_response=True)
    system.start("incident", TOCSIN_RECONCILE_INTERVAL="1h")
    add(system, *(finding(n, host=f"WS-{n}") for n in range(1, 251)))
    wait_until(lambda: states(system) == ["open"] * 250 and system.drained(), 60, "250 are open", every=0.2)
    system.stop()
    incidents = sorted(ctim(system)["incidents"], key=lambda one: one["id"])
    ids = {incident(system, i)["threat_response.id"]: i for i in incident_ids(system)}
    last = max(ids, key=ids.get)
    broken = sorted(ids, key=ids.get)[120]
    system.sandbox.fault(kind="5xx_before", status=503, method="GET",
                         path="incident/" + broken.rsplit("/", 1)[-1])
    entity_call(system, "POST", next(one for one in incidents if one["id"] == last),
                {"status": "Closed"}, "/status")
    system.sandbox.delete("ledger")
    system.start("incident", TOCSIN_RECONCILE_INTERVAL="200ms")
    closed(system)
    asked = [c["path"] for c in calls(system, vendor="threat_response", method="GET")
             if "/ctia/incident/incident-" in c["path"]]
    assert len(set(asked)) == 250 and len(asked) < 600


# ---- the reconciler


def test_lost_callbacks_cost_minutes(acme):
    service = acme.start("incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    many = opened(acme, 25)
    for ticket in many:
        close(acme, ticket)
    closed(acme, 25)
    assert patched(acme)[0] == 25
    service.counts(25, "tocsin_closings_total", via="reconciler", outcome="closed")


def asked_for(system):
    """Which tickets were read together: (table, [sys_id, ...]) of each question."""
    return [(call["path"].rsplit("/", 1)[-1], re.findall("[0-9a-f]{32}", call["query"]))
            for call in calls(system, vendor="servicenow", method="GET") if "sys_idIN" in (call["query"] or "")]


def test_a_hundred_tickets_a_question(acme):
    acme.start("incident", TOCSIN_RECONCILE_INTERVAL="1h")
    opened(acme, 30)
    acme.stop()
    acme.sandbox.delete("ledger")
    acme.start("incident", TOCSIN_RECONCILE_INTERVAL="200ms")
    wait_until(lambda: asked_for(acme), 20, "read")
    assert {len(ids) for _, ids in asked_for(acme)} == {30}


def test_tables_that_take_turns_cost_no_more_questions(system):
    """The same, where every other ticket of an instance is in another table."""
    system.servicenow()
    system.sandbox.post("accounts", {
        "vendor": "servicenow", "account": "main", "security_incident_response": True,
        "users": [{"user_name": "tocsin", "password": "snow-secret", "name": "Tocsin",
                   "roles": ["itil", "sn_si.analyst"]}]})
    for customer, name in (("acme", "incident"), ("globex", "sn_si_incident")):
        system.customer(customer, xdr=None, servicenow={"account": "snow-main", **SYS_ID, "table": name})
    system.apply()
    system.start("incident", TOCSIN_RECONCILE_INTERVAL="1h")
    for i in range(6):
        add(system, finding(i, customer=("acme", "globex")[i % 2]))
        wait_until(lambda n=i + 1: len(incident_ids(system)) == n and system.drained(), 20, "one after the other")
    system.stop()
    system.sandbox.delete("ledger")
    service = system.start("incident", TOCSIN_RECONCILE_INTERVAL="500ms")
    wait_until(lambda: service.metric("tocsin_reconciliations_total", account="snow-main", outcome="ok") >= 1, 20, "read")
    asked = asked_for(system)
    assert {name for name, _ in asked} == {"incident", "sn_si_incident"}
    assert {len(ids) for _, ids in asked} == {3}


# ---- what is not ours to close


def test_gone_is_held_until_a_person_decides(acme):
    service = acme.start("incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    (ticket,) = opened(acme)
    table(acme, "DELETE", f"incident/{ticket['sys_id']}")
    wait_until(lambda: states(acme) == ["held"], 20, "held")
    quiet(acme)
    assert patched(acme) == (0, 0) and entity(acme)["status"] == "New"
    wait_until(lambda: service.metric("tocsin_closings_total", via="reconciler", outcome="held") >= 1, 10, "counted")
    assert any("is held" in text for text in told(acme))
    acme.tocsin("incident", "close", incident(acme)["id"])
    closed(acme)
    assert entity(acme)["status"] == "Closed"


def test_another_company_is_held_and_comes_back(acme):
    acme.start("incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    (ticket,) = opened(acme)
    table(acme, "POST", "core_company", {"sys_id": "9" * 32, "name": "Other"})
    close(acme, ticket, company="9" * 32)
    wait_until(lambda: states(acme) == ["held"], 20, "held")
    quiet(acme)
    assert patched(acme) == (0, 0) and "another company" in incident(acme)["reason"]
    change(acme, ticket, company="d" * 32)
    closed(acme)
    assert patched(acme)[0] == 1


def test_without_our_key_it_is_not_ours(acme):
    acme.start("incident")
    (ticket,) = opened(acme)
    close(acme, ticket, correlation_id="")
    said(acme, ticket)
    wait_until(lambda: states(acme) == ["held"], 20, "held")
    assert patched(acme) == (0, 0)
    assert "does not carry our key" in incident(acme)["reason"]


def test_states_that_the_customer_does_not_take_for_an_end(system):
    installation(system, resolved="ignore", close_codes={"User error": {"effect": "release",
                                                                        "verdict": "benign"}})
    system.start("incident")
    first, second = opened(system, 2)
    resolve(system, first)
    said(system, first)
    quiet(system)
    assert states(system) == ["open", "open"]
    close(system, first)
    said(system, first)
    closed(system)
    resolve(system, second, code="User error")
    said(system, second)
    closed(system, 2)
    assert sorted(i["status"] for i in ctim(system)["incidents"]) == ["Closed", "Closed: Other"]


# ---- out of order


def test_closed_before_the_opening_is_over(acme):
    """The ticket is there, its links are not: they are not made any more."""
    acme.sandbox.fault(kind="latency", ms=1500, vendor="threat_response", method="POST", path="bundle/import")
    acme.start("incident")
    add(acme, finding(1))
    wait_until(lambda: acme.sandbox.hits(), 20, "it begins")
    (incident_id,) = incident_ids(acme)
    say(acme, "verdict", "cli", incident=incident_id, actor="ann@soc", verdict="benign")
    closed(acme)
    (one,) = ctim(acme)["incidents"]
    assert one["status"] == "Closed: Other"
    assert all(ticket["state"] == "6" for ticket in tickets(acme))
    assert patched(acme)[0] == 1
    settled(acme)


def test_a_call_in_flight_is_settled_first(acme):
    """The answer of the create call is lost: it is looked up, found and closed."""
    acme.sandbox.fault(kind="cut_after", vendor="threat_response", method="POST", path="bundle/import",
                       count=1)
    acme.start("incident")
    add(acme, finding(1))
    wait_until(lambda: tickets(acme), 20, "a ticket")
    (ticket,) = tickets(acme)
    close(acme, ticket)
    said(acme, ticket)
    closed(acme)
    assert entity(acme)["status"] == "Closed" and patched(acme)[0] == 1


# ---- frozen


def test_frozen(acme):
    acme.start("incident")
    first, second = opened(acme, 2)
    acme.tocsin("freeze", "closing")
    close(acme, first)
    said(acme, first)
    wait_until(lambda: any("frozen" in incident(acme, i).get("step.threat_response.close", "")
                           for i in incident_ids(acme)), 20, "it waits")
    assert patched(acme) == (0, 0)
    # A person's word is not automatic.
    acme.tocsin("incident", "close", second["number"])
    wait_until(lambda: states(acme) == ["closed", "closing"], 20, "the ordered one is closed")
    acme.tocsin("unfreeze", "closing")
    closed(acme, 2)


# ---- tickets that the ancestors opened


ANCESTORS_TITLE = ("[Acme] - New Cisco Secure event [Threat Detected] event for [WS-1] @ [2026-11-01] "
                   "[Generated by SecureX orchestration for ServiceNow]")


def ancestors_pair(system, title=ANCESTORS_TITLE, company=SYS_ID["company"]):
    """What their workflow made on both sides: the ticket, and its incident."""
    made = entity_create(system, {
        "title": title, "status": "New", "confidence": "High", "tlp": "amber",
        "incident_time": {"opened": "2026-11-01T08:00:00.000Z"}, "description": "Customer name: Acme"})
    ticket = table(system, "POST", "incident", {
        "short_description": title.replace("[Acme]", "[Acme]]")[:160], "company": company,
        "caller_id": SYS_ID["caller_id"], "work_notes": "Customer name: Acme"})
    value = json.dumps({"snow-incident-id": ticket["sys_id"], "securex-incident-id": made["id"],
                        "customer-name": "Acme"})
    change(system, ticket, work_notes="respond/trigger/m/a?observable_type=ip&observable_value=" + value)
    return ticket, made


def ancestors_rule(system, ticket, made, **fields):
    say(system, via="ancestors", **{"instance": "snow-main", "sys_id": ticket["sys_id"],
                                    "ctim_id": made["id"], **fields})


def status_of(system, made):
    return next(one for one in ctim(system)["incidents"] if one["id"] == made["id"])["status"]


def test_a_ticket_of_the_ancestors_is_adopted_and_closed(acme):
    acme.start("incident")
    ticket, made = ancestors_pair(acme)
    close(acme, ticket)
    ancestors_rule(acme, ticket, made)
    ancestors_rule(acme, ticket, made)
    closed(acme)
    (one,) = ctim(acme)["incidents"]
    assert one["status"] == "Closed"
    assert [r["external_id"] for r in one["external_references"]] == [ticket["number"]]
    assert incident(acme)["adopted"] == "1" and len(incident_ids(acme)) == 1


@pytest.mark.parametrize("what", ["open", "company", "title", "closed", "instance", "note", "gone"])
def test_what_is_not_as_the_ancestors_made_it_is_refused(acme, what):
    service = acme.start("incident")
    table(acme, "POST", "core_company", {"sys_id": "9" * 32, "name": "Other"})
    ticket, made = ancestors_pair(acme, company="9" * 32 if what == "company" else SYS_ID["company"])
    other, foreign = ancestors_pair(acme, title="[Acme] - something else")
    fields = {}
    if what != "open":
        close(acme, ticket)
    if what == "title":
        change(acme, ticket, work_notes=foreign["id"])
        made = foreign
    if what == "closed":
        entity_call(acme, "POST", made, {"status": "Closed: Other"}, "/status")
    if what == "instance":
        fields["instance"] = "snow-copy"
    if what == "note":
        fields["ctim_id"] = made["id"][:-4] + "0000"
    if what == "gone":
        fields["sys_id"] = "f" * 32
    ancestors_rule(acme, ticket, made, **fields)
    wait_until(lambda: service.metric("tocsin_closings_total", via="ancestors", outcome="refused") == 1,
               20, "refused")
    quiet(acme)
    assert not incident_ids(acme) and status_of(acme, foreign) == "New"
    if what != "closed":
        assert status_of(acme, made) == "New"
