"""The whole loop: an analyst presses a button on a ticket, and everything that was opened is closed.
Nothing here speaks to Tocsin: the instance's own business rule does."""
import base64
import json
import urllib.parse
import urllib.request

import pytest

from harness import wait_until
from harness.events import threat_detected
from harness.linked import Callback


@pytest.fixture
def loop(system):
    outside = Callback.of_acme(system)
    system.apply()
    outside.start()
    yield outside
    system.done()


def rule(loop, form="kit", instance="main", **more):
    loop.system.sandbox.post("accounts", {
        "vendor": "servicenow", "account": instance,
        "business_rule": {"form": form, "url": loop.url, "client_id": "tocsin-main",
                          "client_secret": "client-secret", "instance_name": instance,
                          "user": "tocsin", **more}})


def tickets(loop, instance="main"):
    return loop.system.sandbox.get(f"state/servicenow/{instance}")["incidents"]


def outbound(loop, instance="main"):
    return loop.system.sandbox.get(f"state/servicenow/{instance}")["outbound"]


def press(loop, ticket, state, instance="main"):
    """A button of the ticket's page."""
    form = urllib.parse.urlencode({"state": state, "close_code": "Solution provided",
                                   "close_notes": "Looked into"}).encode()
    url = f"{loop.system.sandbox.url}/snow/{instance}/incident/{ticket['sys_id']}"
    with urllib.request.urlopen(urllib.request.Request(url, data=form), timeout=20) as answer:
        assert answer.status == 200 and ticket["number"] in answer.read().decode()


def opened(loop, count=1, **env):
    """That many tickets with both of their notes."""
    system = loop.system
    system.start(**env)
    events = [threat_detected(number) for number in range(count)]
    system.emit("acme", events)
    wait_until(lambda: len(tickets(loop)) == count and all(
        len(ticket["work_notes"]) >= 2 for ticket in tickets(loop)), 60, "tickets are open")
    wait_until(system.drained, 30, "nothing is left to do")
    return tickets(loop)


def states(loop):
    keys = loop.system.redis.client.keys(loop.system.key_name("incident:????????????????"))
    return sorted(loop.system.redis.client.hget(key, "state") for key in keys)


def threats(loop):
    return [incident["status"] for incident in
            loop.system.sandbox.get("state/threat_response/client-xdr")["incidents"]]


def all_closed(loop, count=1):
    return states(loop) == ["closed"] * count and all(
        status.startswith("Closed") for status in threats(loop)) and loop.system.drained()


@pytest.mark.parametrize("button", ["6", "7"])
def test_the_kits_rule_closes_everything(loop, button):
    rule(loop)
    (ticket,) = opened(loop, TOCSIN_RECONCILE_INTERVAL="1h")
    press(loop, ticket, button)
    wait_until(lambda: all_closed(loop), 30, "everything is closed")
    assert [call["status"] for call in outbound(loop)] == [202]
    assert len(threats(loop)) == 1


def test_the_ancestors_rule_closes_by_the_second_note(loop):
    rule(loop, "ancestors")
    (ticket,) = opened(loop, TOCSIN_RECONCILE_INTERVAL="1h")
    press(loop, ticket, "7")
    (call,) = outbound(loop)
    assert call["status"] == 200 and call["path"].startswith(
        "/iroh/iroh-response/respond/trigger/tocsin/close?")
    wait_until(lambda: all_closed(loop), 30, "everything is closed")


def test_the_ancestors_rule_after_a_later_note_is_refused_and_the_reconciler_closes(loop):
    rule(loop, "ancestors")
    (ticket,) = opened(loop, TOCSIN_RECONCILE_INTERVAL="1s")
    loop.system.sandbox.post("accounts", {
        "vendor": "servicenow", "account": "main",
        "users": [{"user_name": "ann", "password": "ann", "name": "Ann", "roles": ["itil"]}]})
    token = base64.b64encode(b"ann:ann").decode()
    request = urllib.request.Request(
        f"{loop.system.sandbox.url}/snow/main/api/now/table/incident/{ticket['sys_id']}",
        data=json.dumps({"work_notes": "Called the customer"}).encode(), method="PATCH",
        headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=20).read()
    press(loop, ticket, "7")
    (call,) = outbound(loop)
    assert call["path"] == "/iroh/iroh-response/Called the customer" and call["status"] in (0, 400, 404)
    wait_until(lambda: all_closed(loop), 60, "the reconciler saw it")


def test_a_lost_call_costs_no_more_than_the_reconcilers_round(loop):
    rule(loop, lost=True)
    (ticket,) = opened(loop, TOCSIN_RECONCILE_INTERVAL="1s")
    press(loop, ticket, "6")
    wait_until(lambda: all_closed(loop), 60, "the reconciler saw it")
    assert outbound(loop) == []


def test_a_clone_changes_nothing(loop):
    rule(loop)
    (ticket,) = opened(loop, TOCSIN_RECONCILE_INTERVAL="1h")
    loop.system.sandbox.post("clone/main/mainclone", {})
    press(loop, ticket, "7", instance="mainclone")
    wait_until(lambda: outbound(loop, "mainclone"), 20, "the clone has called")
    assert [call["status"] for call in outbound(loop, "mainclone")] == [403]
    assert states(loop) == ["open"] and tickets(loop)[0]["state"] == "1"
    assert "mainclone" in loop.process.log_path.read_text()


def test_a_parent_closes_its_children(loop):
    rule(loop)
    first, *others = opened(loop, 4, TOCSIN_RECONCILE_INTERVAL="1h")
    loop.system.sandbox.post("accounts", {
        "vendor": "servicenow", "account": "main", "tables": {
            "incident": [{**{"sys_id": ticket["sys_id"]}, "parent_incident": first["sys_id"]}
                         for ticket in others]}})
    press(loop, first, "6")
    wait_until(lambda: all_closed(loop, 4), 60, "all four are closed")
