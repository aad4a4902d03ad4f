"""Recorded events through collector, normalizer and incident."""
import json

from harness import System, wait_until
from harness.system import SYS_ID, seal

TENANT = "6f1d2c3b-4a59-4e6f-8a7b-1c2d3e4f5a6b"


def rows_of(document, member, mark):
    """The records of an answer: an envelope, a list, or one of them; by a member that all have."""
    if isinstance(document, dict):
        document = document.get(member, document)
    rows = document if isinstance(document, list) else [document]
    return [row for row in rows if isinstance(row, dict) and mark in row]


class SecureEndpoint:
    source = "secure_endpoint"

    @staticmethod
    def events(document):
        return rows_of(document, "data", "event_type_id")

    @staticmethod
    def distinct(events):
        return len({event["id"] for event in events if event.get("id")}) + \
            sum(1 for event in events if not event.get("id"))

    @staticmethod
    def serve(system, customer, events):
        client = system.customer(customer, **{"minimum_severity": "informational"})
        system.sandbox.post("accounts", {"vendor": "secure_endpoint", "account": client,
                                         "unfiltered": True})
        system.sandbox.post("replay", {"vendor": "secure_endpoint", "account": client,
                                       "payload": {"version": "v1.2.0", "metadata": {
                                           "links": {}, "results": {"total": len(events)}},
                                           "data": events}})


class Umbrella:
    """Whatever the type, in place of the first page of the list that it belongs to."""
    source = "umbrella"

    @staticmethod
    def events(document):
        return rows_of(document, "data", "timestamp")

    @staticmethod
    def distinct(events):
        return len(events)

    @staticmethod
    def serve(system, customer, events):
        system.umbrella(customer, source={"verdict": "all", "categories": [], "retrospective": True},
                        instance="main", minimum_severity="informational")
        later = "disposition" in events[0] and "type" not in events[0]
        system.sandbox.fault(vendor="umbrella", account=f"umb-{customer}", kind="reply", status=200,
                             content_type="application/json", count=1,
                             path="/amp-retrospective" if later else "/activity[?]",
                             body=json.dumps({"meta": {}, "data": events}))


class Defender:
    source = "defender"

    @staticmethod
    def events(document):
        return rows_of(document, "value", "alertCreationTime")

    @staticmethod
    def distinct(events):
        return len({(event.get("id"), event.get("lastUpdateTime")) for event in events})

    @staticmethod
    def serve(system, customer, events):
        account = {"tenant_id": TENANT, "client_id": customer, "url": f"{system.sandbox.url}/defender",
                   "login_url": f"{system.sandbox.url}/defender/login",
                   "secret": seal(system.key, customer, "defender.secret", "s")}
        tenant = f"{TENANT[:-2]}{int(customer[1:]) % 100:02d}"
        system.sandbox.post("accounts", {"vendor": "defender", "account": customer, "tenant_id": tenant,
                                         "client_id": customer, "client_secret": "s"})
        system.write_customer({
            "id": customer, "mode": "live", "minimum_severity": "informational",
            "accounts": {"defender": {**account, "tenant_id": tenant}},
            "sources": {"defender": {"interval": "10s", "first_look_back": "24h"}},
            "servicenow": {"account": "snow-main", **SYS_ID}})
        system.sandbox.fault(vendor="defender", account=customer, kind="reply", status=200,
                             content_type="application/json", count=1, path="/api/alerts[?]",
                             body=json.dumps({"value": events}))


VENDORS = {"secure-endpoint": SecureEndpoint, "umbrella": Umbrella, "defender": Defender}


class EventSamples:
    """One installation; each file is a customer of its own, so that nothing carries over."""

    def __init__(self, folder, schemas):
        folder.mkdir()
        self.schemas = schemas
        self.system = System(folder)
        self.system.servicenow()
        self.system.threat_response()
        self.system.apply()
        self.collector, self.normalizer = self.system.start("collector", "normalizer")
        self.number = 0

    def close(self):
        self.system.done()

    def run(self, path):
        """(problems, what happened) of one file."""
        vendor = VENDORS[path.parent.name]
        try:
            document = json.loads(path.read_text())
        except ValueError as error:
            return [f"not JSON: {error}"], ""
        events = vendor.events(document)
        if not events:
            return [], "no events in it"
        self.number += 1
        customer = f"s{self.number}"
        vendor.serve(self.system, customer, events)
        self.system.apply()
        return self.follow(vendor, customer, events)

    def follow(self, vendor, customer, events):
        client, system, distinct = self.system.redis.client, self.system, vendor.distinct(events)
        cursor = system.key_name(f"cursor:{customer}:{vendor.source}")
        wait_until(lambda: int(client.hget(cursor, "last_ok_ms") or 0) > 0, 30, f"{customer} is polled")
        wait_until(lambda: system.length("raw") == 0, 30, f"{customer} is normalized")
        found = client.xrange(system.key_name("findings"))
        problems = [f"{entry['event_id']}: {text}" for _, entry in found
                    for text in self.schemas.finding_problems(entry["payload"])]
        incident = system.start("incident")
        try:
            wait_until(lambda: self.settled(customer), 60, f"{customer} is settled")
        finally:
            incident.stop()
            system.services.remove(incident)
        fates = self.fates(customer)
        problems += self.wrong_fates(fates, events) + self.wrong_bundles()
        if len(fates) != distinct:
            problems.append(f"{distinct} events have {len(fates)} fates")
        tickets = len({fate for fate in fates.values() if fate.startswith("incident:")})
        skipped = sorted({fate.split(":", 1)[1] for fate in fates.values() if fate.startswith("skipped:")})
        resolved = sum(1 for fate in fates.values() if fate == "recorded")
        return problems, (f"{len(events)} events, {distinct} ids, {len(found)} findings, {tickets} tickets"
                          + (f", {resolved} resolved before" if resolved else "")
                          + (f", skipped: {', '.join(skipped)}" if skipped else ""))

    def fates(self, customer):
        client = self.system.redis.client
        # Of a record whose states are events the fate of the record itself says the same.
        keys = [key for key in client.keys(self.system.key_name(f"seen:{customer}:*"))
                if not (":defender:" in key and key.rsplit(":", 1)[1].startswith(("da", "6")))]
        return dict(zip(keys, client.mget(keys))) if keys else {}

    def settled(self, customer):
        fates = self.fates(customer).values()
        for fate in fates:
            if fate == "queued":
                return False
            if fate.startswith("incident:"):
                state = self.system.redis.client.hget(self.system.key_name(fate), "state")
                if state != "open":
                    return False
        return self.system.drained()

    def wrong_fates(self, fates, events):
        right = ("incident:", "skipped:") + (("recorded",) if any(
            event.get("status") == "Resolved" for event in events) else ())
        return [f"{key}: {fate}" for key, fate in fates.items() if not fate.startswith(right)]

    def wrong_bundles(self):
        page = self.system.sandbox.get("ledger?vendor=threat_response&method=POST&limit=10000")
        bodies = [call["body"] for call in page["calls"] if call["path"].endswith("/bundle/import")]
        self.system.sandbox.delete("ledger")
        return [f"bundle: {text}" for body in bodies for text in self.schemas.bundle_problems(body)]
