"""Containment of Secure Endpoint's computers and Defender's machines: the incident service, a real Redis
and the sandbox. Hosts are looked at where people see them: at the vendor."""
import hashlib
import json
import time
import uuid

import pytest
from harness import wait_until
from harness.closing import FRESH, analysts, close, said
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
