"""closure_take and release_gate: each test fails when its property is taken out."""
import pytest

from functions import GROUP, counted, key, redis, snapshot

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def take(library, incident, item="item", entry="", consumer="c1", fields=None):
    keys = [key("actions"), key("open"), key(f"incident:{incident}"), key(f"incident:{incident}:inbox")]
    keys += [key("closures")] if entry else []
    return library.call("closure_take", keys, incident, item, GROUP, consumer, entry,
                        *counted(fields or {}))


@pytest.fixture
def known(library):
    library.redis.hset(key("incident:i1"), mapping={"state": "open", "id": "i1", "trace": TRACE})
    return library


def test_taken_in_one_step(known):
    entry = known.add("closures")
    known.read("closures")
    assert take(known, "i1", "a", entry) == "taken"
    assert known.redis.lrange(key("incident:i1:inbox"), 0, -1) == ["a"]
    wake_up, = known.body("actions")
    trace = wake_up.pop("trace")
    assert wake_up == {"v": "1", "incident": "i1"}
    assert trace[:36] == TRACE[:36] and trace[52:] == TRACE[52:] and trace[36:52] != TRACE[36:52]
    assert known.redis.zrange(key("open"), 0, -1) == ["i1"]
    assert known.redis.xlen(key("closures")) == 0 and known.pending("closures") == 0
    # The answer was lost, the call is made again.
    before = snapshot(known.redis)
    assert take(known, "i1", "a", entry) == "not ours"
    assert snapshot(known.redis) == before


def test_another_consumers_entry(known):
    entry = known.add("closures")
    known.read("closures", consumer="c2")
    before = snapshot(known.redis)
    assert take(known, "i1", "a", entry) == "not ours"
    assert snapshot(known.redis) == before


def test_unknown_changes_nothing(library):
    entry = library.add("closures")
    library.read("closures")
    before = snapshot(library.redis)
    assert take(library, "i9", "a", entry) == "unknown"
    assert snapshot(library.redis) == before


def test_without_an_entry(known):
    assert take(known, "i1", "a") == "taken"
    assert take(known, "i1", "b") == "taken"
    assert known.redis.lrange(key("incident:i1:inbox"), 0, -1) == ["a", "b"]


def test_one_that_is_adopted_is_made_once(library):
    entry, again = library.add("closures"), library.add("closures")
    library.read("closures")
    fields = {"state": "open", "id": "i1", "adopted": "1"}
    assert take(library, "i1", "a", entry, fields=fields) == "taken"
    made = library.redis.hgetall(key("incident:i1"))
    assert made["fence"] == "0" and int(made["created_ms"]) > 0 and made["adopted"] == "1"
    library.redis.hset(key("incident:i1"), "state", "closed")
    assert take(library, "i1", "b", again, fields=fields) == "taken"
    assert library.redis.hget(key("incident:i1"), "state") == "closed"
    assert library.redis.llen(key("incident:i1:inbox")) == 2


@pytest.mark.parametrize("wrong", ["open", "incident:i1:inbox", "closures", "actions"])
def test_checks_come_before_writes(known, wrong):
    entry = known.add("closures")
    known.read("closures")
    known.redis.delete(key(wrong))
    known.redis.hset(key(wrong), "f", "v")
    before = snapshot(known.redis)
    with pytest.raises(redis.exceptions.ResponseError):
        take(known, "i1", "a", entry)
    assert snapshot(known.redis) == before


def test_works_when_redis_is_full(known):
    entry = known.add("closures")
    known.read("closures")
    known.redis.config_set("maxmemory", 1)
    try:
        assert take(known, "i1", "a", entry) == "taken"
    finally:
        known.redis.config_set("maxmemory", 0)


def gate(library, incident, limit=2, window=60000):
    return library.call("release_gate", [key("releases:acme"), key("asks:acme")], incident, window, limit,
                        f"{incident} holds a host")


def test_gate_counts_within_the_window(library):
    assert gate(library, "a") == [1, 0] and gate(library, "b") == [1, 0]
    assert gate(library, "c") == [0, 1] and gate(library, "d") == [0, 2]
    assert library.redis.hgetall(key("asks:acme")) == {"c": "c holds a host", "d": "d holds a host"}
    # Asked again each answers the same: nobody counts twice.
    assert gate(library, "c") == [0, 2] and library.redis.zcard(key("releases:acme")) == 4
    assert 0 < library.redis.pttl(key("releases:acme")) <= 60000


def test_gate_forgets(library):
    for name in ("a", "b", "c"):
        gate(library, name)
    library.redis.zadd(key("releases:acme"), {"a": 1, "b": 1, "c": 1})
    assert gate(library, "d") == [1, 0]


def test_an_opened_incident_is_watched(library):
    entry = library.add("findings")
    library.read("findings")
    assert library.claim((entry, "g1", "i1")) == [["opened", "i1"]]
    assert library.redis.zrange(key("open"), 0, -1) == ["i1"]
