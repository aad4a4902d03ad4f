"""Redis loses everything, or is set back to an old state, while tickets are open, others were closed and hosts
are contained: nothing is opened twice, nothing that was closed comes back, no host is forgotten."""
import shutil
import time

import pytest
from harness import wait_until
from harness.closing import FRESH, analysts, resolve
from harness.events import threat_detected

POLL_S = 10


class Estate:
    """All processes, and a customer whose hosts are contained."""

    def __init__(self, system):
        self.system, self.client = system, system.redis.client
        self.problems = {}
        system.servicenow()
        system.threat_response()
        self.vendor = system.customer("acme", source={"interval": f"{POLL_S}s"}, closing=FRESH,
                                      containment={"mode": "auto", "per_hour": 100})
        self.hosts = {}
        analysts(system)
        self.begin()

    def begin(self):
        self.system.service("setup").ready()
        self.system.start("collector", "normalizer", "incident", TOCSIN_RECONCILE_INTERVAL="500ms",
                          TOCSIN_CONTAIN_POLL="100ms")

    def emit(self, *numbers):
        events = [threat_detected(number) for number in numbers]
        self.problems |= dict(zip(numbers, events))
        for event in events:
            self.system.sandbox.post("accounts", {
                "vendor": "secure_endpoint", "account": self.vendor, "client_id": self.vendor,
                "isolation_start_ms": 100, "isolation_stop_ms": 100,
                "computers": [{"connector_guid": event["connector_guid"], "hostname": event["computer"]["hostname"],
                               "operating_system": "Windows 11 Enterprise"}]})
        self.system.emit("acme", events)
        return events

    def of(self, number):
        return self.system.incident_of("acme", self.problems[number])

    def ticket(self, number):
        return self.system.ticket("main", self.of(number)["servicenow.sys_id"])

    def isolation(self, number):
        dump = self.system.sandbox.get(f"state/secure_endpoint/{self.vendor}")
        return next(c for c in dump["computers"]
                    if c["connector_guid"] == self.problems[number]["connector_guid"])["isolation"]["status"]

    def contained(self):
        return {row["host"] for row in self.system.tocsin("containment", "list")["hosts"]}

    def is_open(self, *numbers):
        return all(self.of(n).get("state") == "open" for n in numbers)

    def is_closed(self, *numbers):
        return all(self.of(n).get("state") == "closed" for n in numbers)

    def close(self, *numbers):
        for number in numbers:
            resolve(self.system, self.ticket(number))

    def story(self):
        """1 and 2 open, 3 closed; 4 and 5 open and their hosts contained."""
        self.emit(1, 2, 3)
        wait_until(lambda: self.is_open(1, 2, 3), 40, "the first are open")
        self.close(3)
        self.emit(4, 5)
        wait_until(lambda: self.is_open(4, 5) and self.isolation(4) == self.isolation(5) == "isolated", 40,
                   "two hosts are contained")
        wait_until(lambda: self.is_closed(3), 20, "one is closed")
        wait_until(lambda: not any(map(self.system.length, ("raw", "findings", "actions", "closures"))), 20,
                   "nothing is left to do but to wait for the end of the tickets")

    def check_once(self, count):
        """As many incidents on each side as problems, whatever happened here."""
        counts = self.system.summary()
        for vendor in ("servicenow", "threat_response"):
            assert sum(c["incidents"] for c in counts[vendor].values()) == count, (vendor, counts[vendor])
            assert not any(c["duplicates"] for c in counts[vendor].values()), counts[vendor]
        assert not self.client.xrange(self.system.key_name("dead"))

    def empty(self):
        """The volume is gone: Redis starts with nothing, functions neither."""
        self.system.redis.kill()
        shutil.rmtree(self.system.folder / "appendonlydir")
        self.system.redis.start()
        assert self.client.dbsize() == 0

    def goes_on(self):
        """What is closed from now on is undone, what is new is opened."""
        self.close(4)
        wait_until(lambda: self.isolation(4) == "not_isolated" and self.is_closed(4), 30, "released")
        assert self.isolation(5) == "isolated"
        self.emit(6)
        wait_until(lambda: self.is_open(6), 30, "a new one")


@pytest.fixture
def estate(system):
    return Estate(system)


def test_total_loss(estate):
    estate.story()
    numbers = {n: estate.of(n)["servicenow.number"] for n in (1, 2, 3, 4, 5)}
    estate.empty()
    lost = time.monotonic()
    wait_until(lambda: estate.is_open(1, 2, 4, 5) and estate.is_closed(3), 2 * POLL_S + 10,
               "all is known again")
    wait_until(lambda: len(estate.contained()) == 2, 20, "and who is contained")
    print(f"\nknown again {time.monotonic() - lost:.1f} s after the loss")
    assert {n: estate.of(n)["servicenow.number"] for n in numbers} == numbers
    wait_until(lambda: estate.of(4).get("undo.due") and estate.of(5).get("undo.due"), 20, "with their ledgers")
    estate.check_once(5)
    assert estate.ticket(3)["state"] == "6" and estate.isolation(4) == estate.isolation(5) == "isolated"
    estate.goes_on()
    estate.check_once(6)


def test_restart_of_redis_heals_within_ten_seconds(estate):
    estate.emit(1)
    wait_until(lambda: estate.is_open(1), 40, "open")
    estate.system.redis.restart()
    up = time.monotonic()
    for process in estate.system.services:
        process.ready(10)
    estate.close(1)
    wait_until(lambda: estate.is_closed(1), 10, "closed")
    print(f"\nhealed {time.monotonic() - up:.1f} s after the restart")
    estate.check_once(1)
