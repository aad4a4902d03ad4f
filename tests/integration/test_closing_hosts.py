"""What becomes of contained hosts when tickets end: let go, asked about, or held for another ticket."""
import re

import pytest
from harness import wait_until
from harness.closing import FRESH, cancel, close, open_again, resolve, said, say, table
from harness.linked import LinkKeys
from harness.system import SYS_ID
from test_containment import Estate
from test_incident import incident, notes, tickets, timeline

SOON = {"TOCSIN_RECONCILE_INTERVAL": "300ms"}


@pytest.fixture
def acme(system):
    estate = Estate(system, "secure_endpoint", {"per_hour": 100}, closing=FRESH)
    return estate


def contained(acme, count, first=1):
    """So many hosts in isolation, each with its ticket; the tickets in that order."""
    numbers = range(first, first + count)
    for number in numbers:
        acme.host(f"WS-{number}")
        acme.find(number, f"WS-{number}")
    wait_until(lambda: all(acme.step(number, "contain.isolate") == "done" for number in numbers), 60,
               "all are isolated")
    wait_until(lambda: all(acme.step(number, "servicenow.link") == "done" for number in numbers), 20,
               "all have their tickets")
    return [ticket_of(acme, number) for number in numbers]


def ticket_of(acme, number):
    return acme.system.ticket("main", incident(acme.system, acme.of(number))["servicenow.sys_id"])


def state(acme, number):
    return incident(acme.system, acme.of(number)).get("state")


def free(acme, *numbers):
    return all(acme.free(f"WS-{number}") and state(acme, number) == "closed" for number in numbers)


def told(acme, kind="release"):
    rows = acme.system.redis.client.xrange(acme.system.key_name("activity"))
    return [fields["text"] for _, fields in rows if fields.get("kind") == kind]


def parent_ticket(acme):
    """One that an analyst has opened."""
    return table(acme.system, "POST", "incident", {
        "short_description": "An outbreak", "company": SYS_ID["company"],
        "caller_id": SYS_ID["caller_id"]})


def test_cancelled_is_closed_and_asked_about(acme):
    acme.start()
    (ticket,) = contained(acme, 1)
    cancel(acme.system, ticket)
    said(acme.system, ticket)
    wait_until(lambda: incident(acme.system, acme.of(1)).get("closing.release") == "ask", 20, "asked")
    assert acme.isolated("WS-1") and state(acme, 1) == "closing"
    assert len(told(acme)) == 1 and ticket["number"] in told(acme)[0]
    acme.system.tocsin("incident", "release", ticket["number"])
    wait_until(lambda: free(acme, 1), 20, "let go")
    assert len(acme.acts("release")) == 1


def test_duplicate_is_held_for_the_surviving_ticket(acme):
    acme.start(**SOON)
    parent = parent_ticket(acme)
    first, second = contained(acme, 2)
    resolve(acme.system, first, code="Duplicate", parent_incident=parent["sys_id"])
    said(acme.system, first)
    wait_until(lambda: incident(acme.system, acme.of(1)).get("closing.release") == "survivor", 20, "kept")
    assert acme.isolated("WS-1") and state(acme, 1) == "closing" and state(acme, 2) == "open"
    close(acme.system, parent)
    wait_until(lambda: free(acme, 1), 20, "let go")
    assert acme.isolated("WS-2") and not told(acme)


def test_duplicate_of_one_of_ours(acme):
    """The callback of the surviving ticket lets both go."""
    acme.start(TOCSIN_RECONCILE_INTERVAL="1h")
    first, second = contained(acme, 2)
    resolve(acme.system, first, code="Duplicate", parent_incident=second["sys_id"])
    said(acme.system, first)
    wait_until(lambda: incident(acme.system, acme.of(1)).get("closing.release") == "survivor", 20, "kept")
    assert acme.isolated("WS-1")
    close(acme.system, second)
    said(acme.system, second)
    wait_until(lambda: free(acme, 1, 2), 20, "both are free")
    assert len(acme.acts("release")) == 2


def test_duplicate_of_nobody_knows_what(acme):
    acme.start()
    (ticket,) = contained(acme, 1)
    resolve(acme.system, ticket, code="Duplicate")
    said(acme.system, ticket)
    wait_until(lambda: incident(acme.system, acme.of(1)).get("closing.release") == "ask", 20, "asked")
    assert acme.isolated("WS-1")


def test_twelve_children_of_one_parent(acme):
    acme.start(**SOON)
    parent = parent_ticket(acme)
    children = contained(acme, 12)
    numbers = range(1, 13)
    for child in children:
        resolve(acme.system, child, code="Duplicate", parent_incident=parent["sys_id"])
        said(acme.system, child)
    wait_until(lambda: all(incident(acme.system, acme.of(n)).get("closing.release") == "survivor"
                           for n in numbers), 30, "all are kept")
    assert all(acme.isolated(f"WS-{n}") for n in numbers) and not told(acme)
    resolve(acme.system, parent)
    wait_until(lambda: all(incident(acme.system, acme.of(n)).get("closing.release") == "ask"
                           for n in numbers), 30, "all are asked about")
    assert all(acme.isolated(f"WS-{n}") for n in numbers)
    assert len(told(acme)) == 1, "asked once"
    acme.system.tocsin("incident", "release", "--customer", "acme")
    wait_until(lambda: free(acme, *numbers), 40, "all are free")
    assert [len(acme.acts("release", f"WS-{n}")) for n in numbers] == [1] * 12
    assert not acme.system.redis.client.exists(acme.system.key_name("asks:acme"))


def test_many_at_once_need_one_confirmation(acme):
    """All are counted before the first is let go, even without a grace."""
    acme.start(TOCSIN_RELEASE_WAIT="2s")
    many = contained(acme, 12)
    for ticket in many:
        close(acme.system, ticket)
    for ticket in many:
        said(acme.system, ticket)
    numbers = range(1, 13)
    wait_until(lambda: all(incident(acme.system, acme.of(n)).get("closing.release") == "ask"
                           for n in numbers), 40, "all wait")
    assert all(acme.isolated(f"WS-{n}") for n in numbers) and not acme.acts("release")
    assert len(told(acme)) == 1
    acme.system.tocsin("incident", "release", "--customer", "acme")
    wait_until(lambda: free(acme, *numbers), 20, "all are free")
    assert len(acme.acts("release")) == 12


def test_reopened_while_it_waits_for_the_answer(acme):
    acme.start(**SOON)
    (ticket,) = contained(acme, 1)
    cancel(acme.system, ticket)
    said(acme.system, ticket)
    wait_until(lambda: incident(acme.system, acme.of(1)).get("closing.release") == "ask", 20, "asked")
    open_again(acme.system, ticket)
    wait_until(lambda: state(acme, 1) == "open", 20, "open again")
    # The question is taken back; an answer that comes all the same lets nothing go.
    assert not acme.system.redis.client.exists(acme.system.key_name("asks:acme"))
    acme.system.redis.client.hset(acme.system.key_name("asks:acme"), acme.of(1), "stale")
    acme.system.tocsin("incident", "release", "--customer", "acme")
    wait_until(lambda: "it is open again" in timeline(acme.system, acme.of(1)), 20, "refused")
    assert acme.isolated("WS-1") and not acme.acts("release")


def test_reopened_after_the_release_isolates_nothing_by_itself(acme):
    acme.start(**SOON)
    (ticket,) = contained(acme, 1)
    resolve(acme.system, ticket)
    said(acme.system, ticket)
    wait_until(lambda: free(acme, 1), 20, "free")
    open_again(acme.system, ticket)
    wait_until(lambda: state(acme, 1) == "open", 20, "open again")
    wait_until(lambda: int(incident(acme.system, acme.of(1)).get("approval.asked_ms") or 0) > 0, 20,
               "approval is offered")
    assert acme.free("WS-1") and len(acme.acts("isolate")) == 1


# ---- a verdict by mail


def code_of(acme, number):
    """The code that the ticket shows for letting the host go."""
    for note in notes(ticket_of(acme, number)):
        found = re.search(r"Code for closing it.*: (\S{4}-\S{4})", note)
        if found:
            return found[1]
    return None


@pytest.fixture
def keys(acme):
    return LinkKeys(acme.system.folder)


def verdict(acme, number, token, code=""):
    say(acme.system, "verdict", "link", incident=acme.of(number), verdict="false_positive",
        actor="mail link", token=token, code=code)


def refused(service, count):
    """Each at least once: a worker that had to wait for the processor loses its entry to another one."""
    wait_until(lambda: service.metric("tocsin_closings_total", via="link", outcome="refused") >= count,
               20, f"{count} refused")


def test_a_verdict_that_lets_a_host_go_needs_the_code(acme, keys):
    service = acme.start()
    contained(acme, 2)
    wait_until(lambda: code_of(acme, 1), 20, "the ticket has the code")
    good = keys.token(incident=acme.of(1), needs_code=True)
    bad = [
        ("k1.nonsense", ""), (good[:-6] + "AAAAAA", ""),                   # forged
        (keys.token(incident=acme.of(2)), code_of(acme, 1)),               # another incident's
        (keys.token(incident=acme.of(1), customer="globex"), code_of(acme, 1)),
        (keys.token(incident=acme.of(1), installation="other"), code_of(acme, 1)),
        (keys.token(incident=acme.of(1), purpose="approve"), code_of(acme, 1)),
        (keys.token(incident=acme.of(1), expires_in=-5), code_of(acme, 1)),
        (good, ""), (good, "2345-6789"), (keys.token(incident=acme.of(1)), "")]  # the code
    for token, code in bad:
        verdict(acme, 1, token, code)
    refused(service, len(bad))
    assert state(acme, 1) == "open" and acme.isolated("WS-1")
    verdict(acme, 1, good, code_of(acme, 1))
    wait_until(lambda: free(acme, 1), 20, "let go")
    assert ticket_of(acme, 1)["state"] == "6"
    assert acme.isolated("WS-2")


def test_a_link_acts_once(acme, keys):
    service = acme.start(**SOON)
    contained(acme, 1)
    wait_until(lambda: code_of(acme, 1), 20, "the ticket has the code")
    token, code = keys.token(incident=acme.of(1), needs_code=True), code_of(acme, 1)
    for _ in range(20):
        verdict(acme, 1, token, code)
    wait_until(lambda: free(acme, 1), 20, "let go")
    assert len(acme.acts("release")) == 1
    open_again(acme.system, ticket_of(acme, 1))
    wait_until(lambda: state(acme, 1) == "open", 20, "open again")
    before = service.metric("tocsin_closings_total", via="link", outcome="refused")
    verdict(acme, 1, token, code)
    refused(service, before + 1)
    assert state(acme, 1) == "open"


def test_codes_cannot_be_tried_out(acme, keys):
    service = acme.start()
    contained(acme, 1)
    wait_until(lambda: code_of(acme, 1), 20, "the ticket has the code")
    token = keys.token(incident=acme.of(1), needs_code=True)
    for _ in range(5):
        verdict(acme, 1, token, "2345-6789")
    verdict(acme, 1, token, code_of(acme, 1))
    refused(service, 6)
    assert state(acme, 1) == "open" and acme.isolated("WS-1")
