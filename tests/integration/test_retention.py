"""What is over leaves Redis, exported first; what is contained, held or failed never does."""
import json
import stat
import time

import pytest
import redis

from functions import key
from harness import wait_until
from harness.closing import FRESH, analysts, resolve, said
from harness.events import threat_detected
from test_rights import USERS

NAMES = ("incident:i1", "incident:i1:inbox", "incident:i1:findings", "incident:i1:timeline", "group:acme:g1",
         "open", "containment:stuck", "asks:acme", "host:acme:m1")


def put(library, **fields):
    """A closed incident, with everything that leads to it."""
    client = library.redis
    client.hset(key("incident:i1"), mapping={"state": "closed", "changed_ms": "1000", "customer": "acme", **fields})
    client.rpush(key("incident:i1:findings"), "f")
    client.rpush(key("incident:i1:timeline"), "t")
    client.set(key("group:acme:g1"), "i1")
    client.zadd(key("open"), {"i1": 1, "i2": 1})
    client.zadd(key("containment:stuck"), {"acme i1": 1})
    client.hset(key("asks:acme"), "i1", "words")


def forget(library, changed="1000", age=1000):
    return library.call("incident_forget", [key(name) for name in NAMES], "i1", "acme i1", changed, age)


def test_everything_goes_in_one_step(library):
    put(library)
    library.redis.sadd(key("host:acme:m1"), "isolate i2")
    assert forget(library) == "forgotten"
    assert not library.redis.keys("*:i1*") and not library.redis.exists(key("group:acme:g1"), key("asks:acme"))
    assert library.redis.zrange(key("open"), 0, -1) == ["i2"] and not library.redis.exists(key("containment:stuck"))
    assert forget(library) == "unknown"


@pytest.mark.parametrize("fields,answer", [
    ({"state": "open"}, "open"), ({"state": "held"}, "open"), ({"state": "failed"}, "open"),
    ({"state": "closing"}, "open"), ({"state": "opening", "shadow": "1"}, "open"),
    ({"undo.due": "1"}, "holds"), ({"owner": "w", "owner_until": "9999999999999"}, "busy"),
    ({"changed_ms": "1001"}, "busy"),
])
def test_what_is_not_over_stays(library, fields, answer):
    put(library, **fields)
    assert forget(library) == answer
    assert library.redis.exists(*(key(name) for name in NAMES[:8])) == 7


def test_held_host_inbox_and_youth_keep_it(library):
    put(library)
    library.redis.sadd(key("host:acme:m1"), "isolate i1")
    assert forget(library) == "holds"
    library.redis.delete(key("host:acme:m1"))
    library.redis.rpush(key("incident:i1:inbox"), "later")
    assert forget(library) == "busy"
    library.redis.delete(key("incident:i1:inbox"))
    now = str(int(time.time() * 1000))
    library.redis.hset(key("incident:i1"), "changed_ms", now)
    assert forget(library, now, 60000) == "busy"
    assert forget(library, now, 0) == "forgotten"


def test_the_group_of_a_newer_incident_stays(library):
    put(library)
    library.redis.set(key("group:acme:g1"), "i2")
    assert forget(library) == "forgotten"
    assert library.redis.get(key("group:acme:g1")) == "i2"


def test_a_rehearsal_is_over_too(library):
    put(library, state="open", shadow="1")
    assert forget(library) == "forgotten"


def test_nobody_else_forgets(library, as_user):
    put(library)
    for name in ("collector", "normalizer", "incident", "callback", "operator"):
        with pytest.raises(redis.exceptions.ResponseError, match="ACL|permission|may not|can't"):
            forget(as_user(*USERS[name]))
    assert forget(as_user(*USERS["setup"])) == "forgotten"


# ---- the real processes

SHORT = {"TOCSIN_KEEP_INCIDENTS": "5s", "TOCSIN_FATE_TTL": "5s", "TOCSIN_GIVE_UP": "4s",
         "TOCSIN_RETENTION_INTERVAL": "300ms"}


def test_closed_is_exported_and_forgotten(system, tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    system.servicenow()
    system.threat_response()
    system.customer("acme", closing=FRESH)
    analysts(system)
    client = system.redis.client
    client.execute_command("ACL", "SETUSER", "setup", "on", ">pw", "resetchannels", *USERS["setup"])
    keeper = system.start("setup", TOCSIN_REDIS_USER="setup", TOCSIN_REDIS_PASSWORD="pw",
                          TOCSIN_EXPORT_DIR=str(folder), **SHORT)
    system.start()
    first, second = threat_detected(1), threat_detected(2)
    system.emit("acme", [first, second])
    wait_until(lambda: system.settled("acme", [first, second]), 30, "both are open")
    over = system.incident_of("acme", first)
    stays = system.fate("acme", second["id"])
    ticket = system.ticket("main", over["servicenow.sys_id"])
    resolve(system, ticket)
    said(system, ticket)
    name = system.key_name("incident:" + over["id"])
    wait_until(lambda: client.hget(name, "state") == "closed", 20, "closed")
    wait_until(lambda: not client.keys(name + "*"), 30, "forgotten")
    assert client.exists(system.key_name(stays)) and over["id"] not in client.zrange(system.key_name("open"), 0, -1)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (row,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert (row["id"], row["state"], row["number"]) == (over["id"], "closed", over["servicenow.number"])
    assert row["timeline"] and row["entries"]
    keeper.counts(1, "tocsin_incidents_forgotten_total")
    # Nothing more comes of it, and what is open goes on.
    wait_until(system.drained, 10, "drained")
    assert not client.execute_command("ACL", "LOG")
    assert not system.length("dead")


def test_without_a_place_for_the_export_nothing_goes(system, tmp_path):
    client = system.redis.client
    system.customer("acme", instance=None, xdr=None)
    keeper = system.start("setup", TOCSIN_EXPORT_DIR=str(tmp_path / "missing"), **SHORT)
    client.hset(system.key_name("incident:" + "a" * 16), mapping={
        "id": "a" * 16, "state": "closed", "changed_ms": "1000", "customer": "acme", "group": "b" * 16})
    wait_until(lambda: keeper.metric("tocsin_retention_failures_total") > 1, 10, "it says so")
    assert "cannot write" in keeper.tail() and client.exists(system.key_name("incident:" + "a" * 16))
    (tmp_path / "missing").mkdir()
    wait_until(lambda: not client.exists(system.key_name("incident:" + "a" * 16)), 10, "forgotten")


def test_times_that_contradict_each_other(system):
    keeper = system.service("setup", TOCSIN_KEEP_INCIDENTS="1d")
    assert keeper.process.wait(10) != 0
    assert "TOCSIN_KEEP_INCIDENTS must be at least TOCSIN_FATE_TTL" in keeper.tail()
    system.services.clear()


def test_dead_goes_after_its_export_was_acknowledged(system, tmp_path):
    system.apply()
    client = system.redis.client
    ids = [client.xadd(system.key_name("dead"), {"dead.stream": "raw", "dead.entry": "1-1", "dead.reason": "bad",
                                                 "n": str(n)}) for n in range(250)]
    file = tmp_path / "dead.jsonl"
    assert system.tocsin("dead", "export", str(file))["exported"] == 250
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["id"] for row in rows] == ids and rows[7]["fields"]["n"] == "7"
    assert system.length("dead") == 250
    late = client.xadd(system.key_name("dead"), {"dead.stream": "raw", "n": "late"})
    system.tocsin("dead", "export", str(file), expect=1)
    assert system.tocsin("dead", "export", str(file), "--acknowledge")["dropped"] == 250
    assert [entry for entry, _ in client.xrange(system.key_name("dead"))] == [late]
    assert system.tocsin("dead", "export", str(file), "--acknowledge")["dropped"] == 0
    file.write_text('{"partition": 0}\n')
    system.tocsin("dead", "export", str(file), "--acknowledge", expect=1)
    system.tocsin("dead", "export", str(tmp_path / "none"), "--acknowledge", expect=1)
