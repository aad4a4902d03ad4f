"""Redis loses everything, or is set back to an old state, while tickets are open, others were closed and hosts
are contained: nothing is opened twice, nothing that was closed comes back, no host is forgotten."""
import json
import pathlib
import shutil
import sys
import time

import pytest
from harness import wait_until
from harness.closing import FRESH, analysts, intel, resolve
from harness.events import quarantine_failure, threat_detected

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))
from test_rights import USERS  # noqa: E402

POLL_S = 10
LATER = 1000 # numbers of later events of the same problem


class Estate:
    """All processes, and a customer whose hosts are contained."""

    def __init__(self, system, setup_user=False):
        self.system, self.client = system, system.redis.client
        self.problems = {}
        system.servicenow()
        system.threat_response()
        self.vendor = system.customer("acme", source={"interval": f"{POLL_S}s"}, closing=FRESH,
                                      containment={"mode": "auto", "per_hour": 100})
        self.hosts = {}
        analysts(system)
        system.tocsin("keygen", "--missing")
        self.env = {}
        if setup_user:
            self.client.execute_command("ACL", "SETUSER", "setup", "on", ">pw", "resetchannels", *USERS["setup"])
            self.env = {"TOCSIN_REDIS_USER": "setup", "TOCSIN_REDIS_PASSWORD": "pw"}
        self.begin()

    def begin(self, *services):
        self.system.service("setup", **self.env).ready()
        self.start(*services or ("collector", "normalizer", "incident"))

    def polled(self):
        """The first poll is over: what is found by a later one has its host contained."""
        return self.client.exists(self.system.key_name("cursor:acme:secure_endpoint"))

    def start(self, *services):
        self.system.start(*services, TOCSIN_RECONCILE_INTERVAL="500ms", TOCSIN_CONTAIN_POLL="100ms",
                          TOCSIN_LINK_KEY_FILE=str(self.system.folder / "link.key"))

    def emit(self, *numbers, system="Windows 11 Enterprise"):
        events = [threat_detected(number) for number in numbers]
        self.problems |= dict(zip(numbers, events))
        for event in events:
            self.system.sandbox.post("accounts", {
                "vendor": "secure_endpoint", "account": self.vendor, "client_id": self.vendor,
                "isolation_start_ms": 100, "isolation_stop_ms": 100,
                "computers": [{"connector_guid": event["connector_guid"], "hostname": event["computer"]["hostname"],
                               "operating_system": system}]})
        self.system.emit("acme", events)
        return events

    def of(self, number):
        return self.system.incident_of("acme", self.problems[number])

    def ticket(self, number):
        return self.system.ticket("main", self.of(number)["servicenow.sys_id"])

    def noted(self, number, later):
        """How many notes of the ticket tell of its problem's later event."""
        event = str(self.problems[number]["id"] + later)
        return sum(event in note["value"] for note in self.ticket(number)["work_notes"])

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
        """1 and 2, of servers, open, 3 closed; 4 and 5 open and their hosts contained."""
        self.emit(1, 2, 3, system="Windows Server 2022")
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

    def entity_status(self, number):
        """Of the problem's incident in Threat Response."""
        host = self.problems[number]["computer"]["hostname"]
        return next(one["status"] for one in self.system.sandbox.get("state/threat_response/client-xdr")["incidents"]
                    if host in json.dumps(one))


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


def test_hosts_are_known_before_their_events(estate):
    """After the loss nothing is polled at first: contained hosts and tickets say which incidents there are. They
    go on and are closed like any other."""
    system = estate.system
    estate.story()
    four, five = (estate.of(n)["id"] for n in (4, 5))
    system.stop()
    estate.empty()
    estate.begin("incident")

    def known(id_):
        return estate.client.hgetall(system.key_name(f"incident:{id_}"))
    wait_until(lambda: len(estate.contained()) == 2, 30, "who is contained")
    wait_until(lambda: all(known(i).get("threat_response.id") and known(i)["step.servicenow.link"].startswith("done")
                           for i in (four, five)), 20, "both sides, and the closing URL")
    ticket = system.ticket("main", known(five)["servicenow.sys_id"])
    assert [known(five)[f"servicenow.{name}"] for name in ("number", "impact", "urgency")] == [
        ticket[name] for name in ("number", "impact", "urgency")]
    assert known(five)["servicenow.url"].endswith(f"/incident.do?sys_id={ticket['sys_id']}")
    resolve(system, system.ticket("main", known(four)["servicenow.sys_id"]))
    wait_until(lambda: estate.isolation(4) == "not_isolated" and known(four)["state"] == "closed", 30, "released")
    assert estate.entity_status(4).startswith("Closed") and estate.entity_status(5) == "New"
    # What it was opened by is no news there, what comes later is.
    system.emit("acme", [quarantine_failure(estate.problems[5], LATER)])
    estate.start("collector", "normalizer")
    wait_until(lambda: estate.noted(5, LATER) == 1, 40, "a later event is told")
    wait_until(lambda: estate.is_open(1, 2, 5) and estate.is_closed(3, 4), 30, "all is known again")
    assert estate.of(5)["id"] == five
    estate.check_once(5)


def test_a_side_that_is_gone_is_not_made_again(estate):
    """What Threat Response has deleted meanwhile stays so; the ticket's end still lets the host go."""
    system = estate.system
    wait_until(estate.polled, 20, "the first poll is over")
    estate.emit(1)
    wait_until(lambda: estate.is_open(1) and estate.isolation(1) == "isolated", 40, "contained")
    one, ticket = estate.of(1), estate.ticket(1)
    system.stop()
    estate.empty()
    intel(system, "DELETE", "incident/" + one["threat_response.id"].rsplit("/", 1)[-1])
    estate.begin("incident")
    key = system.key_name("incident:" + one["id"])
    wait_until(lambda: (estate.client.hget(key, "step.threat_response.create") or "").startswith("skipped"), 30, "looked up")
    assert estate.client.hget(key, "state") == "open" and not estate.client.hget(key, "threat_response.id")
    resolve(system, ticket)
    wait_until(lambda: estate.client.hget(key, "state") == "closed", 30, "closed")
    assert estate.isolation(1) == "not_isolated"


def test_set_back_to_a_backup(estate, tmp_path):
    """What was opened, closed and contained since the backup is found outside."""
    system, file = estate.system, tmp_path / "tocsin.backup"
    env = {}
    for user in ("operator", "setup"):
        estate.client.execute_command("ACL", "SETUSER", user, "on", ">pw", "resetchannels", *USERS[user])
        env[user] = {"TOCSIN_REDIS_USER": user, "TOCSIN_REDIS_PASSWORD": "pw"}
    estate.story()
    made = system.tocsin("backup", str(file), **env["operator"])
    assert made["keys"] > 20 and made["files"] == 3
    assert "amp-secret" not in file.read_text() and "customers/acme.json" in file.read_text()
    system.tocsin("backup", str(file), expect=1, **env["operator"])
    # Since then 7 was opened and contained, and 1 and 4 were closed.
    estate.emit(7)
    wait_until(lambda: estate.is_open(7) and estate.isolation(7) == "isolated", 40, "another is contained")
    system.emit("acme", [quarantine_failure(estate.problems[2], LATER)])
    system.emit("acme", [quarantine_failure(estate.problems[7], LATER)])
    wait_until(lambda: estate.noted(2, LATER) == estate.noted(7, LATER) == 1, 40, "later events are notes")
    estate.close(1, 4)
    wait_until(lambda: estate.is_closed(1, 4) and estate.isolation(4) == "not_isolated", 40, "two are closed")
    system.stop()
    system.tocsin("restore", str(file), expect=1, **env["setup"])
    estate.empty()
    for user in env:
        estate.client.execute_command("ACL", "SETUSER", user, "on", ">pw", "resetchannels", *USERS[user])
    system.tocsin("restore", str(file), expect=5, **env["operator"])
    estate.client.execute_command("ACL", "LOG", "RESET")
    shutil.rmtree(system.config / "customers")
    back = system.tocsin("restore", str(file), **env["setup"])
    assert back["keys"] + back["expired"] == made["keys"] and (back["files"], back["kept"]) == (1, 2)
    assert not estate.client.hget(system.key_name("meta"), "generation")
    estate.begin()
    wait_until(lambda: estate.is_closed(1, 3, 4), 30, "what was closed is so here, too")
    wait_until(lambda: estate.is_open(2, 5, 7), 2 * POLL_S + 10, "what was opened since is known")
    wait_until(lambda: len(estate.contained()) == 2, 20, "and who is contained")
    estate.check_once(6)
    assert estate.isolation(5) == estate.isolation(7) == "isolated"
    for number in (2, 7): # the ticket of 7 is not in the backup
        wait_until(lambda n=number: "the ticket has it already" in str(system.tocsin("incident", "show", estate.of(n)["id"])),
                   30, "the later event came again")
        assert estate.noted(number, LATER) == 1
    system.emit("acme", [quarantine_failure(estate.problems[2], LATER + 1)])
    wait_until(lambda: estate.noted(2, LATER + 1) == 1, 40, "a newer one is told")
    estate.close(7)
    wait_until(lambda: estate.isolation(7) == "not_isolated", 30, "released")
    estate.emit(6)
    wait_until(lambda: estate.is_open(6), 30, "a new one")
    estate.check_once(7)
    # Those are the rights it takes.
    assert not estate.client.execute_command("ACL", "LOG")


def test_restart_of_redis_heals_within_ten_seconds(estate):
    estate.emit(1)
    wait_until(lambda: estate.is_open(1), 40, "open")
    estate.system.redis.restart()
    up = time.monotonic()
    for process in estate.system.services:
        process.ready(10)
    print(f"\nall are ready {time.monotonic() - up:.1f} s after the restart")
    estate.close(1)
    wait_until(lambda: estate.is_closed(1), 20, "closed")
    estate.check_once(1)
