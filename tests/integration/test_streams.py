"""A hundred thousand events of each source, some late, some twice, many of one time, in no order and
while pages move under the reader: each is taken in exactly once, and an audit finds nothing missing."""
import collections
import datetime
import os
import random
import threading
import time

import pytest
from harness import System, wait_until
from harness.system import seal

# A sanitizer looks at what is done, not at how much of it.
EVENTS = 20_000 if "asan" in os.environ.get("TOCSIN_BUILD", "") else 100_000
BATCH = EVENTS // 40
QUICK = {"TOCSIN_POLL_RETRY_MIN": "100ms", "TOCSIN_POLL_RETRY_MAX": "2s"}
TENANT = "6f1d2c3b-4a59-4e6f-8a7b-1c2d3e4f5a6b"


@pytest.fixture
def system(tmp_path):
    made = System(tmp_path, "--ledger", "1000", "--no-ledger-bodies", fsync="no")
    yield made
    made.done()


class SecureEndpoint:
    """Newest first; an event may be listed twice, and rows move down while pages are read."""
    source, driver = "secure_endpoint", "secure_endpoint"

    def __init__(self, system):
        self.system = system
        system.sandbox.post("accounts", {"vendor": "secure_endpoint", "account": "acme",
                                         "client_id": "c", "api_key": "s", "rate_limit": 1000000})

    def account(self):
        return {"url": f"{self.system.sandbox.url}/amp", "client_id": "c"}

    def event(self, number, at):
        return {"id": 7_000_000_000_000_000_000 + number, "timestamp": int(at), "timestamp_nanoseconds": 0,
                "event_type": "Threat Detected", "event_type_id": 1090519054, "detection": f"W32.{number}",
                "computer": {"connector_guid": f"{number:032x}", "hostname": f"ws-{number}"}}

    def emit(self, events, rng):
        again = rng.sample(events, len(events) // 50)
        self.system.sandbox.post("events/acme", events + again)

    def key(self, event):
        return str(event["id"])


class Umbrella:
    """Sorted by time with no order inside a second, without ids: two equal records are two."""
    source, driver = "umbrella", "umbrella"

    def __init__(self, system):
        self.system = system
        system.sandbox.post("accounts", {"vendor": "umbrella", "account": "acme", "client_id": "c",
                                         "secret": "s", "rate_limit": 1000000})

    def account(self):
        return {"url": f"{self.system.sandbox.url}/umbrella", "client_id": "c"}

    def event(self, number, at):
        c2 = {"id": 65, "label": "Command and Control", "type": "security", "integration": False}
        return {"type": "dns", "timestamp": int(at) * 1000, "domain": f"d{number // 2}.example",
                "verdict": "blocked", "categories": [c2], "externalip": "203.0.113.20",
                "identities": [{"id": number % 900, "label": f"NB-{number % 900}", "deleted": False,
                                "type": {"id": 9, "type": "roaming", "label": "Roaming Computers"}}]}

    def emit(self, events, rng):
        rng.shuffle(events)
        self.system.sandbox.post("events/acme?vendor=umbrella", events)

    def key(self, event):
        return None


class Defender:
    """By last change, in the order of creation; times of the same instant, with 1 to 7 digits."""
    source, driver = "defender", "defender"

    def __init__(self, system):
        self.system = system
        self.settings = {"vendor": "defender", "account": "acme", "tenant_id": TENANT, "client_id": "c",
                         "client_secret": "s", "per_minute": 100000, "per_hour": 100000}
        system.sandbox.post("accounts", self.settings)

    def account(self):
        return {"tenant_id": TENANT, "client_id": "c", "url": f"{self.system.sandbox.url}/defender",
                "login_url": f"{self.system.sandbox.url}/defender/login"}

    def event(self, number, at):
        when = datetime.datetime.fromtimestamp(int(at), datetime.timezone.utc)
        zeros = "0" * (1 + number % 7)
        return {"id": f"da{number:018d}_-{number}", "incidentId": number, "severity": "High",
                "status": "New", "detectionSource": "WindowsDefenderAtp", "category": "Malware",
                "title": f"Alert {number}", "machineId": f"{number:040x}", "comments": [], "evidence": [],
                "alertCreationTime": (when - datetime.timedelta(seconds=number % 3600)).strftime(
                    "%Y-%m-%dT%H:%M:%SZ"),
                "lastUpdateTime": when.strftime(f"%Y-%m-%dT%H:%M:%S.{zeros}Z")}

    def emit(self, events, rng):
        rng.shuffle(events)
        self.system.sandbox.post("accounts", {**self.settings, "alerts": events})

    def key(self, event):
        at = datetime.datetime.strptime(event["lastUpdateTime"][:19], "%Y-%m-%dT%H:%M:%S")
        return f"{event['id']}:{int(at.replace(tzinfo=datetime.timezone.utc).timestamp()) * 1000}"


def customer(system, vendor):
    secret = seal(system.key, "acme", f"{vendor.source}.secret", "s")
    system.write_customer({
        "id": "acme", "mode": "shadow",
        "accounts": {vendor.source: {**vendor.account(), "secret": secret, "calls_per_hour": 0}},
        "sources": {vendor.source: {"interval": "10s", "look_back": "10m", "first_look_back": "3h"}}})
    system.apply()


def batches(vendor, rng):
    """The first 80 % lie in the last two hours; the others come while they are read: now, up to nine
    minutes late, and hundreds of one second."""
    now = time.time()
    for first in range(0, EVENTS, BATCH):
        history, when = first < EVENTS * 8 // 10, time.time() - rng.randint(0, 500)
        events = []
        for number in range(first, first + BATCH):
            if history:
                at = now - rng.randint(0, 7000)
            elif number % 5 == 0:
                at = when
            else:
                at = time.time() - rng.randint(0, 540)
            if number % 2 and isinstance(vendor, Umbrella):
                events.append(dict(events[-1]))  # the same again in every byte
            else:
                events.append(vendor.event(number, at))
        yield history, events


def taken(system):
    """How often each event id stands in `raw`."""
    ids, start = collections.Counter(), "-"
    while True:
        page = system.redis.client.xrange(system.key_name("raw"), min=start, count=5000)
        ids.update(fields["event_id"] for _, fields in page)
        if len(page) < 5000:
            return ids
        start = "(" + page[-1][0]


@pytest.mark.parametrize("kind", [SecureEndpoint, Umbrella, Defender])
def test_a_hundred_thousand_events_each_once(system, kind):
    vendor, rng = kind(system), random.Random(20261121)
    customer(system, vendor)
    made, later = [], []
    for history, events in batches(vendor, rng):
        made += [vendor.key(event) for event in events]
        if history:
            vendor.emit(events, rng)
        else:
            later.append(events)

    def go_on():
        for events in later:
            vendor.emit(events, rng)
            time.sleep(0.3)  # the pages move while they are read

    writer = threading.Thread(target=go_on)
    system.start("collector", **QUICK)
    writer.start()
    wait_until(lambda: system.length("raw") >= EVENTS, 90, "all are taken in", every=0.2)
    writer.join()
    system.stop()
    ids = taken(system)
    assert set(ids.values()) == {1} and len(ids) == EVENTS
    if made[0]:
        assert set(ids) == set(made)
    (audit,) = system.tocsin("audit", "--customer", "acme", "--since", "3h")["sources"]
    assert set(audit["tally"]) <= {"queued", "not polled yet"} and audit["tally"]["queued"] >= EVENTS
