"""Recorded Secure Endpoint events through collector, normalizer and incident."""
import json

from harness import System, wait_until


def recorded_events(document):
    """The events of a recorded answer: an envelope, a list, or one event. None: it has none."""
    if isinstance(document, dict):
        document = document.get("data", document)
    rows = document if isinstance(document, list) else [document]
    events = [row for row in rows if isinstance(row, dict) and "event_type_id" in row]
    return events or None


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
        try:
            document = json.loads(path.read_text())
        except ValueError as error:
            return [f"not JSON: {error}"], ""
        events = recorded_events(document)
        if not events:
            return [], "no events in it"
        self.number += 1
        customer = f"s{self.number}"
        client = self.system.customer(customer, **{"minimum_severity": "informational"})
        self.system.sandbox.post("accounts", {"vendor": "secure_endpoint", "account": client,
                                              "unfiltered": True})
        self.system.sandbox.post("replay", {"vendor": "secure_endpoint", "account": client,
                                            "payload": {"version": "v1.2.0", "metadata": {
                                                "links": {}, "results": {"total": len(events)}},
                                                "data": events}})
        self.system.apply()
        ids = {event["id"] for event in events if event.get("id")}
        return self.follow(customer, len(events), len(ids) + sum(1 for e in events if not e.get("id")))

    def follow(self, customer, count, distinct):
        client, system = self.system.redis.client, self.system
        cursor = system.key_name(f"cursor:{customer}:secure_endpoint")
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
        problems += self.wrong_fates(fates) + self.wrong_bundles()
        if len(fates) != distinct:
            problems.append(f"{distinct} events have {len(fates)} fates")
        tickets = len({fate for fate in fates.values() if fate.startswith("incident:")})
        skipped = sorted({fate.split(":", 1)[1] for fate in fates.values() if fate.startswith("skipped:")})
        return problems, (f"{count} events, {distinct} ids, {len(found)} findings, {tickets} tickets"
                          + (f", skipped: {', '.join(skipped)}" if skipped else ""))

    def fates(self, customer):
        client = self.system.redis.client
        keys = client.keys(self.system.key_name(f"seen:{customer}:*"))
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

    def wrong_fates(self, fates):
        return [f"{key}: {fate}" for key, fate in fates.items()
                if not fate.startswith(("incident:", "skipped:"))]

    def wrong_bundles(self):
        page = self.system.sandbox.get("ledger?vendor=threat_response&method=POST&limit=10000")
        bodies = [call["body"] for call in page["calls"] if call["path"].endswith("/bundle/import")]
        self.system.sandbox.delete("ledger")
        return [f"bundle: {text}" for body in bodies for text in self.schemas.bundle_problems(body)]
