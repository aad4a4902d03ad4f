"""Umbrella from the vendor's pages to the ticket: every record once, one ticket for one problem."""
import collections
import json
import time

import pytest
from harness import wait_until

QUICK = {"TOCSIN_POLL_RETRY_MIN": "100ms", "TOCSIN_POLL_RETRY_MAX": "2s"}
C2 = {"id": 65, "label": "Command and Control", "type": "security", "integration": False}
ROAMING = {"id": 9, "type": "roaming", "label": "Roaming Computers"}


def record(number, age_s=60.0, **fields):
    """A blocked request; two of one number and age are equal in every byte."""
    at = int(time.time() - age_s)
    return {"type": "dns", "timestamp": at * 1000, "domain": f"d{number}.c2.example",
            "querytype": "A", "returncode": 0, "externalip": "203.0.113.20",
            "internalip": "10.1.4.22", "verdict": "blocked", "categories": [C2],
            "policycategories": [C2], "threats": [],
            "identities": [{"id": 481516, "label": "NB-0042", "deleted": False, "type": ROAMING}],
            **fields}


def raw(system, customer):
    entries = [fields for _, fields in system.redis.client.xrange(system.key_name("raw"))]
    return [entry for entry in entries if entry["customer"] == customer]


def domains(system, customer):
    return collections.Counter(json.loads(entry["payload"])["domain"]
                               for entry in raw(system, customer))


def cursor(system, customer, field):
    value = system.redis.client.hget(system.key_name(f"cursor:{customer}:umbrella"), field)
    return int(value or 0)


def polls(system, customer, wanted=1, deadline=40):
    wait_until(lambda: cursor(system, customer, "last_ok_ms") and
               cursor(system, customer, "polls") >= wanted, deadline, f"{customer} was polled")


def calls(system, customer, part=""):
    found = system.sandbox.get(f"ledger?vendor=umbrella&account=umb-{customer}")["calls"]
    return [call for call in found if part in call["path"]]


def test_pages_past_the_ceiling(system):
    """12,000 records where an offset reaches 10,000: windows are split, each record comes once."""
    system.umbrella("acme")
    system.apply()
    records = [record(i, age_s=100 + i // 7) for i in range(12000)]
    for at in range(0, 12000, 3000):
        system.emit_umbrella("acme", records[at:at + 3000])
    system.start("collector", **QUICK)
    polls(system, "acme")
    seen = domains(system, "acme")
    assert len(seen) == 12000 and set(seen.values()) == {1}
    pages = calls(system, "acme", "/reports/v2/activity")
    assert {call["status"] for call in pages} == {200}, "no offset that the vendor refuses"
    assert all("verdict=blocked&categories=65,150" in call["query"] for call in pages)
    windows = {call["query"].split("&limit")[0] for call in pages}
    assert len(windows) >= 3, "the whole, and two parts of it"
    assert len({q.split("to=")[1] for q in windows}) >= 2
    assert len(calls(system, "acme", "/auth/v2/token")) == 1


def test_equal_records_are_as_many_as_there_are(system):
    """Equal records, also where a page ends, and read again with every poll's overlap."""
    system.umbrella("acme")
    system.apply()
    twins = [record(i // 3, age_s=100 + i // 90) for i in range(2700)]
    system.emit_umbrella("acme", twins)
    system.start("collector", **QUICK)
    polls(system, "acme", 2)
    system.emit_umbrella("acme", [record(9999, age_s=1)])
    wait_until(lambda: "d9999.c2.example" in domains(system, "acme"), 40, "the new one")
    seen = domains(system, "acme")
    assert seen.pop("d9999.c2.example") == 1
    assert len(seen) == 900 and set(seen.values()) == {3}
    assert len({entry["event_id"] for entry in raw(system, "acme")}) == 2701


@pytest.mark.parametrize("status", [302, 307])
def test_redirect_to_the_region(system, status):
    """Followed with the token, to the same host."""
    system.umbrella("acme", vendor={"region": "eu", "redirect_status": status})
    system.apply()
    system.emit_umbrella("acme", [record(1)])
    system.start("collector", **QUICK)
    wait_until(lambda: len(raw(system, "acme")) == 1, 30, "the record")
    assert calls(system, "acme", "/reports/v2/")[0]["status"] == status
    assert calls(system, "acme", "/reports.eu/v2/")[0]["status"] == 200


def test_redirect_elsewhere_gets_no_token(system):
    """Another host is not even asked, and the account waits for a person."""
    port = system.sandbox.url.rsplit(":", 1)[1]
    system.umbrella("acme", vendor={"region": "eu", "redirect_to": f"http://localhost:{port}"})
    system.apply()
    system.emit_umbrella("acme", [record(1)])
    system.start("collector", **QUICK)
    wait_until(lambda: system.redis.client.hget("tocsin:account:acme.umbrella", "parked"), 30,
               "parked")
    assert calls(system, "acme", "/reports/v2/")
    assert not calls(system, "acme", "/reports.eu/")
    assert not raw(system, "acme")


def test_legacy_key(system):
    """Its own token endpoint, and the organization in the path; redirected in its own way."""
    system.umbrella("acme", account={"auth": "legacy", "org_id": "1000001",
                                     "management_url": f"{system.sandbox.url}/umbrella"},
                    vendor={"region": "us"})
    system.apply()
    system.emit_umbrella("acme", [record(1)])
    system.start("collector", **QUICK)
    wait_until(lambda: len(raw(system, "acme")) == 1, 30, "the record")
    assert calls(system, "acme", "/auth/v2/oauth2/token")
    assert calls(system, "acme", "/v2/organizations/1000001/activity")[0]["status"] == 302
    assert calls(system, "acme", "/umbrella/organizations/1000001/activity")[0]["status"] == 200


def test_child_organization(system):
    """A provider's key reads a child's activity; one that it may not is refused at the token."""
    system.umbrella("acme", account={"org_id": "2000002"},
                    vendor={"organizations": "1000001,2000002"})
    system.umbrella("globex", account={"org_id": "3000003"})
    system.apply()
    system.emit_umbrella("acme", [record(1)])
    system.start("collector", **QUICK)
    wait_until(lambda: len(raw(system, "acme")) == 1, 30, "the record")
    reason = wait_until(lambda: system.redis.client.hget(system.key_name("cursor:globex:umbrella"), "last_error"), 30,
                        "globex is refused")
    assert system.redis.client.hget("tocsin:account:globex.umbrella", "parked")
    assert "no token" in reason and "403" in reason and "Forbidden" in reason
    assert not calls(system, "globex", "/reports")


def test_an_expired_token_is_renewed_once(system):
    system.umbrella("acme")
    system.apply()
    system.start("collector", **QUICK)
    polls(system, "acme")
    system.sandbox.post("revoke/umbrella/umb-acme", {})
    before = cursor(system, "acme", "polls")
    polls(system, "acme", before + 1)
    system.emit_umbrella("acme", [record(1, age_s=1)])
    wait_until(lambda: len(raw(system, "acme")) == 1, 30, "the record")
    assert len(calls(system, "acme", "/auth/v2/token")) == 2
    assert len([c for c in calls(system, "acme") if c["status"] == 401]) == 1


def test_retrospective_records(system):
    """A list of their own, in seconds, read when asked for."""
    system.umbrella("acme", source={"retrospective": True})
    system.apply()
    at = int(time.time()) - 100
    system.emit_umbrella("acme", [record(1), {
        "timestamp": at, "firstseenat": at - 86400, "disposition": "malicious", "score": 100,
        "hostname": "nb-1", "malwarename": "Win.Example", "sha256": "ab" * 32}])
    system.start("collector", **QUICK)
    wait_until(lambda: len(raw(system, "acme")) == 2, 30, "both")
    assert calls(system, "acme", "/activity/amp-retrospective")


def test_refused_for_a_while(system):
    """429 without any header, and answers that break off: nothing is lost."""
    system.umbrella("acme")
    system.apply()
    system.emit_umbrella("acme", [record(i, age_s=100 + i) for i in range(2500)])
    system.sandbox.fault(kind="429", vendor="umbrella", path_prefix="/umbrella/reports", skip=1,
                         count=1)
    system.sandbox.fault(kind="truncated_json", vendor="umbrella",
                         path_prefix="/umbrella/reports", skip=2, count=1)
    system.start("collector", **QUICK)
    wait_until(lambda: len(domains(system, "acme")) == 2500, 40, "all of them")
    assert set(domains(system, "acme").values()) == {1}
    assert {429, 200} <= {call["status"] for call in calls(system, "acme")}


def test_500_domains_are_one_ticket(system):
    """Malware that tries 500 command-and-control domains on one computer is one problem; the same on
    another computer is another. What was let pass on purpose is none."""
    system.servicenow()
    system.umbrella("acme", instance="main", source={"categories": [65, 150, 11]})
    system.apply()
    other = [{"id": 2342, "label": "NB-0043", "deleted": False, "type": ROAMING}]
    system.emit_umbrella("acme", [record(i, age_s=60 + i // 50) for i in range(500)] +
                         [record(1, identities=other)])
    system.start(**QUICK)
    wait_until(lambda: system.fates() == 501, 60, "every record has its fate")
    wait_until(lambda: len(system.sandbox.get("state/servicenow/main")["incidents"]) == 2, 30,
               "two tickets")
    assert system.length("raw") == system.length("findings") == 0
    keys = system.redis.client.keys(system.key_name("seen:acme:umbrella:*"))
    fates = collections.Counter(system.redis.client.mget(keys))
    assert sorted(fates.values()) == [1, 500] and all(f.startswith("incident:") for f in fates)
    tickets = system.sandbox.get("state/servicenow/main")["incidents"]
    assert len(tickets) == 2
    assert {True} == {"Command and Control" in t["short_description"] for t in tickets}
    assert {"NB-0042", "NB-0043"} == {name for t in tickets for name in ("NB-0042", "NB-0043")
                                      if name in t["short_description"]}


def test_verify_says_what_a_key_can_do(system):
    system.umbrella("good")
    system.umbrella("blind", vendor={"no_scope": True})
    system.umbrella("wrong", vendor={"secret": "another"})

    def checks(customer, **expect):
        report = system.tocsin("customer", "verify", customer, **expect)["reports"][0]
        return {check["check"]: (check["result"], check["text"]) for check in report["checks"]}

    good = checks("good")
    assert good["log in"][0] == good["read activity"][0] == "yes"
    blind = checks("blind", expect=4)
    assert blind["log in"][0] == "yes" and blind["read activity"][0] == "no"
    assert "403" in blind["read activity"][1]
    wrong = checks("wrong", expect=4)
    assert wrong["log in"][0] == "no" and "401" in wrong["log in"][1]
    assert "read activity" not in wrong
