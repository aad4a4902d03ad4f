"""From an event at the vendor to everything being as it was before: for each source and each way of closing,
with containment and without, each side is closed exactly once."""
import json
import time

import pytest
import requests
from harness import wait_until
from harness.closing import analysts, close, entity_call
from harness.events import threat_detected
from harness.linked import Callback

MACHINE = "a" * 40
TENANT = "tenant-acme.example"


class Loop:
    """One customer of this source with both sides, its host, and one event of it."""

    def __init__(self, system, source, contains):
        self.system, self.source, self.contains = system, source, contains
        self.outside = Callback(system)
        self.outside.servicenow("main", client_id="tocsin-main")
        analysts(system)
        system.threat_response()
        fields = {"closing": {"grace": "0s", "threat_response": True},
                  "containment": {"mode": "auto" if contains else "off"}}
        getattr(self, source)(fields)
        self.grant("threat_response", account="xdr", mode="create")
        system.apply()
        self.outside.start()
        system.start("normalizer", "incident", TOCSIN_CONTAIN_POLL="100ms",
                     TOCSIN_RECONCILE_INTERVAL="300ms")

    def grant(self, section, **fields):
        """Adds a section to the customer's file."""
        path = self.system.config / "customers" / "acme.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), section: fields}))

    def secure_endpoint(self, fields):
        client = self.system.customer("acme", **fields)
        self.event = threat_detected(1)
        self.machine = self.event["connector_guid"]
        self.vendor(account=client, client_id=client, isolation_start_ms=200, isolation_stop_ms=200,
                    computers=[{"connector_guid": self.machine, "hostname": "WS-1",
                                "operating_system": "Windows 11 Enterprise"}])

    def umbrella(self, fields):
        self.system.umbrella("acme", instance="main", **{k: v for k, v in fields.items()
                                                         if k != "containment"})
        category = {"id": 65, "label": "Command and Control", "type": "security"}
        self.event = {"type": "dns", "timestamp": int((time.time() - 60) * 1000),
                      "domain": "d1.c2.example", "querytype": "A", "returncode": 0,
                      "externalip": "203.0.113.20", "internalip": "10.1.4.22", "verdict": "blocked",
                      "categories": [category], "policycategories": [category], "threats": [],
                      "identities": [{"id": 481516, "label": "NB-0042", "deleted": False,
                                      "type": {"id": 9, "type": "roaming", "label": "Roaming Computers"}}]}

    def defender(self, fields):
        self.system.defender("acme", **fields)
        self.machine = MACHINE
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
        self.event = {"id": "da1_-1", "incidentId": 5001, "severity": "High", "status": "New",
                      "category": "Execution", "title": "Suspicious script", "description": "Odd.",
                      "detectionSource": "WindowsDefenderAtp", "machineId": MACHINE,
                      "alertCreationTime": now, "lastEventTime": now, "firstEventTime": now,
                      "computerDnsName": "ws-1.corp.example.com", "comments": [],
                      "evidence": [{"entityType": "File", "fileName": "odd.ps1", "sha256": "1" * 64}]}
        self.vendor(account=TENANT, tenant_id=TENANT, action_ms=200, machines=[
            {"id": MACHINE, "computerDnsName": "ws-1.corp.example.com", "osPlatform": "Windows11"}])

    def vendor(self, **settings):
        self.system.sandbox.post("accounts", {"vendor": self.source, **settings})

    def emit(self):
        """As the collector publishes a later poll: what the first one finds contains nothing."""
        now = int(time.time() * 1000)
        event_id = str(self.event.get("id", "u1"))
        if self.source == "defender":
            self.vendor(account=TENANT, tenant_id=TENANT, alerts=[self.event])
            event_id += f":{now}"
        self.system.redis.client.xadd(self.system.key_name("raw"), {
            "v": "1", "customer": "acme", "source": self.source, "event_id": event_id, "trace": "",
            "observed_ms": str(now), "asked": "", "origin": "poll",
            "payload": json.dumps({**self.event, **({"lastUpdateTime": self.event["alertCreationTime"]}
                                                    if self.source == "defender" else {})})})

    # -- what is there

    def incident(self):
        keys = self.system.redis.client.keys(self.system.key_name("incident:????????????????"))
        assert len(keys) <= 1, keys
        return self.system.redis.client.hgetall(keys[0]) if keys else {}

    def done(self, step):
        return self.incident().get(f"step.{step}", "").startswith("done")

    def ticket(self):
        (ticket,) = self.system.sandbox.get("state/servicenow/main")["incidents"]
        return ticket

    def entity(self):
        (entity,) = self.system.sandbox.get("state/threat_response/client-xdr")["incidents"]
        return entity

    def isolated(self):
        account = {"secure_endpoint": "amp-acme", "defender": TENANT}[self.source]
        dump = self.system.sandbox.get(f"state/{self.source}/{account}")
        if self.source == "defender":
            return dump["machines"][0]["isolation"]
        return dump["computers"][0]["isolation"]["status"]

    def committed(self, vendor, method, text="", path=""):
        rows = self.system.sandbox.get(f"ledger?vendor={vendor}&method={method}")["calls"]
        return sum(1 for row in rows if row["committed"] and text in (row["body"] or "") and
                   path in row["path"] and row["user_agent"].startswith("tocsin"))

    # -- the ways of closing

    def by_servicenow(self):
        ticket = self.ticket()
        close(self.system, ticket)
        bearer = self.outside.access_token()
        answer = self.outside.post("/v1/servicenow/closed", headers={"Authorization": f"Bearer {bearer}"},
                                   json={"instance_name": "main", "sys_id": ticket["sys_id"],
                                         "number": ticket["number"],
                                         "correlation_id": ticket["correlation_id"]})
        assert answer.status_code == 202, answer.text

    def by_ancestors(self):
        ticket = self.ticket()
        close(self.system, ticket)
        bearer = self.outside.access_token()
        second = next(n["value"] for n in ticket["work_notes"] if n["value"].startswith("respond/"))
        answer = self.outside.post("/iroh/iroh-response/" + second.splitlines()[0],
                                   headers={"Authorization": f"Bearer {bearer}"})
        assert answer.status_code in (200, 202), answer.text

    def by_reconciler(self):
        close(self.system, self.ticket())

    def by_cli(self):
        self.system.tocsin("incident", "close", self.ticket()["number"], "--verdict", "true_positive")

    def by_threat_response(self):
        entity_call(self.system, "POST", self.entity(), {"status": "Closed: False Positive"}, "/status")

    def by_link(self):
        ticket = self.ticket()
        token = self.outside.links.token(incident=self.incident()["id"], sys_id=ticket["sys_id"],
                                         number=ticket["number"], needs_code=self.contains)
        code = ""
        if self.contains:
            wait_until(lambda: "Code for closing it" in str(self.ticket()["work_notes"]), 20, "the code")
            note = next(n["value"] for n in self.ticket()["work_notes"] if "Code for closing it" in n["value"])
            code = next(line for line in note.splitlines() if "Code for closing it" in line)[-9:]
        answers = [requests.post(self.outside.url + "/v1/verdict", timeout=10, data={
            "token": token, "verdict": "benign", "code": code}) for _ in range(3)]
        assert answers[0].status_code in (200, 202, 303), answers[0].text


WAYS = ["servicenow", "ancestors", "reconciler", "cli", "threat_response", "link"]
ON = [(source, way, True) for source in ("secure_endpoint", "defender") for way in WAYS]
OFF = [(source, way, False) for source in ("secure_endpoint", "umbrella", "defender") for way in WAYS]


@pytest.mark.parametrize("source, way, contains", ON + OFF)
def test_everything_is_as_before(system, source, way, contains):
    loop = Loop(system, source, contains)
    loop.emit()
    wait_until(lambda: loop.done("servicenow.link") and loop.done("threat_response.link"), 60, "opened")
    if contains:
        wait_until(lambda: loop.done("contain.isolate") and loop.isolated() == "isolated", 30, "contained")
    getattr(loop, f"by_{way}")()
    wait_until(lambda: loop.incident().get("state") == "closed", 30, "closed")
    wait_until(lambda: all(system.length(s) == 0 for s in ("raw", "findings", "actions", "closures")), 20,
               "nothing is under way")
    # Each side once, however many have said so.
    assert loop.entity()["status"].startswith("Closed")
    assert loop.ticket()["state"] in ("6", "7")
    ordered = way in ("cli", "threat_response", "link")
    assert loop.committed("servicenow", "PATCH", '"state":"6"') == ordered
    assert loop.committed("threat_response", "PATCH", '"Closed') == (way != "threat_response")
    if source == "defender":
        assert loop.committed("defender", "PATCH", '"Resolved"') == 1
    if contains:
        assert loop.isolated() == "not_isolated"
        verbs = ("PUT", "DELETE") if source == "secure_endpoint" else ("POST", "POST")
        paths = ("/isolation", "/isolation") if source == "secure_endpoint" else ("/isolate", "/unisolate")
        assert [loop.committed(source, verb, path=path) for verb, path in zip(verbs, paths)] == [1, 1]
        assert {e["state"] for e in json.loads(loop.incident()["undo"])} == {"released"}
        assert not system.redis.client.keys(system.key_name("host:acme:????????????????????????*"))
    assert system.length("dead") == 0
