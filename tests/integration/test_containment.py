"""Containment of Secure Endpoint's computers and Defender's machines: the incident service, a real Redis
and the sandbox. Hosts are looked at where people see them: at the vendor."""
import base64
import ctypes
import ctypes.util
import hashlib
import json
import re
import time
import uuid

import pytest
from harness import wait_until
from harness import linked
from harness.closing import FRESH, analysts, change, close, resolve, said, say, table
from test_incident import add, calls, incident, incident_ids, notes, settled, tickets, timeline

HOME, TRIAGE, OTHER = (str(uuid.UUID(int=n)) for n in (1, 2, 3))
TENANT = "11111111-2222-3333-4444-555555555555"
DAY_MS = 24 * 3600 * 1000


# ---- hosts and findings


def guid(name):
    return str(uuid.UUID(hashlib.sha256(name.encode()).hexdigest()[:32]))


def machine_id(name):
    return hashlib.sha1(name.encode()).hexdigest()


def finding(event_id, host, source="secure_endpoint", customer="acme", severity_id=4, age_s=42, origin="poll",
            group=None):
    now = int(time.time() * 1000)
    uid = guid(host) if source == "secure_endpoint" else machine_id(host)
    product = {"secure_endpoint": "cisco_secure_endpoint", "defender": "microsoft_defender_endpoint"}[source]
    payload = {
        "class_uid": 2004, "category_uid": 2, "activity_id": 1, "type_uid": 200401,
        "severity_id": severity_id, "time": now - age_s * 1000,
        "metadata": {"version": "1.8.0", "original_event_uid": str(event_id),
                     "product": {"name": "Endpoint", "vendor_name": "Vendor", "uid": product}},
        "finding_info": {"uid": str(event_id), "title": "W32.Sample", "types": ["Threat Detected"]},
        "device": {"hostname": host, "uid": uid},
        "evidences": [{"file": {"name": "invoice.exe", "type_id": 1}}]}
    key = hashlib.sha256(f"{customer} {group or event_id}".encode()).hexdigest()[:16]
    return {"v": "1", "customer": customer, "source": source, "event_id": str(event_id),
            "uid": f"{source}:{event_id}", "group": key, "severity_id": str(severity_id),
            "time_ms": str(now - age_s * 1000), "observed_ms": str(now), "trace": "", "origin": origin,
            "payload": json.dumps(payload)}


class Estate:
    """One customer's hosts at a vendor, and its installation."""

    def __init__(self, system, source, containment, **customer):
        self.system, self.source = system, source
        self.settings = {"mode": "auto", **containment}
        system.servicenow()
        analysts(system)
        system.tocsin("keygen", "--missing")
        self.env = {"TOCSIN_LINK_KEY_FILE": str(system.folder / "link.key"), "TOCSIN_CONTAIN_POLL": "100ms"}
        if source == "secure_endpoint":
            self.client = system.customer("acme", xdr=None, containment=self.settings, **customer)
            self.configure(groups=[{"guid": g, "name": n} for g, n in
                                   ((HOME, "Workstations"), (TRIAGE, "Triage"), (OTHER, "Other"))],
                           isolation_start_ms=200, isolation_stop_ms=200)
        else:
            self.client = system.defender("acme", containment=self.settings, **customer)
            self.configure(action_ms=200)
        system.apply()

    def configure(self, **settings):
        key = {"secure_endpoint": "client_id", "defender": "tenant_id"}[self.source]
        self.system.sandbox.post("accounts", {"vendor": self.source, "account": self.client,
                                              key: self.client, **settings})

    def host(self, name, system="Windows 11 Enterprise", **fields):
        if self.source == "secure_endpoint":
            self.configure(computers=[{"connector_guid": guid(name), "hostname": name, "group_guid": HOME,
                                       "operating_system": system, **fields}])
        else:
            self.configure(machines=[{"id": machine_id(name), "computerDnsName": name,
                                      "osPlatform": system.replace(" ", ""), **fields}])

    def find(self, event_id, host, **more):
        fields = finding(event_id, host, source=self.source, **more)
        add(self.system, fields)
        return fields

    def start(self, **env):
        return self.system.start("incident", **{**self.env, **env})

    # -- at the vendor

    def state(self, name):
        """(isolated by whom or '', group)"""
        dump = self.system.sandbox.get(f"state/{self.source}/{self.client}")
        if self.source == "secure_endpoint":
            row = next(c for c in dump["computers"] if c["connector_guid"] == guid(name))
            return row["isolation"]["status"], row["group_guid"]
        row = next(m for m in dump["machines"] if m["id"] == machine_id(name))
        return row["isolation"], None

    def isolated(self, name):
        return self.state(name)[0] == "isolated"

    def free(self, name):
        return self.state(name)[0] == "not_isolated"

    def acts(self, what, name=None):
        """Calls that isolate or release, as the vendor received and did them."""
        if self.source == "secure_endpoint":
            method = {"isolate": "PUT", "release": "DELETE", "move": "PATCH"}[what]
            rows = [c for c in calls(self.system, vendor="secure_endpoint") if c["method"] == method]
        else:
            verb = {"isolate": "/isolate", "release": "/unisolate"}[what]
            rows = [c for c in calls(self.system, vendor="defender") if c["path"].endswith(verb)]
        wanted = name and (guid(name) if self.source == "secure_endpoint" else machine_id(name))
        return [c for c in rows if c.get("committed") and (not wanted or wanted in c["path"])]

    # -- in Redis

    def of(self, event_id):
        fate = self.system.fate("acme", event_id, self.source) or ""
        return fate.removeprefix("incident:")

    def step(self, event_id, name):
        return (incident(self.system, self.of(event_id)).get(f"step.{name}") or "new").split()[0]

    def ledger(self, event_id):
        return json.loads(incident(self.system, self.of(event_id)).get("undo") or "[]")

    def close(self, event_id):
        """The ticket is resolved by an analyst, and a hint comes."""
        found = incident(self.system, self.of(event_id))
        ticket = self.system.ticket("main", found["servicenow.sys_id"])
        close(self.system, ticket)
        said(self.system, ticket)

    def holders(self, name):
        uid = guid(name) if self.source == "secure_endpoint" else machine_id(name)
        return self.system.redis.client.smembers(self.system.key_name(f"host:acme:{uid}"))


@pytest.fixture(params=["secure_endpoint", "defender"])
def source(request):
    return request.param


@pytest.fixture
def estate(system, source):
    return lambda **containment: Estate(system, source, containment, closing=FRESH)


@pytest.fixture
def cisco(system):
    return lambda **containment: Estate(system, "secure_endpoint", containment, closing=FRESH)


# ---- modes


def test_auto_isolates_tells_and_releases(estate):
    acme = estate()
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.isolated("WS-1"), 20, "the host is isolated")
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 20, "and seen to be")
    settledish(acme)
    (ticket,) = tickets(acme.system)
    assert any("isolated by Tocsin, verified" in note for note in notes(ticket)), notes(ticket)
    assert not any("unlock" in note.lower() for note in notes(ticket))
    assert acme.holders("WS-1") == {f"isolate {acme.of(1)}"}
    acme.close(1)
    wait_until(lambda: acme.free("WS-1"), 20, "the host is free")
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "closed")
    assert len(acme.acts("isolate")) == len(acme.acts("release")) == 1
    assert acme.holders("WS-1") == set()
    assert [entry["state"] for entry in acme.ledger(1)] == ["released"]
    assert incident(acme.system, acme.of(1)).get("undo.due", "") in ("", "0")


def settledish(acme):
    """Nothing is under way; what watches over a contained host waits."""
    wait_until(lambda: acme.system.length("actions") == 0 and acme.system.length("findings") == 0, 20,
               "nothing is under way")


def test_off_does_nothing(estate):
    acme = estate(mode="off")
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    settled(acme.system)
    assert acme.free("WS-1") and not acme.acts("isolate")
    assert acme.step(1, "contain.isolate") in ("new", "skipped")


# ---- what must not be contained


def not_contained(acme, *hosts):
    settledish(acme)
    assert all(acme.free(host) for host in hosts) and not acme.acts("isolate")


def approvals(acme):
    return {row.split()[1] for row in
            acme.system.redis.client.zrange(acme.system.key_name("containment:approvals"), 0, -1)}


@pytest.mark.parametrize("fields, reason", [
    ({"age_s": 3600}, "older than"), ({"origin": "catchup"}, "looked up afterwards"),
    ({"origin": "first"}, "looked up afterwards"), ({"origin": "replay"}, "looked up afterwards"),
    ({"origin": "repair"}, "looked up afterwards"), ({"severity_id": 3}, "minimum severity")])
def test_findings_that_contain_nothing(cisco, fields, reason):
    acme = cisco()
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1", **fields)
    wait_until(lambda: acme.step(1, "contain.isolate") == "skipped", 20, "decided")
    not_contained(acme, "WS-1")
    assert reason in timeline(acme.system, acme.of(1))
    assert approvals(acme) == set()


@pytest.mark.parametrize("name, os_name, reason", [
    ("SRV-1", "Windows Server 2019", "server"), ("LNX-1", "linux Rocky 9", "not known to be a workstation"),
    ("XX-1", "", "not known to be a workstation")])
def test_other_than_workstations_need_approval(cisco, name, os_name, reason):
    acme = cisco()
    acme.host(name, os_name)
    acme.start()
    acme.find(1, name)
    wait_until(lambda: approvals(acme) == {acme.of(1)}, 20, "approval is asked for")
    wait_until(lambda: len(notes(tickets(acme.system)[0])) == 3, 20, "the ticket tells")
    not_contained(acme, name)
    assert reason in notes(tickets(acme.system)[0])[2]


@pytest.mark.parametrize("never", ["dc-1", "DC-*", guid("dc-1.corp.example"), "10.9.0.0/16", "10.9.8.7"])
def test_never_list(cisco, never):
    acme = cisco(never=["other", never])
    acme.host("dc-1.corp.example", internal_ips=["192.168.1.1", "10.9.8.7"])
    acme.start()
    acme.find(1, "dc-1.corp.example")
    wait_until(lambda: acme.step(1, "contain.isolate") == "skipped", 20, "decided")
    not_contained(acme, "dc-1.corp.example")
    assert approvals(acme) == set() and "never-list" in timeline(acme.system, acme.of(1))


def test_ceiling_makes_approvals(estate):
    acme = estate(per_hour=2)
    hosts = [f"WS-{n}" for n in range(5)]
    for host in hosts:
        acme.host(host)
    acme.start()
    for n, host in enumerate(hosts):
        acme.find(n + 1, host)
    wait_until(lambda: len(approvals(acme)) == 3, 30, "above the ceiling people are asked")
    wait_until(lambda: sum(acme.isolated(host) for host in hosts) == 2, 20, "two are isolated")
    settledish(acme)
    assert len(acme.acts("isolate")) == 2


def test_catching_up_contains_only_what_is_fresh(cisco):
    """After six hours: 40 old events and 2 new ones, all accounted for."""
    acme = cisco()
    for n in range(1, 43):
        acme.host(f"WS-{n}")
    for n in range(1, 41):
        acme.find(n, f"WS-{n}", age_s=6 * 3600 - n * 60, origin="catchup")
    acme.find(41, "WS-41")
    acme.find(42, "WS-42", age_s=5)
    acme.start()
    wait_until(lambda: all(acme.of(n) for n in range(1, 43)) and len(tickets(acme.system)) == 42, 60,
               "42 incidents")
    wait_until(lambda: acme.isolated("WS-41") and acme.isolated("WS-42"), 20, "two are isolated")
    settledish(acme)
    assert len(acme.acts("isolate")) == 2
    assert all(acme.free(f"WS-{n}") for n in range(1, 41))


def test_freeze_stops_within_five_seconds(cisco):
    acme = cisco(per_hour=100)
    hosts = [f"WS-{n}" for n in range(1, 21)]
    for host in hosts:
        acme.host(host)
    acme.start()
    for n in range(5):
        acme.find(n + 1, hosts[n])
    wait_until(lambda: acme.acts("isolate"), 20, "hosts are isolated")
    acme.system.tocsin("freeze", "containment", text=True)
    frozen = time.time() * 1000
    for n in range(5, 20):
        acme.find(n + 1, hosts[n])
    wait_until(lambda: len(approvals(acme)) >= 15, 30, "the others wait for people")
    settledish(acme)
    late = [c for c in acme.acts("isolate") if c["time_ms"] > frozen + 5000]
    assert not late and len(acme.acts("isolate")) <= 6
    acme.system.tocsin("unfreeze", text=True)
    acme.host("WS-99")
    acme.find(99, "WS-99")
    wait_until(lambda: acme.isolated("WS-99"), 20, "and goes on")


# ---- whose it is


def test_two_incidents_hold_one_host(estate):
    acme = estate()
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 20, "isolated")
    acme.find(2, "WS-1")
    wait_until(lambda: acme.step(2, "contain.isolate") == "done", 20, "held twice")
    assert len(acme.acts("isolate")) == 1 and len(acme.holders("WS-1")) == 2
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "one is closed")
    assert acme.isolated("WS-1") and not acme.acts("release")
    stays = f"WS-1 stays isolated for incident {incident(acme.system, acme.of(2))['id']}"
    assert stays in incident(acme.system, acme.of(1))["step.release.isolate"]
    acme.close(2)
    wait_until(lambda: acme.free("WS-1"), 20, "the last one releases")
    wait_until(lambda: incident(acme.system, acme.of(2))["state"] == "closed", 20, "closed")
    assert len(acme.acts("release")) == 1 and acme.holders("WS-1") == set()


def by_an_analyst(acme, name):
    if acme.source == "secure_endpoint":
        acme.host(name, isolation={"status": "isolated", "comment": "mine", "isolated_by": "jdoe"})
    else:
        acme.configure(machine_actions=[{"machineId": machine_id(name), "type": "Isolate", "requestor": "jdoe",
                                         "requestorComment": "mine"}])
        wait_until(lambda: acme.isolated(name), 10, "the analyst has isolated it")


def test_an_analysts_isolation_survives(estate):
    acme = estate()
    acme.host("WS-1")
    by_an_analyst(acme, "WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "skipped", 20, "decided")
    assert [entry["state"] for entry in acme.ledger(1)] == ["foreign"]
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "closed")
    assert acme.isolated("WS-1") and not acme.acts("isolate") and not acme.acts("release")
    assert acme.holders("WS-1") == set()


def test_what_an_analyst_did_meanwhile_survives(estate):
    """Released and isolated again by a person while the incident was open."""
    acme = estate()
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 20, "isolated")
    by_an_analyst(acme, "WS-1")
    if acme.source == "defender":
        wait_until(lambda: acme.system.sandbox.get(f"state/defender/{acme.client}")
                   ["machine_actions"][0]["status"] == "Succeeded", 10, "it is theirs now")
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "closed")
    assert acme.isolated("WS-1") and not acme.acts("release")
    assert [entry["state"] for entry in acme.ledger(1)] == ["foreign"]


def test_another_action_of_the_machine_is_waited_for(system):
    """One outstanding action per machine: an analyst's runs while ours is wanted."""
    acme = Estate(system, "defender", {}, closing=FRESH)
    acme.host("WS-1")
    acme.configure(action_ms=1500, machine_actions=[{"machineId": machine_id("WS-1"), "type": "Unisolate",
                                                     "requestor": "jdoe", "requestorComment": "free"}])
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.isolated("WS-1"), 30, "isolated after all")
    assert len(acme.acts("isolate")) == 1


def test_failed_machine_actions_are_tried_again(system):
    acme = Estate(system, "defender", {}, closing=FRESH)
    acme.host("WS-1")
    acme.configure(fail_actions=2)
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 30, "isolated in the end")
    assert len(acme.acts("isolate")) == 3
    acme.configure(fail_actions=1)
    acme.close(1)
    wait_until(lambda: acme.free("WS-1"), 30, "released in the end")


# ---- the triage group


@pytest.mark.parametrize("isolate", [True, False])
def test_moved_and_back(cisco, isolate):
    acme = cisco(triage_group=TRIAGE, isolate=isolate)
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.move_group") == "done", 20, "moved")
    wait_until(lambda: acme.state("WS-1") == ("isolated" if isolate else "not_isolated", TRIAGE), 20, "isolated")
    wait_until(lambda: any(f"from group {HOME}" in n for n in notes(tickets(acme.system)[0])), 20, "told")
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "closed")
    assert acme.state("WS-1") == ("not_isolated", HOME)
    assert len(acme.acts("move")) == 2 and len(acme.acts("isolate")) == int(isolate)


@pytest.mark.parametrize("change, group", [
    (lambda acme: acme.host("WS-1", group_guid=OTHER), OTHER),
    (lambda acme: acme.configure(forget_groups=[HOME]), TRIAGE)])
def test_a_group_that_is_not_what_it_was(cisco, change, group):
    """Somebody moved the host elsewhere, or its group is gone: not ours to undo."""
    acme = cisco(triage_group=TRIAGE)
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.move_group") == "done", 20, "moved")
    change(acme)
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "closed")
    assert acme.state("WS-1") == ("not_isolated", group)


def test_two_incidents_and_the_group(cisco):
    acme = cisco(triage_group=TRIAGE)
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.move_group") == "done", 20, "moved")
    acme.find(2, "WS-1")
    wait_until(lambda: acme.step(2, "contain.move_group") == "done", 20, "held twice")
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "one is closed")
    assert acme.state("WS-1") == ("isolated", TRIAGE)
    assert "WS-1 stays in triage for incident" in incident(acme.system, acme.of(1))["step.release.move_group"]
    acme.close(2)
    wait_until(lambda: incident(acme.system, acme.of(2))["state"] == "closed", 20, "the other too")
    assert acme.state("WS-1") == ("not_isolated", HOME)


# ---- what cannot be undone


def test_a_lost_permission_fails_and_can_be_retried(estate):
    acme = estate()
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 20, "isolated")
    if acme.source == "secure_endpoint":
        acme.configure(read_only=True)
    else:
        acme.configure(roles=["Alert.ReadWrite.All", "Machine.Read.All"])
        acme.system.sandbox.fault(kind="expired_token", vendor="defender", count=1)
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "failed", 20, "failed")
    assert acme.isolated("WS-1")
    assert acme.system.redis.client.zrange(acme.system.key_name("containment:stuck"), 0, -1) == [
        f"acme {acme.of(1)}"]
    assert incident(acme.system, acme.of(1))["undo.due"] == "1"
    if acme.source == "secure_endpoint":
        acme.configure(read_only=False)
    else:
        acme.configure(roles=["Alert.ReadWrite.All", "Machine.Read.All", "Machine.Isolate"])
        acme.system.sandbox.fault(kind="expired_token", vendor="defender", count=1)
    acme.system.tocsin("incident", "retry", acme.of(1))
    wait_until(lambda: acme.free("WS-1"), 20, "released")
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "closed")
    assert not acme.system.redis.client.exists(acme.system.key_name("containment:stuck"))


def test_a_right_that_is_missing_is_not_asked_for_again(system):
    """An app that may read alerts only: no containment, said once, and its calls are left for the alerts."""
    acme = Estate(system, "defender", {}, closing=FRESH)
    acme.configure(roles=["Alert.ReadWrite.All"])
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "failed", 20, "given up")
    settledish(acme)
    (ticket,) = tickets(acme.system)
    assert any("containment of WS-1 failed" in note for note in notes(ticket)), notes(ticket)
    assert incident(acme.system, acme.of(1))["state"] == "open"
    assert not acme.isolated("WS-1")


def test_a_host_that_is_gone_fails(cisco):
    acme = cisco()
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 20, "isolated")
    acme.configure(forget_computers=[guid("WS-1")])
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "failed", 20, "failed")
    assert "no longer knows" in incident(acme.system, acme.of(1))["reason"]


# ---- for how long


def test_warned_and_asked(cisco):
    acme = cisco(maximum_time="4s")
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: "\n".join(notes(tickets(acme.system)[0])).count("contained for") == 3, 30, "half, late, end")
    assert acme.isolated("WS-1") and "shall it stay so" in notes(tickets(acme.system)[0])[-1]


def test_released_by_itself_when_so_set(estate):
    acme = estate(maximum_time="2s", release_by_itself=True)
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.isolated("WS-1"), 20, "isolated")
    wait_until(lambda: acme.free("WS-1"), 20, "released")
    wait_until(lambda: not acme.holders("WS-1"), 20, "and known to be")
    settledish(acme)
    assert incident(acme.system, acme.of(1))["state"] == "open"
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "closed")
    assert len(acme.acts("release")) == 1


# ---- crashes and lost answers


@pytest.mark.parametrize("commit", ["early", "late"])
@pytest.mark.parametrize("act", ["isolate", "release"])
def test_killed_between_intent_and_result(estate, act, commit):
    acme = estate()
    acme.host("WS-1")
    service = acme.start()
    if act == "release":
        acme.find(1, "WS-1")
        wait_until(lambda: acme.step(1, "contain.isolate") == "done", 20, "isolated")
    path = {"secure_endpoint": "isolation$", "defender": f"/{'un' * (act == 'release')}isolate$"}[acme.source]
    method = {"secure_endpoint": "PUT" if act == "isolate" else "DELETE", "defender": "POST"}[acme.source]
    acme.system.sandbox.fault(kind="latency", vendor=acme.source, method=method, path=path, ms=1200,
                              commit=commit, count=1)
    if act == "release":
        acme.close(1)
    else:
        acme.find(1, "WS-1")
    step = "contain.isolate" if act == "isolate" else "release.isolate"
    wait_until(lambda: acme.step(1, step) == "intent", 20, "the intent is written")
    wait_until(lambda: acme.system.sandbox.hits() > 0, 20, "and the call is made")
    service.kill()
    acme.start()
    if act == "isolate":
        wait_until(lambda: acme.step(1, step) == "done", 30, "known to be isolated")
        acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 30, "closed")
    assert acme.free("WS-1") and acme.holders("WS-1") == set()
    assert len(acme.acts("isolate")) == len(acme.acts("release")) == 1


@pytest.mark.parametrize("kind", ["cut_after", "5xx_after", "truncated_json", "cut_before", "5xx_before"])
def test_lost_answers(estate, kind):
    acme = estate()
    acme.host("WS-1")
    acme.start()
    for method, path in {"secure_endpoint": (("PUT", "isolation$"), ("DELETE", "isolation$")),
                         "defender": (("POST", "/isolate$"), ("POST", "/unisolate$"))}[acme.source]:
        acme.system.sandbox.fault(kind=kind, vendor=acme.source, method=method, path=path, count=1)
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 30, "isolated")
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 30, "closed")
    assert acme.free("WS-1") and acme.holders("WS-1") == set()
    assert len(acme.acts("isolate")) == len(acme.acts("release")) == 1


# ---- approval


def code_of(ticket):
    """What the note in the ticket shows."""
    text = next(note for note in notes(ticket) if "waits for approval" in note)
    return re.search(r"enter the code (\S+?),", text).group(1)


def waits_for_approval(acme):
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: any("waits for approval" in n for t in tickets(acme.system) for n in notes(t)), 20,
               "the ticket has the code")
    assert approvals(acme) == {acme.of(1)} and acme.free("WS-1")


def approve(acme, code="", times=1, **link):
    keys = linked.LinkKeys.__new__(linked.LinkKeys)
    keys.sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
    key_id, secret = (acme.system.folder / "link.key").read_text().split()[:2]
    keys.key_id, keys.secret = key_id, base64.b64decode(secret)
    found = incident(acme.system, acme.of(1))
    fields = {"purpose": "approve", "incident": acme.of(1), "sys_id": found["servicenow.sys_id"],
              "number": found["servicenow.number"], "needs_code": True, **link}
    token = keys.token(**fields)
    for _ in range(times):
        say(acme.system, op="approve", via="link", incident=acme.of(1), customer="acme", actor="mail link",
            token=token, code=code)


def test_approved_by_link_and_code(estate):
    acme = estate(mode="approve")
    waits_for_approval(acme)
    (ticket,) = tickets(acme.system)
    redis = acme.system.redis.client
    assert all(code_of(ticket) not in str(redis.hgetall(k)) for k in redis.keys(acme.system.key_name("incident:*"))
               if redis.type(k) == "hash"), "the code is in the ticket only"
    approve(acme, code_of(ticket).lower())
    wait_until(lambda: acme.isolated("WS-1"), 20, "isolated")
    wait_until(lambda: approvals(acme) == set(), 20, "nothing waits")
    wait_until(lambda: any("approved by mail link" in n for n in notes(tickets(acme.system)[0])), 20, "told")
    acme.close(1)
    wait_until(lambda: acme.free("WS-1"), 20, "released")


@pytest.mark.parametrize("link, reason", [
    ({"purpose": "verdict"}, "misused"), ({"expires_in": -5}, "expired"),
    ({"incident": "00112233445566ff"}, "of another incident"), ({"customer": "globex"}, "of another incident"),
    ({"installation": "lab"}, "foreign"), ({}, "the code is wrong")])
def test_approvals_that_do_not_count(cisco, link, reason):
    acme = cisco(mode="approve")
    waits_for_approval(acme)
    good = code_of(tickets(acme.system)[0])
    approve(acme, good if link else "2222-2222", **link)
    wait_until(lambda: reason in timeline(acme.system, acme.of(1)), 20, "refused")
    assert acme.free("WS-1") and not acme.acts("isolate")


def test_five_wrong_codes_are_enough(cisco):
    acme = cisco(mode="approve")
    waits_for_approval(acme)
    for n in range(6):
        approve(acme, f"2222-222{n + 2}", expires_in=3600 + n)
    wait_until(lambda: "too many wrong codes" in timeline(acme.system, acme.of(1)), 20, "refused")
    approve(acme, code_of(tickets(acme.system)[0]))
    wait_until(lambda: acme.system.length("closures") == 0 and acme.system.length("actions") == 0, 20, "read")
    assert acme.free("WS-1") and not acme.acts("isolate")


def test_a_link_acts_once(cisco):
    acme = cisco(mode="approve")
    waits_for_approval(acme)
    good = code_of(tickets(acme.system)[0])
    approve(acme, good, times=20)
    wait_until(lambda: acme.isolated("WS-1"), 20, "isolated")
    wait_until(lambda: acme.system.length("closures") == 0 and acme.system.length("actions") == 0, 20, "read")
    assert len(acme.acts("isolate")) == 1


def test_approval_expires(cisco):
    acme = cisco(mode="approve", approval_time="2s")
    waits_for_approval(acme)
    wait_until(lambda: approvals(acme) == set(), 20, "it expires")
    approve(acme, code_of(tickets(acme.system)[0]))
    wait_until(lambda: "nothing waits for approval" in timeline(acme.system, acme.of(1)), 20, "refused")
    assert acme.free("WS-1")


def client(acme, *args, **more):
    return acme.system.tocsin(*args, TOCSIN_LINK_KEY_FILE=str(acme.system.folder / "link.key"), **more)


def test_operators_list_approve_and_release(estate):
    acme = estate(mode="approve")
    waits_for_approval(acme)
    (row,) = client(acme, "containment", "list")["approvals"]
    assert (row["incident"], row["customer"], row["host"]) == (acme.of(1), "acme", "WS-1")
    client(acme, "containment", "approve", tickets(acme.system)[0]["number"])
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 20, "isolated")
    (row,) = client(acme, "containment", "list")["hosts"]
    assert row["incidents"] == [acme.of(1)] and row["host"] == "WS-1" and row["mode"] == "approve"
    assert row["until_ms"] - row["since_ms"] == DAY_MS and row["number"] == tickets(acme.system)[0]["number"]
    assert "WS-1" in client(acme, "containment", "list", text=True)
    client(acme, "containment", "release", "nobody", expect=3)
    client(acme, "containment", "release", "ws-1")
    wait_until(lambda: acme.free("WS-1"), 20, "released")
    wait_until(lambda: client(acme, "containment", "list")["hosts"] == [], 20, "and known to be")
    assert incident(acme.system, acme.of(1))["state"] == "open"
    # The finding that comes next contains nothing by itself; a person may.
    client(acme, "containment", "approve", acme.of(1))
    wait_until(lambda: acme.isolated("WS-1"), 20, "isolated again")


def test_nobody_approves_the_never_list(cisco):
    acme = cisco(mode="approve", never=["WS-1"])
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "skipped", 20, "decided")
    client(acme, "containment", "approve", acme.of(1))
    wait_until(lambda: "containment approved" in timeline(acme.system, acme.of(1)), 20, "approved")
    not_contained(acme, "WS-1")


def test_closing_is_frozen(cisco):
    acme = cisco()
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 20, "isolated")
    client(acme, "freeze", "closing", "--customer", "acme")
    acme.close(1)
    wait_until(lambda: "closing is frozen" in timeline(acme.system, acme.of(1)), 20, "frozen")
    assert acme.isolated("WS-1")
    assert [row["what"] for row in client(acme, "containment", "list")["frozen"]] == ["closing"]
    client(acme, "unfreeze", "--customer", "acme")
    wait_until(lambda: acme.free("WS-1"), 20, "released")


def test_reopened_asks_before_it_contains_again(cisco):
    acme = cisco()
    acme.host("WS-1")
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 20, "isolated")
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "closed")
    client(acme, "incident", "reopen", acme.of(1))
    wait_until(lambda: approvals(acme) == {acme.of(1)}, 20, "asked")
    assert acme.free("WS-1") and len(acme.acts("isolate")) == 1
    client(acme, "containment", "approve", acme.of(1))
    wait_until(lambda: acme.isolated("WS-1"), 20, "isolated again")


# ---- after a total loss of Redis


def lose_everything(acme):
    """Setup is watching: it notices, and makes everything again."""
    acme.system.redis.client.flushall()
    wait_until(lambda: acme.system.redis.client.hget(acme.system.key_name("meta"), "lost_ms"), 20, "noticed")
    wait_until(lambda: acme.system.redis.client.hexists("tocsin:customers", "acme"), 20, "applied again")


@pytest.mark.parametrize("triage", [None, TRIAGE])
def test_contained_hosts_are_known_again(estate, source, triage):
    if triage and source == "defender":
        pytest.skip("Defender has no groups to move to")
    acme = estate(**({"triage_group": triage} if triage else {}))
    for host in ("WS-1", "WS-2", "WS-3"):
        acme.host(host)
    by_an_analyst(acme, "WS-3")
    acme.system.start("setup")
    service = acme.start()
    acme.find(1, "WS-1")
    acme.find(2, "WS-2")
    wait_until(lambda: acme.step(1, "contain.isolate") == acme.step(2, "contain.isolate") == "done", 20,
               "two are isolated")
    if triage:
        wait_until(lambda: acme.step(1, "contain.move_group") == "done", 20, "and moved")
    first, second = acme.of(1), acme.of(2)
    number = incident(acme.system, first)["servicenow.number"]
    service.stop()
    lose_everything(acme)
    # One of the two events is still within the look-back when everything is polled again.
    acme.find(2, "WS-2", age_s=3000, origin="first")
    acme.start(TOCSIN_RECONCILE_INTERVAL="1s")
    wait_until(lambda: len(client(acme, "containment", "list")["hosts"]) == 2, 30, "both are known again")
    wait_until(lambda: incident(acme.system, first).get("undo.due"), 20, "with their ledger")
    found = incident(acme.system, first)
    assert found["servicenow.number"] == number and found["state"] == "open"
    for event_id, host in ((first, "WS-1"), (second, "WS-2")):
        ticket = acme.system.ticket("main", incident(acme.system, event_id)["servicenow.sys_id"])
        close(acme.system, ticket)
        said(acme.system, ticket)
        wait_until(lambda h=host: acme.free(h), 30, "released")
    if triage:
        wait_until(lambda: acme.state("WS-1")[1] == HOME, 20, "and back")
    assert acme.isolated("WS-3"), "the analyst's own"
    assert len(tickets(acme.system)) == 2 and len(acme.acts("isolate")) == 2


# ---- what an operator sees beforehand and afterwards


def checks(acme, expect=4):
    reports = acme.system.tocsin("customer", "verify", "acme", expect=expect)["reports"]
    return {c["check"]: c["result"] for r in reports for c in r["checks"]}


def test_verify_says_what_can_be_contained(estate):
    acme = estate(**({"triage_group": TRIAGE}))
    acme.host("WS-1")
    assert checks(acme, expect=0)["contain hosts"] == "yes"
    if acme.source == "secure_endpoint":
        acme.configure(read_only=True, forget_groups=[TRIAGE])
        assert checks(acme)["move to triage"] == "no"
    else:
        acme.configure(roles=["Alert.ReadWrite.All", "Machine.Read.All"])
    assert checks(acme)["contain hosts"] == "no"
    assert not acme.acts("isolate")


def test_metrics(cisco):
    acme = cisco(per_hour=1)
    for host in ("WS-1", "WS-2"):
        acme.host(host)
    service = acme.start(TOCSIN_RECONCILE_INTERVAL="200ms")
    keeper = acme.system.start("setup", TOCSIN_METRICS_INTERVAL="200ms")
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "done", 20, "isolated")
    acme.find(2, "WS-2")
    wait_until(lambda: keeper.metric("tocsin_containment_approvals_pending") == 1, 20, "one waits")
    keeper.counts(1, "tocsin_contained_hosts")
    wait_until(lambda: keeper.metric("tocsin_contained_longest_seconds") > 0, 10, "how long")
    assert keeper.metric("tocsin_containment_not_undone") == 0
    service.counts(1, "tocsin_containment_actions_total", action="isolate", outcome="done")
    acme.configure(read_only=True)
    acme.close(1)
    wait_until(lambda: keeper.metric("tocsin_containment_not_undone") == 1, 20, "and one is stuck")


def test_twelve_hosts_of_one_parent(cisco):
    """Resolved as duplicates keep their holds; the parent's resolution asks once, then twelve are released."""
    acme = cisco(per_hour=100)
    hosts = [f"WS-{n}" for n in range(1, 13)]
    for host in hosts:
        acme.host(host)
    acme.start(TOCSIN_RECONCILE_INTERVAL="1s")
    for n, host in enumerate(hosts):
        acme.find(n + 1, host)
    wait_until(lambda: all(acme.step(n + 1, "contain.isolate") == "done" for n in range(12)), 40, "all isolated")
    parent = table(acme.system, "POST", "incident", {"short_description": "an outbreak", "company": "d" * 32})
    for ticket in tickets(acme.system):
        if ticket.get("correlation_id"):
            change(acme.system, ticket, parent_incident=parent["sys_id"])
            resolve(acme.system, ticket, "Duplicate")
            said(acme.system, ticket)
    wait_until(lambda: all(incident(acme.system, acme.of(n)).get("closing.release") == "survivor"
                           for n in range(1, 13)), 40, "they wait for the parent")
    assert all(acme.isolated(host) for host in hosts) and not acme.acts("release")
    resolve(acme.system, parent)
    redis, asks = acme.system.redis.client, acme.system.key_name("asks:acme")
    wait_until(lambda: redis.hlen(asks) > 0 and redis.hlen(asks) + len(acme.acts("release")) == 12, 40,
               "a person is asked about those above the limit")
    client(acme, "incident", "release", "--customer", "acme")
    wait_until(lambda: all(acme.free(host) for host in hosts), 40, "all are free")
    wait_until(lambda: all(incident(acme.system, acme.of(n))["state"] == "closed" for n in range(1, 13)), 20, "closed")
    assert len(acme.acts("release")) == 12


def test_closed_while_the_isolation_has_not_come_about(cisco):
    """A host that is off: closing does not wait for it, and lets it go when it comes."""
    acme = cisco()
    acme.host("WS-1")
    acme.configure(isolation_start_ms=4000)
    acme.start()
    acme.find(1, "WS-1")
    wait_until(lambda: acme.step(1, "contain.isolate") == "pending", 20, "asked for")
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 30, "closed in the end")
    assert acme.free("WS-1") and acme.holders("WS-1") == set() and len(acme.acts("release")) == 1


def test_closing_ends_the_question(cisco):
    acme = cisco(mode="approve")
    waits_for_approval(acme)
    acme.close(1)
    wait_until(lambda: incident(acme.system, acme.of(1))["state"] == "closed", 20, "closed")
    assert approvals(acme) == set()
    approve(acme, code_of(tickets(acme.system)[0]))
    wait_until(lambda: "the incident is closing" in timeline(acme.system, acme.of(1)), 20, "refused")
    assert acme.free("WS-1")


def test_the_link_comes_by_mail_and_the_code_does_not(system):
    """Neither is enough alone, and they never travel together."""
    pytest.importorskip("aiosmtpd")
    from harness.mail_sink import MailSink
    sink = MailSink()
    try:
        acme = Estate(system, "secure_endpoint", {"mode": "approve"}, closing=FRESH,
                      mail={"to": ["soc@acme.example"], "wait": "0s", "interval": "0s"})
        acme.env.update(TOCSIN_SMTP_URL=sink.url, TOCSIN_MAIL_FROM="tocsin@mssp.example", TOCSIN_MAIL_LOOK="100ms",
                        TOCSIN_PUBLIC_URL="https://tocsin.example.com")
        waits_for_approval(acme)
        link = re.compile(r"https://tocsin\.example\.com/v1/approve/([\w.-]+)")

        def bodies():
            return [part.get_content() for mail in sink.mails for part in mail.walk()
                    if part.get_content_type() == "text/plain"]
        wait_until(lambda: any(link.search(body) for body in bodies()), 20, "the mail has the link")
        code = code_of(tickets(acme.system)[0])
        assert all(code not in body for body in bodies())
        assert not any(link.search(note) for note in notes(tickets(acme.system)[0]))
        token = next(link.search(body) for body in bodies() if link.search(body)).group(1)
        say(acme.system, op="approve", via="link", incident=acme.of(1), customer="acme", actor="mail link",
            token=token, code=code)
        wait_until(lambda: acme.isolated("WS-1"), 20, "isolated")
    finally:
        sink.stop()
