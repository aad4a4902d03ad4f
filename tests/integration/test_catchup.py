"""What people take in by hand: collect --once, replay and audit, each for what its source is like.
None of them makes a second ticket, moves the collector's place or contains a host by itself."""
import json
import time

from harness import wait_until
from harness.events import (defender_alert, policy_update, quarantine_failure, threat_detected,
                            umbrella_record)
from harness.system import SYS_ID, seal

MINOR = "recorded:below the customer's minimum severity"
QUICK = {"TOCSIN_POLL_RETRY_MIN": "100ms", "TOCSIN_POLL_RETRY_MAX": "2s"}


def window(system, command, *args, customer="acme", expect=0):
    """The one source's part of the answer."""
    (found,) = system.tocsin(command, "--customer", customer, *args, expect=expect)["sources"]
    return found


def old(number, age_s, **fields):
    return threat_detected(number, when=time.time() - age_s, **fields)


def cursor(system, source="secure_endpoint"):
    return system.redis.client.hgetall(system.key_name(f"cursor:acme:{source}"))


def raw(system):
    return [fields for _, fields in system.redis.client.xrange(system.key_name("raw"))]


def tickets(system):
    return sum(c["incidents"] for c in system.summary()["servicenow"].values())


def forget(system, *events):
    for event in events:
        assert system.redis.client.delete(
            system.key_name(f"seen:acme:secure_endpoint:{event['id']}")) == 1


def test_collect_once_takes_in_what_is_new(system):
    """Without a collector: dry first, then for real, then again; older than the first look-back."""
    system.servicenow()
    system.customer("acme", xdr=None)
    system.apply()
    events = [old(n, 3 * 3600 + n) for n in range(700)] + [old(n, 3600, detection=7) for n in (900, 901)]
    system.emit("acme", events + [old(5000, 40 * 3600)])
    dry = window(system, "collect", "--once", "--since", "24h", "--dry-run", "--limit", "1000")
    assert dry["events"] == 702 and dry["tally"] == {"opens": 702} and dry["unlisted"] == 0
    row = next(r for r in dry["list"] if r["event_id"] == str(events[3]["id"]))
    assert row["ticket"] and row["severity"] == "High" and row["host"] == "WS-00003.corp.example.com"
    assert "Threat Detected" in row["type"] and row["why"] == "a new ticket"
    assert system.redis.client.keys(system.key_name("seen:*")) == [] and raw(system) == []
    wet = window(system, "collect", "--once", "--since", "24h")
    assert wet["tally"] == {"taken in": 702} and wet["error"] is None
    assert {entry["origin"] for entry in raw(system)} == {"catchup"} and len(raw(system)) == 702
    assert cursor(system) == {}
    again = window(system, "collect", "--once", "--since", "24h")
    assert again["tally"] == {"known": 702} and len(raw(system)) == 702


def test_collect_says_what_would_become_of_each(system):
    """Known, skipped, recorded, joining an incident that is open, opening one; and no ticket in
    shadow mode."""
    system.servicenow()
    system.customer("acme", xdr=None)
    system.apply()
    first, low = threat_detected(1), threat_detected(2)
    low["severity"] = "Low"
    system.emit("acme", [first])
    services = system.start(**QUICK)
    wait_until(lambda: tickets(system) == 1 and system.drained(), 40, "a ticket")
    services[0].stop()
    joins, opens = quarantine_failure(first, 3 - 1), threat_detected(5)
    system.emit("acme", [low, joins, policy_update(4), opens, quarantine_failure(opens, 6 - 5)])
    dry = window(system, "collect", "--once", "--all-types", "--dry-run")
    found = {row["event_id"]: row for row in dry["list"]}
    said = {int(key) - 6533241145273600000: row["outcome"] for key, row in found.items()}
    incident = system.fate("acme", first["id"]).partition(":")[2]
    assert said == {1: "known", 2: "recorded", 3: "joins", 4: "skipped", 5: said[5], 6: said[6]}
    assert {said[5], said[6]} == {"opens", "joins"}
    assert found[str(joins["id"])]["incident"] == incident
    assert found[str(first["id"])]["number"] == found[str(joins["id"])]["number"] != None
    assert "Policy Update" in next(r["why"] for r in dry["list"] if r["outcome"] == "skipped")
    # A type that nobody asked for by name is skipped, and that is its fate.
    assert window(system, "collect", "--once", "--all-types")["tally"] == {"taken in": 5, "known": 1}
    wait_until(lambda: (system.fate("acme", policy_update(4)["id"]) or "").startswith("skipped:"), 20,
               "it is skipped")
    system.customer("acme", xdr=None, mode="shadow")
    system.apply()
    system.emit("acme", [threat_detected(50)])
    dry = window(system, "collect", "--once", "--dry-run")
    (row,) = [r for r in dry["list"] if r["outcome"] == "opens"]
    assert row["why"] == "shadow mode" and not row["ticket"]


def test_collect_refuses_what_could_get_a_second_ticket(system):
    system.customer("acme", instance=None, xdr=None)
    system.apply()
    system.tocsin("collect", "--customer", "acme", expect=2)
    system.tocsin("collect", "--once", expect=2)
    system.tocsin("collect", "--once", "--customer", "acme", "--since", "30d", expect=2)
    system.tocsin("collect", "--once", "--customer", "acme", "--since", "soon", expect=2)
    system.tocsin("collect", "--once", "--customer", "nobody", expect=3)
    system.tocsin("collect", "--once", "--customer", "acme", "--source", "umbrella", expect=3)
    window(system, "collect", "--once", "--since", "30d", "--dry-run")


def test_audit_finds_what_has_no_fate_and_repairs_it(system):
    system.servicenow()
    system.customer("acme", xdr=None, source={"first_look_back": "2h"})
    system.apply()
    events = [old(n, 1200 + n) for n in range(600)]
    fresh, before = threat_detected(7000), old(8000, 5 * 3600)
    system.emit("acme", events + [before])
    services = system.start("collector", **QUICK)
    wait_until(lambda: cursor(system).get("last_ok_ms"), 30, "a poll")
    services.stop()
    system.emit("acme", [fresh])
    report = window(system, "audit")
    assert report["tally"] == {"queued": 600, "before the first poll": 1, "not polled yet": 1}
    # What is already a ticket, what never was seen, and what is on its way lose their fates.
    system.start("normalizer", "incident", **QUICK)
    wait_until(lambda: tickets(system) == 600 and system.drained(), 120, "the tickets")
    forget(system, events[10], events[500])
    report = window(system, "audit", expect=4)
    assert report["tally"] == {"incident": 598, "missing": 2, "before the first poll": 1,
                               "not polled yet": 1}
    assert {row["event_id"] for row in report["list"]} == {str(events[i]["id"]) for i in (10, 500)}
    assert report["list"][0]["type"] == "Threat Detected" and report["list"][0]["time_ms"]
    text = system.tocsin("audit", "--customer", "acme", expect=4, text=True)
    assert str(events[10]["id"]) in text and "--repair" in text
    before = cursor(system)
    report = window(system, "audit", "--repair")
    assert report["tally"]["repaired"] == 2 and "missing" not in report["tally"]
    wait_until(system.drained, 30, "they are settled")
    report = window(system, "audit")
    assert report["tally"]["incident"] == 600
    assert tickets(system) == 600 and not system.length("dead")
    assert cursor(system) == before


def test_audit_tells_a_vendor_that_cannot_be_asked(system):
    system.customer("acme", instance=None, xdr=None)
    system.apply()
    system.emit("acme", [old(1, 1000)])
    system.sandbox.post("accounts", {"vendor": "secure_endpoint", "account": "amp-acme",
                                     "client_id": "amp-acme", "api_key": "another"})
    report = window(system, "audit", expect=4)
    assert "401" in report["error"]
    (account,) = [a for a in system.tocsin("status", expect=4)["accounts"] if a["parked"]]
    assert account["id"] == "acme.secure_endpoint" # whoever finds it parks it for all


def test_replay_decides_anew_and_never_twice(system):
    """Recorded below a minimum that is lower now; what has a ticket keeps it."""
    system.servicenow()
    system.customer("acme", xdr=None, minimum_severity="critical")
    system.apply()
    events = [old(n, 900 + n) for n in range(5)]
    system.emit("acme", events)
    system.start(**QUICK)
    wait_until(lambda: {system.fate("acme", e["id"]) for e in events} == {MINOR}, 40, "recorded")
    dry = window(system, "replay", "--since", "1h", "--dry-run")
    assert dry["tally"] == {"recorded": 5}
    system.customer("acme", xdr=None, minimum_severity="high")
    system.apply()
    dry = window(system, "replay", "--since", "1h", "--dry-run")
    assert dry["tally"] == {"opens": 5} and tickets(system) == 0
    # The services hear of the change within seconds.
    wait_until(lambda: window(system, "replay", "--since", "1h")["tally"] and tickets(system) == 5,
               40, "tickets", every=0.5)
    wait_until(system.drained, 20, "they are made")
    again = window(system, "replay", "--since", "1h")
    assert again["tally"] == {"incident": 5}
    wait_until(system.drained, 20, "nothing is left")
    assert tickets(system) == 5 and not system.length("dead")


def test_replay_says_what_other_rules_would_do(system):
    system.customer("acme", instance=None, xdr=None, minimum_severity="critical")
    system.apply()
    events = [old(n, 900 + n) for n in range(4)]
    system.emit("acme", events)
    system.start(**QUICK)
    wait_until(lambda: {system.fate("acme", e["id"]) for e in events} == {MINOR}, 40, "recorded")
    rules = system.folder / "other.json"
    rules.write_text(json.dumps({"rules": [
        {"name": "noise", "owner": "soc", "hosts": ["ws-00001*"], "suppress": True},
        {"name": "loud", "owner": "soc", "when": ".finding.severity_id >= 4", "minimum_severity": "high"}]}))
    dry = window(system, "replay", "--since", "1h", "--rules", str(rules))
    assert dry["tally"] == {"suppressed": 1, "opens": 3}
    (row,) = [row for row in dry["list"] if row["outcome"] == "suppressed"]
    assert row["why"] == "noise" and row["fate"] == MINOR and row["rules"] == ["noise"]
    assert {system.fate("acme", e["id"]) for e in events} == {MINOR}
    rules.write_text('{"rules": [{"name": "bad", "owner": "soc", "when": "nonsense(", "suppress": true}]}')
    system.tocsin("replay", "--since", "1h", "--rules", str(rules), expect=2)


TENANT = "6f1d2c3b-4a59-4e6f-8a7b-1c2d3e4f5a6b"


def all_sources(system, mode):
    """A customer of everything, with containment by itself."""
    system.servicenow()
    system.threat_response()
    system.sandbox.secure_endpoint("amp", "s")
    system.sandbox.post("accounts", [
        {"vendor": "umbrella", "account": "acme", "client_id": "umb", "secret": "s"},
        {"vendor": "defender", "account": "acme", "tenant_id": TENANT, "client_id": "app",
         "client_secret": "s", "roles": ["Alert.Read.All", "Machine.Isolate", "Machine.Read.All"]}])
    url, sealed = system.sandbox.url, lambda kind: seal(system.key, "acme", f"{kind}.secret", "s")
    poll = {"interval": "10s", "first_look_back": "1h"}
    system.write_customer({
        "id": "acme", "mode": mode, "containment": {"mode": "auto"},
        "accounts": {
            "secure_endpoint": {"url": f"{url}/amp", "client_id": "amp", "secret": sealed("secure_endpoint")},
            "umbrella": {"url": f"{url}/umbrella", "client_id": "umb", "secret": sealed("umbrella")},
            "defender": {"url": f"{url}/defender", "login_url": f"{url}/defender/login",
                         "tenant_id": TENANT, "client_id": "app", "secret": sealed("defender")}},
        "sources": {"secure_endpoint": poll, "umbrella": poll, "defender": poll},
        "servicenow": {"account": "snow-main", **SYS_ID},
        "threat_response": {"account": "xdr", "mode": "create"}})
    system.apply()


def test_shadow_does_everything_but_what_is_seen_outside(system):
    """Events of all sources become incidents that tell what would have been done; the vendors are only
    read, ServiceNow and Threat Response hear nothing."""
    all_sources(system, "shadow")
    system.sandbox.post("events/amp", [threat_detected(1)])
    system.sandbox.post("events/umb?vendor=umbrella", [umbrella_record(1)])
    system.sandbox.post("accounts", {"vendor": "defender", "account": "acme", "alerts": [defender_alert(1)]})
    system.start(**QUICK)
    wait_until(lambda: len(system.tocsin("incident", "list")["incidents"]) == 3 and system.drained(), 40,
               "three incidents")
    rows = system.tocsin("incident", "list")["incidents"]
    assert {row["state"] for row in rows} == {"shadow"} and {row["number"] for row in rows} == {None}
    for row in rows:
        text = system.tocsin("incident", "show", row["id"], text=True)
        assert "would have created the ticket" in text
        assert "would have created an incident in Threat Response" in text
        assert "would have decided whether to contain the host" in text
    calls = system.sandbox.get("ledger?limit=10000")["calls"]
    assert not [c for c in calls if c["vendor"] in ("servicenow", "threat_response")]
    asked = [c for c in calls if c["method"] != "GET" and "token" not in c["path"]]
    assert not asked and {c["vendor"] for c in calls} == {"secure_endpoint", "umbrella", "defender"}


def test_replay_of_what_was_pushed(system):
    """No vendor can be asked: the findings of late are judged anew, and none gets a second ticket."""
    system.servicenow()
    system.pusher("acme", "generic", minimum_severity="critical",
                  servicenow={"account": "snow-main", **SYS_ID})
    (system.config / "rules.json").write_text(json.dumps({"rules": [
        {"name": "noise", "owner": "soc", "when": ".finding.severity_id < 9", "suppress": True}]}))
    system.apply()
    system.start("normalizer", "incident")
    for n in range(3):
        system.redis.client.xadd(system.key_name("raw"), {
            "v": "1", "customer": "acme", "source": "generic", "event_id": f"e{n}", "asked": "", "trace": "",
            "observed_ms": str(int(time.time() * 1000)), "origin": "push",
            "payload": json.dumps({"customer_name": "Acme", "event_type": f"Odd login {n}",
                                   "target_device": f"pc{n}", "raw_observables_string": "192.0.2.1"})})
    fate = lambda n: system.fate("acme", f"e{n}", "generic")
    wait_until(lambda: {fate(n) for n in range(3)} == {"suppressed:noise"}, 30, "suppressed")
    dry = window(system, "replay", "--since", "1h", "--dry-run")
    assert dry["source"] == "generic" and dry["tally"] == {"suppressed": 3}
    (system.config / "rules.json").unlink()
    system.apply()
    assert window(system, "replay", "--since", "1h", "--dry-run")["tally"] == {"opens": 3}
    assert window(system, "replay", "--since", "1h")["tally"] == {"taken through": 3}
    wait_until(lambda: tickets(system) == 3 and system.drained(), 40, "tickets")
    assert window(system, "replay", "--since", "1h")["tally"] == {"incident": 3}
    assert tickets(system) == 3
