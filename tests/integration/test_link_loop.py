"""Links from the ticket and the mail to what becomes of the host: callback and incident service
together. The code is read where a person reads it, in the ticket's work notes."""
import re

import pytest

from harness import wait_until
from harness.closing import FRESH, analysts, close
from harness.linked import Callback
from test_containment import Estate
from test_incident import incident, notes, settled, tickets, timeline

HTML = {"Accept": "text/html"}


@pytest.fixture
def callback(system):
    outside = Callback(system)
    yield outside
    system.done()


def estate(callback, **containment):
    acme = Estate(callback.system, "secure_endpoint", containment, closing=FRESH)
    acme.host("WS-1")
    callback.servicenow("main", client_id="tocsin-main")
    analysts(callback.system)
    callback.system.apply()
    acme.start()
    callback.start()
    acme.find(1, "WS-1")
    return acme


def link(callback, purpose, acme, **fields):
    ticket, = tickets(acme.system)
    return callback.links.token(purpose, incident=acme.of(1), sys_id=ticket["sys_id"],
                                number=ticket["number"], **fields)


def code_in(acme, words):
    """The code that the ticket shows behind these words."""
    ticket, = tickets(acme.system)
    found = [match[1] for note in notes(ticket)
             if (match := re.search(words + r" ([2-9A-Z]{4}-[2-9A-Z]{4})", note))]
    return found[0] if found else None


def post(callback, purpose, **fields):
    return callback.post(f"/v1/{purpose}", data=fields, headers=HTML)


def test_a_host_is_released_only_with_the_tickets_code(callback):
    acme = estate(callback)
    wait_until(lambda: acme.isolated("WS-1"), 30, "the host is isolated")
    wait_until(lambda: code_in(acme, "by a link in a mail:"), 30, "the ticket shows the code")
    right = code_in(acme, "by a link in a mail:")
    token = link(callback, "verdict", acme)

    # Without the code, and with one of another ticket: stored, looked at, refused.
    assert post(callback, "verdict", token=token, verdict="benign").status_code == 202
    assert post(callback, "verdict", token=token, verdict="benign", code="2222-2229").status_code in (202, 400)
    wait_until(lambda: "code is not right" in timeline(acme.system, acme.of(1)), 30, "it was refused")
    assert acme.isolated("WS-1") and incident(acme.system, acme.of(1))["state"] == "open"

    assert post(callback, "verdict", token=token, verdict="benign", code=right.lower()).status_code == 202
    wait_until(lambda: acme.free("WS-1"), 30, "the host is free")
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 30, "closed")
    assert len(acme.acts("release")) == 1
    # The same again changes nothing, and says so.
    again = post(callback, "verdict", token=token, verdict="benign", code=right)
    assert again.status_code == 200 and "arrived before" in again.text


def test_a_host_is_isolated_only_with_the_tickets_code(callback):
    acme = estate(callback, mode="approve")
    wait_until(lambda: code_in(acme, "enter the code"), 30, "the ticket shows the code")
    right = code_in(acme, "enter the code")
    token = link(callback, "approve", acme, needs_code=True)
    assert post(callback, "approve", token=token, code="2222-2223").status_code in (202, 400)
    assert not acme.acts("isolate")
    assert post(callback, "approve", token=token, code=right).status_code == 202
    wait_until(lambda: acme.isolated("WS-1"), 30, "the host is isolated")


def test_the_tickets_second_note_closes_by_the_ancestors_url(callback):
    """The line is taken from the ticket as their rule takes it, and posted as their rule posts it."""
    acme = estate(callback, mode="off")
    settled(acme.system)
    ticket, = tickets(acme.system)
    line = next(note for note in notes(ticket) if note.startswith("respond/trigger/")).split("\n")[0]
    assert "tocsin-link" in line
    close(acme.system, ticket)
    headers = {"Authorization": "Bearer " + callback.access_token()}
    answer = callback.post("/iroh/iroh-response/" + line, headers=headers)
    assert answer.status_code == 200, answer.text
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 30, "closed")
    assert "closed by ancestors" in timeline(acme.system, acme.of(1))
