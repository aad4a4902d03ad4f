"""Defender for Endpoint from its API to the ticket, with the sandbox as Entra and Defender: each
change of an alert once, one ticket for what belongs together, nothing opened for what is over."""
import collections
import datetime
import json

import pytest
from harness import wait_until
from harness.system import SYS_ID, seal

TENANT = "6f1d2c3b-4a59-4e6f-8a7b-1c2d3e4f5a6b"
QUICK = {"TOCSIN_POLL_RETRY_MIN": "100ms", "TOCSIN_POLL_RETRY_MAX": "2s"}


# ---- alerts


def moment(back_s=0.0, digits=7):
    """A time as the API writes it, with so many fraction digits (0: none)."""
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=back_s)
    fraction = f"{at.microsecond:06d}3"[:digits]
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}Z" if digits else "Z")


def alert(number, **fields):
    made = {
        "id": f"da638765432100{number:06d}_-{number}", "incidentId": 5000 + number,
        "severity": "High", "status": "New", "classification": None, "determination": None,
        "detectionSource": "WindowsDefenderAtp", "category": "Execution",
        "detectorId": "0b7d2d1e-5a0f-4c55-9a54-2f6f0f5c1a01",
        "title": f"Suspicious script {number}", "description": "A script did odd things.\nLook.",
        "alertCreationTime": moment(90), "firstEventTime": moment(100), "lastEventTime": moment(95),
        "lastUpdateTime": moment(60 - number % 40, 1 + number % 7), "resolvedTime": None,
        "machineId": f"{number:040x}", "computerDnsName": f"ws-{number}.corp.example.com",
        "aadTenantId": TENANT, "mitreTechniques": ["T1059.001"],
        "relatedUser": {"userName": "jdoe", "domainName": "CORP"}, "comments": [],
        "evidence": [{"entityType": "File", "fileName": f"odd-{number}.ps1", "filePath": "C:\\Temp",
                      "sha256": f"{number:064x}", "sha1": None, "detectionStatus": "Detected"}]}
    return {**made, **fields}


def tenant(system, **settings):
    """The customer's tenant, or a change of it."""
    system.sandbox.post("accounts", {"vendor": "defender", "account": "acme", "tenant_id": TENANT,
                                     "client_id": "app-1", "client_secret": "a+b=&c", **settings})


def emit(system, *alerts):
    tenant(system, alerts=list(alerts))


def customer(system, account=None, tickets=True, **source):
    tenant(system)
    body = {
        "id": "acme", "name": "Acme", "mode": "live", "minimum_severity": "medium",
        "accounts": {"defender": {
            "tenant_id": TENANT, "client_id": "app-1", "url": f"{system.sandbox.url}/defender",
            "login_url": f"{system.sandbox.url}/defender/login",
            "secret": seal(system.key, "acme", "defender.secret", "a+b=&c"), **(account or {})}},
        "sources": {"defender": {"interval": "10s", "first_look_back": "24h", **source}}}
    if tickets:
        system.servicenow()
        body["servicenow"] = {"account": "snow-main", **SYS_ID}
    (system.config / "customers/acme.json").write_text(json.dumps(body, indent=2))
    system.apply()


# ---- what became of them


def fates(system):
    """Of the changes; the alert's own says where all of them go."""
    prefix = system.key_name("seen:acme:defender:")
    keys = system.redis.client.keys(prefix + "*:*")
    return {key[len(prefix):]: system.redis.client.get(key) for key in keys if ":" in key[len(prefix):]}


def fates_of(system, one):
    return {key: fate for key, fate in fates(system).items() if key.startswith(one["id"] + ":")}


def tickets(system):
    return system.sandbox.get("state/servicenow/main")["incidents"]


def notes(system):
    return "\n".join(note["value"] for ticket in tickets(system) for note in ticket["work_notes"])


def raw_ids(system):
    entries = system.redis.client.xrange(system.key_name("raw"))
    return collections.Counter(fields["event_id"] for _, fields in entries)


def cursor(system):
    return system.redis.client.hgetall(system.key_name("cursor:acme:defender"))


def polls(system):
    return int(cursor(system).get("polls", 0))


def calls(system, prefix="/defender/api"):
    return system.sandbox.get(f"ledger?vendor=defender&path_prefix={prefix}")["calls"]


def verify(system, expect):
    (report,) = system.tocsin("customer", "verify", "acme", expect=expect)["reports"]
    return {check["check"]: check for check in report["checks"]}


# ---- the tests


def test_a_changed_alert_is_a_note(system):
    """Its severity, its state and a comment change: one ticket, and a note for each change."""
    customer(system)
    one = alert(1)
    emit(system, one)
    system.start(**QUICK)
    wait_until(lambda: len(tickets(system)) == 1 and system.drained(), 40, "a ticket")
    first = notes(system)
    for text in ("Suspicious script 1", "A script did odd things.", one["id"], one["machineId"],
                 "Event type: Execution", "Detected by: WindowsDefenderAtp", "ws-1.corp.example.com"):
        assert text in first
    assert tickets(system)[0]["company"] == SYS_ID["company"]
    emit(system, {"id": one["id"], "status": "Resolved", "classification": "TruePositive",
                  "comments": [{"comment": "cleaned by hand", "createdBy": "soc@example.com",
                                "createdTime": moment()}]})
    wait_until(lambda: "now Resolved, verdict True Positive, comment: cleaned by hand" in
               notes(system), 40, "a note")
    wait_until(system.drained, 20, "everything is settled")
    assert len(tickets(system)) == 1
    assert len(fates_of(system, one)) == 2
    assert len(set(fates_of(system, one).values())) == 1
    assert system.length("dead") == 0


def test_our_own_change_is_no_news(system):
    """Closing resolves the alert with a comment that carries our key: it comes back, and is skipped."""
    customer(system)
    one, at = alert(4), moment()
    emit(system, one)
    system.start(**QUICK)
    wait_until(lambda: len(tickets(system)) == 1 and system.drained(), 40, "a ticket")
    before = notes(system)
    emit(system, {"id": one["id"], "status": "Resolved", "lastUpdateTime": at, "comments": [
        {"comment": "Closed: tocsin-i:test:acme:0:0", "createdBy": "app-1", "createdTime": at}]})
    wait_until(lambda: len(fates_of(system, one)) == 2 and system.drained(), 40, "the change")
    assert sorted(fate.partition(":")[0] for fate in fates_of(system, one).values()) == \
        ["incident", "skipped"]
    assert notes(system) == before


def test_resolved_before_we_saw_it_is_recorded(system):
    """It opens nothing; the same alert opened again at the source does."""
    customer(system)
    over, open_one = alert(2, status="Resolved", assignedTo="Automation"), alert(3)
    emit(system, over, open_one)
    system.start(**QUICK)
    wait_until(lambda: len(tickets(system)) == 1 and len(fates(system)) == 2 and system.drained(),
               40, "a ticket for one of them")
    assert set(fates_of(system, over).values()) == {"recorded:resolved at its source before it was seen"}
    assert not any(fate.startswith("recorded") for fate in fates_of(system, open_one).values())
    emit(system, {"id": over["id"], "status": "InProgress"})
    wait_until(lambda: len(tickets(system)) == 2, 40, "a ticket for the other")
    assert len(fates_of(system, over)) == 2


def test_alerts_of_one_incident_are_one_ticket(system):
    customer(system)
    emit(system, *(alert(n, incidentId=77, machineId="a" * 40) for n in range(10, 16)))
    system.start(**QUICK)
    wait_until(lambda: len(fates(system)) == 6 and system.drained(), 40, "all are settled")
    assert len(tickets(system)) == 1
    assert len(set(fates(system).values())) == 1


def test_an_incident_named_late_is_no_second_ticket(system):
    """The correlation comes minutes after the alert, as it does; others of it join the same."""
    customer(system)
    machine = "b" * 40
    one = alert(20, incidentId=None, machineId=machine)
    emit(system, one)
    system.start(**QUICK)
    wait_until(lambda: len(tickets(system)) == 1 and system.drained(), 40, "a ticket")
    emit(system, {"id": one["id"], "incidentId": 900})
    wait_until(lambda: len(fates_of(system, one)) == 2 and system.drained(), 40, "the change")
    emit(system, alert(21, incidentId=900, machineId=machine))
    wait_until(lambda: len(fates(system)) == 3 and "queued" not in fates(system).values(), 40,
               "another of the incident")
    assert len(tickets(system)) == 1
    (fate,) = set(fates(system).values())
    (told,) = system.tocsin("trace", one["id"])["events"]
    assert told["fate"] == fate and fate.startswith("incident:")


@pytest.mark.parametrize("links", [False, True], ids=["skip", "next-link"])
def test_equal_times_across_pages_each_once(system, links):
    """2,500 alerts whose times are the same, over three pages, while some change."""
    customer(system, tickets=False)
    created, updated = moment(90), moment(60, 2)
    wanted = [alert(n, alertCreationTime=created, lastUpdateTime=updated, evidence=[])
              for n in range(2500)]
    tenant(system, alerts=wanted, next_links=links, page_max=900)
    system.sandbox.fault(kind="latency", vendor="defender", path_prefix="/defender/api", ms=300)
    system.start("collector", **QUICK)
    wait_until(lambda: len(calls(system)) >= 1, 20, "the first page")
    changed = [{"id": one["id"], "status": "InProgress"} for one in wanted[::100]]
    emit(system, *changed)
    wait_until(lambda: polls(system) >= 2 and cursor(system).get("failures") == "0", 40, "two polls")
    seen = raw_ids(system)
    assert set(seen.values()) == {1}
    assert {key.rsplit(":", 1)[0] for key in seen} == {one["id"] for one in wanted}
    twice = collections.Counter(key.rsplit(":", 1)[0] for key in seen)
    latest = {one["id"] for one in changed}
    assert {key for key, count in twice.items() if count == 2} <= latest
    stamps = collections.defaultdict(set)
    for _, fields in system.redis.client.xrange(system.key_name("raw")):
        payload = json.loads(fields["payload"])
        stamps[payload["id"]].add(payload["status"])
    assert all("InProgress" in stamps[key] for key in latest)


def test_a_late_alert_is_not_lost(system):
    """Created half a day ago, visible now: found by its last change."""
    customer(system, tickets=False, first_look_back="1m")
    system.start("collector", **QUICK)
    wait_until(lambda: polls(system) >= 1, 20, "a poll")
    late = alert(20, alertCreationTime=moment(43000), lastUpdateTime=moment(1, 1))
    emit(system, late)
    wait_until(lambda: len(raw_ids(system)) == 1, 40, "the alert")
    payload = json.loads(system.redis.client.xrange(system.key_name("raw"))[0][1]["payload"])
    assert payload == late


def test_throttling_is_waited_out(system):
    customer(system, tickets=False)
    emit(system, alert(30))
    system.sandbox.fault(kind="429", vendor="defender", path_prefix="/defender/api", retry_after=2,
                         count=1)
    system.start("collector", **QUICK)
    wait_until(lambda: len(raw_ids(system)) == 1, 40, "the alert")
    first, second = calls(system)[:2]
    assert first["status"] == 429
    assert second["time_ms"] - first["answer_ms"] >= 1900


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_withdrawn_token_is_renewed(system, version):
    customer(system, {"token_version": version}, tickets=False)
    emit(system, alert(40))
    system.start("collector", **QUICK)
    wait_until(lambda: len(raw_ids(system)) == 1, 20, "the alert")
    (login,) = calls(system, "/defender/login")
    assert login["path"].endswith("/oauth2/token" if version == "v1" else "/oauth2/v2.0/token")
    system.sandbox.post("revoke/defender/acme", {})
    emit(system, alert(41))
    wait_until(lambda: len(raw_ids(system)) == 2, 40, "the other alert")
    assert len(calls(system, "/defender/login")) == 2
    assert cursor(system)["failures"] == "0"


REFUSALS = [
    ({"client_secret": "another"}, {}, "7000215", "secret's value"),
    ({"secret_expired": True}, {}, "7000222", "expired"),
    ({"client_id": "another"}, {}, "700016", "consented"),
    ({"licensed": False}, {}, "500011", "licence"),
    ({}, {"tenant_id": "nobody.example"}, "90002", "no such tenant"),
    ({"roles": []}, {}, "no roles", "Alert.Read.All"),
]


@pytest.mark.parametrize("settings,account,code,words", REFUSALS, ids=lambda value: str(value)[:30])
def test_verify_tells_refusals_of_entra_apart(system, settings, account, code, words):
    customer(system, account, tickets=False)
    tenant(system, **settings)
    check = verify(system, expect=4)["log in"]
    assert check["result"] == "no"
    assert code in check["text"] and words in check["text"]


def test_verify_tells_a_missing_role(system):
    customer(system, tickets=False)
    assert verify(system, expect=0)["read alerts"]["result"] == "yes"
    tenant(system, roles=["Machine.Read.All"])
    checks = verify(system, expect=4)
    assert checks["log in"]["result"] == "yes"
    assert checks["read alerts"]["result"] == "no"
    assert "Alert.Read.All" in checks["read alerts"]["text"]


def test_the_secret_is_told_to_nobody(system):
    customer(system, tickets=False)
    emit(system, alert(50))
    system.start("collector", TOCSIN_LOG_LEVEL="debug", **QUICK)
    wait_until(lambda: len(raw_ids(system)) == 1, 20, "the alert")
    for path in system.folder.glob("*.log"):
        text = path.read_text()
        assert "a+b=&c" not in text and "a%2Bb%3D%26c" not in text and "eyJ" not in text
