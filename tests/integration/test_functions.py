"""What the function library promises: each test fails when its property is taken out."""
import time

import pytest

from functions import GROUP, Library, counted, flat, key, redis, snapshot

ERROR = redis.exceptions.ResponseError
NOPERM = redis.exceptions.NoPermissionError
NO_RIGHT = "may not run|can't run this command|can't access|ACL failure in script"


def refused(call, *args, match, **kwargs):
    with pytest.raises((ERROR, NOPERM), match=match):
        call(*args, **kwargs)


# ---- settle


def test_settle_publishes_sets_fates_and_deletes(library):
    ids = [library.add("raw", n=str(i)) for i in range(3)]
    assert library.read("raw") == ids
    answers = library.settle(
        (ids[0], "p", "seen:1", "queued", "", {"uid": "a", "b": "c"}),
        (ids[1], "d", "seen:2", "skipped:policy", "", {}),
        (ids[2], "b", "seen:3", "", "bad JSON", {}))
    assert answers == [1, 1, 1]
    assert library.body("findings") == [{"uid": "a", "b": "c"}]
    assert library.redis.get(key("seen:1")) == "queued"
    assert library.redis.get(key("seen:2")) == "skipped:policy"
    assert 0 < library.redis.pttl(key("seen:2")) <= 60000
    dead_id, dead = library.redis.xrange(key("dead"))[0]
    assert library.redis.get(key("seen:3")) == "dead:" + dead_id
    assert dead["dead.stream"] == "raw" and dead["dead.entry"] == ids[2]
    assert dead["dead.reason"] == "bad JSON" and dead["n"] == "2" and dead["dead.deliveries"] == "1"
    assert library.redis.xlen(key("raw")) == 0 and library.pending("raw") == 0


def test_settle_answers_per_entry_and_repeats_harmlessly(library):
    ids = [library.add("raw") for _ in range(3)]
    library.read("raw")
    library.redis.xclaim(key("raw"), GROUP, "c2", 0, [ids[1]])
    assert library.publish(*ids) == [1, 0, 1]
    assert len(library.body("findings")) == 2 and library.pending("raw") == 1
    # The answer was lost and the call is made again: nothing is published twice.
    assert library.publish(*ids) == [0, 0, 0]
    assert len(library.body("findings")) == 2
    assert library.publish(ids[1], consumer="c2") == [1]


def test_settle_keeps_what_people_may_look_at(library):
    a, b, c = [library.add("raw") for _ in range(3)]
    library.read("raw")
    assert library.settle_keep((a, "k", {"uid": "a"}), (b, "d", {"uid": "b"}), (c, "p", {"uid": "c"})) \
        == [1, 1, 1]
    assert library.body("findings") == [{"uid": "a"}, {"uid": "c"}]
    assert library.body("recent") == [{"uid": "a"}, {"uid": "b"}]
    assert library.redis.get(key(f"seen:acme:se:{b}")) == "fate"
    # Not once more for a lost answer, not for ever, and not without bound.
    assert library.settle_keep((a, "k", {"uid": "a"})) == [0]
    assert library.redis.xlen(key("recent")) == 2
    for _ in range(5):
        ids = [library.add("raw") for _ in range(100)]
        library.read("raw", count=100)
        library.settle_keep(*[(i, "d", {"uid": i}) for i in ids], count=100)
    assert 100 <= library.redis.xlen(key("recent")) <= 300
    time.sleep(0.01)
    entry = library.add("raw")
    library.read("raw")
    library.settle_keep((entry, "d", {"uid": "last"}), span=1)
    assert library.redis.xlen(key("recent")) <= 200


def test_settle_keep_of_a_wrong_type_writes_nothing(library):
    library.redis.set(key("recent"), "x")
    entry = library.add("raw")
    library.read("raw")
    before = snapshot(library.redis)
    refused(library.settle_keep, (entry, "p", {"uid": "a"}), match="WRONGTYPE")
    assert snapshot(library.redis) == before


def test_rule_hits_are_counted(library):
    rules = [key("rules")]
    assert library.call("rule_hits", rules, "a", 2, 0, "", "", "b", 0, 1, "no text", "") == 2
    assert library.call("rule_hits", rules, "a", 1, 0, "", "too slow") == 1
    kept = library.redis.hgetall(key("rules"))
    assert int(kept.pop("a:last")) > 0
    assert kept == {"a": "3", "a:out": "too slow", "b:errors": "1", "b:error": "no text"}
    refused(library.call, "rule_hits", rules, "a b", 1, 0, "", "", match="bad name")
    refused(library.call, "rule_hits", rules, "a", 1, match="five arguments")


def test_settle_buries_only_its_own(library):
    entry = library.add("raw")
    library.read("raw", consumer="c2")
    before = snapshot(library.redis)
    assert library.settle((entry, "b", "seen:1", "", "bad", {}), (entry, "d", "seen:1", "x", "", {})) \
        == [0, 0]
    assert snapshot(library.redis) == before


def test_settle_same_entry_twice_in_one_call(library):
    entry = library.add("raw")
    library.read("raw")
    assert library.publish(entry, entry) == [1, 0]
    assert len(library.body("findings")) == 1


@pytest.mark.parametrize("spoiled", ["findings", "dead", "seen:acme:se:{id}"])
def test_settle_wrong_type_writes_nothing(library, spoiled):
    good, bad = library.add("raw"), library.add("raw")
    library.read("raw")
    name = key(spoiled.replace("{id}", bad))
    library.redis.delete(name)
    library.redis.hset(name, "a", "b")
    before = snapshot(library.redis)
    kind = "b" if spoiled == "dead" else "p"
    refused(library.settle, (good, "p", f"seen:acme:se:{good}", "x", "", {"a": "b"}),
            (bad, kind, f"seen:acme:se:{bad}", "x", "", {"a": "b"}), match="WRONGTYPE")
    assert snapshot(library.redis) == before


def test_settle_without_output_stream_writes_nothing(library):
    entry = library.add("raw")
    library.read("raw")
    library.redis.delete(key("findings"))
    before = snapshot(library.redis)
    refused(library.publish, entry, match="NOSTREAM")
    assert snapshot(library.redis) == before


@pytest.mark.parametrize("missing", ["xadd", "xack", "xdel", "set", "xpending", "type"])
def test_settle_without_a_right_writes_nothing(library, as_user, missing):
    entry = library.add("raw")
    library.read("raw")
    commands = {"fcall", "xadd", "xack", "xdel", "set", "xpending", "type"} - {missing}
    user = as_user("~tocsin:*", *[f"+{c}" for c in commands])
    before = snapshot(library.redis)
    refused(user.publish, entry, match=NO_RIGHT)
    assert snapshot(library.redis) == before
    full = as_user("~tocsin:*", *[f"+{c}" for c in commands | {missing}])
    assert full.publish(entry) == [1]


def test_settle_refuses_what_does_not_add_up(library):
    entry = library.add("raw")
    library.read("raw")
    before = snapshot(library.redis)
    keys = [key("raw"), key("findings"), key("dead")]
    for args in (["x", "p", 0, "", "", 0], [entry, "p", 0, "", "", 2, "a", "b"],
                 [entry, "x", 0, "", "", 0], [entry, "d", 9, "f", "", 0],
                 [entry, "d", 0, "", "", "many"], [entry, "p", 0, "", "", -1]):
        refused(library.call, "settle", keys, GROUP, "c1", 1000, *args, match="REFUSED")
    refused(library.call, "settle", keys, GROUP, "c1", 1000, entry, "p", 0, "", "", 2000,
            *["f"] * 4000, match="REFUSED")
    assert snapshot(library.redis) == before


def fill(client):
    """Until Redis refuses; the limit is then below what is used."""
    client.setrange("ballast", 30 << 20, "x") # beside which buffers do not count
    client.config_set("maxmemory", client.info("memory")["used_memory"] - 1)
    with pytest.raises(redis.exceptions.ResponseError, match="OOM|command not allowed"):
        client.set("one-more", "x")


def test_full_redis_drains(library):
    """Without allow-oom none of these would run, and what is queued could never leave."""
    ids = [library.add("raw", pad="x" * 1000) for _ in range(6)]
    finding = library.add("findings", pad="x" * 1000)
    library.read("raw")
    library.read("findings")
    fill(library.redis)
    assert library.publish(ids[0]) == [1]
    assert library.settle((ids[1], "b", None, "", "bad", {})) == [1]
    assert library.defer(ids[2]) == 1
    assert library.wake()[0] == 1
    assert library.call("release", [key("raw")], GROUP, "c1", ids[3]) == 1
    assert library.call("heartbeat", [key("raw")], GROUP, 1, "c1", 1, ids[4]) == [1]
    assert library.call("bury", [key("raw"), key("dead")], GROUP, ids[5], 1, 0, 1000) == 1
    assert library.claim((finding, "g", "i1"))[0] == ["opened", "i1"]
    assert library.read("actions", count=1)
    wake_up = library.redis.xpending_range(key("actions"), GROUP, "-", "+", 1)[0]["message_id"]
    fence = library.take("i1")[1]
    assert library.journal("i1", fence, "1:a", done=1, timeline="opened") == 1
    assert library.finish("i1", fence, "2:a", wake_up) == 1
    library.enter(in_flight=4)
    library.leave("ok")
    assert library.lease("w1")[0] == 1
    refused(library.commit, "w1:1", ["e1"], match="OOM|command not allowed")


# ---- release, heartbeat, bury


def delivery(library, entry, stream="raw"):
    row = library.redis.xpending_range(key(stream), GROUP, entry, entry, 1)
    return (row[0]["consumer"], row[0]["times_delivered"], row[0]["time_since_delivered"]) \
        if row else None


def test_release_does_not_count_and_frees_at_once(library):
    mine, other = library.add("raw"), library.add("raw")
    library.read("raw")
    library.redis.xclaim(key("raw"), GROUP, "c2", 0, [other])
    assert library.call("release", [key("raw")], GROUP, "c1", mine, other) == 1
    owner, count, idle = delivery(library, mine)
    assert count == 0 and idle > 3600000
    assert delivery(library, other)[:2] == ("c2", 2)


def test_a_heartbeat_under_way_takes_nothing_back(library):
    mine, other = library.add("raw"), library.add("raw")
    library.read("raw")
    assert library.call("release", [key("raw")], GROUP, "c1", mine) == 1
    for ids in ((mine,), (mine, other)):
        assert library.call("heartbeat", [key("raw")], GROUP, 1, "c1", len(ids), *ids) == [0, 1][:len(ids)]
    assert delivery(library, mine)[2] > 3600000
    assert library.call("release", [key("raw")], GROUP, "c1", mine) == 0  # the answer was lost


def test_heartbeat_renews_only_what_is_owned(library):
    mine, lost, settled = (library.add("raw") for _ in range(3))
    library.read("raw")
    library.publish(settled)
    library.redis.xclaim(key("raw"), GROUP, "c2", 0, [lost], idle=50000, retrycount=1)
    library.redis.xclaim(key("raw"), GROUP, "c1", 0, [mine], idle=50000, retrycount=1)
    closure = library.add("closures")
    library.read("closures", consumer="c9")
    answers = library.call("heartbeat", [key("raw"), key("closures")], GROUP,
                           1, "c1", 3, mine, lost, settled, 2, "c9", 1, closure)
    assert answers == [1, 0, 0, 1]
    assert delivery(library, mine)[1] == 1 and delivery(library, mine)[2] < 40000
    assert delivery(library, lost)[0] == "c2" and delivery(library, lost)[2] >= 50000


def test_bury_only_at_the_limit_and_only_what_is_idle(library):
    entry = library.add("raw", customer="acme")
    library.read("raw")

    def bury(idle=1000):
        return library.call("bury", [key("raw"), key("dead"), key("seen:1")], GROUP, entry, 3, idle,
                            1000)

    assert bury() == 0  # once delivered, not idle
    library.redis.xclaim(key("raw"), GROUP, "c2", 0, [entry], idle=2000, retrycount=2)
    assert bury() == 0
    library.redis.xclaim(key("raw"), GROUP, "c3", 0, [entry], idle=0, retrycount=3)
    assert bury() == 0  # somebody works on it
    library.redis.xclaim(key("raw"), GROUP, "c3", 0, [entry], idle=2000, retrycount=3)
    assert bury() == 1
    assert bury() == 0
    dead = library.body("dead")[0]
    assert dead["customer"] == "acme" and "3 workers" in dead["dead.reason"]
    assert library.redis.get(key("seen:1")).startswith("dead:")
    assert library.redis.xlen(key("raw")) == 0 and library.pending("raw") == 0


# ---- the deferred set


def test_defer_and_wake_keep_first_and_count_attempts(library):
    entry = library.add("raw", customer="acme", payload="{}")
    library.read("raw")
    assert library.defer(entry, counted=1) == 1
    assert library.defer(entry, counted=1) == 0  # the answer was lost: nothing twice
    assert library.redis.zcard(key("deferred")) == 1 and library.pending("raw") == 0
    assert library.wake() == [1, 0]
    assert library.wake() == [0, 0]
    woken = library.body("raw")[0]
    assert woken == {"first": entry.split("-")[0], "attempt": "1", "customer": "acme",
                     "payload": "{}"}
    again = library.read("raw")[0]
    library.defer(again, counted=1)
    library.wake()
    assert library.body("raw")[0]["attempt"] == "2"
    assert library.body("raw")[0]["first"] == entry.split("-")[0]


def test_what_was_not_tried_does_not_age(library):
    entry = library.add("raw")
    library.read("raw")
    library.defer(entry, counted=0, reason="account:acme.sn")
    time.sleep(0.05)
    library.wake()
    woken = library.body("raw")[0]
    assert woken["attempt"] == "0" and int(woken["first"]) >= int(entry.split("-")[0]) + 50


def test_wake_is_for_what_is_due_and_ours(library):
    first, second, third = library.add("raw"), library.add("raw"), library.add("closures")
    library.read("raw")
    library.read("closures")
    library.defer(first)
    library.defer(second, delay=60000)
    library.defer(third, stream="closures")
    assert library.wake("raw")[0] == 1
    assert library.redis.xlen(key("closures")) == 0
    assert library.wake("raw", "closures")[0] == 1
    assert library.redis.zcard(key("deferred")) == 1


def test_others_due_work_does_not_hide_ours(library):
    """The incident service is away and a lot of its work is due: raw entries still wake."""
    for _ in range(2500):
        library.add("closures")
    for entry in library.read("closures", count=3000):
        library.defer(entry, stream="closures")
    mine = library.add("raw")
    library.read("raw")
    library.defer(mine)
    woken, offset = library.wake("raw")
    assert woken == 0 and offset >= 2000
    assert library.wake("raw", offset=offset)[0] == 1


def test_wake_survives_a_foreign_member(library):
    library.redis.zadd(key("deferred"), {"junk": 1, key("raw") + "\nnot packed": 2,
                                           key("raw").encode() + b"\n\xdc\x00\x10": 3})
    mine = library.add("raw")
    library.read("raw")
    library.defer(mine)
    assert library.wake("raw")[0] == 1
    assert library.redis.zcard(key("deferred")) == 3


def test_wake_into_a_missing_stream_moves_nothing(library):
    mine = library.add("raw")
    library.read("raw")
    library.defer(mine)
    library.redis.delete(key("raw"))
    before = snapshot(library.redis)
    refused(library.wake, "raw", match="NOSTREAM")
    assert snapshot(library.redis) == before


def test_wake_matching_by_reason(library):
    for n in range(1200):
        library.add("raw", n=str(n))
    for n, entry in enumerate(library.read("raw", count=2000)):
        library.defer(entry, delay=3600000 + n,
                      reason="account:acme.sn" if n % 3 == 0 else "account:beta.sn")
    offset, total = 0, 0
    while offset >= 0:
        matched, offset = library.call("wake_matching", [key("deferred")], "account:acme", offset)
        total += matched
    assert total == 400
    woken = sum(library.wake("raw", most=100)[0] for _ in range(5))
    assert woken == 400 and library.redis.zcard(key("deferred")) == 800


def test_deferred_list_shows_what_waits(library):
    entry = library.add("raw", customer="acme")
    library.read("raw")
    library.defer(entry, delay=5000, reason="vendor said 503")
    row = library.call("deferred_list", [key("deferred")], 0, 10)[0]
    assert row[:3] == ["raw", entry, "vendor said 503"]
    assert row[3] - row[5] == 5000 and row[6:8] == [1, 1] and row[8] == ["customer", "acme"]


# ---- intake


def test_commit_page_once_each(library):
    assert library.lease("w1") == [1, "w1:1"]
    assert library.commit("w1:1", ["a", "b"], last=0, cursor={"mark": "1"}) == [1, 1]
    assert not library.redis.exists(key("cursor:acme:se"))
    assert library.commit("w1:1", ["b", "c", "c"], cursor={"mark": "2"}, counter="events") \
        == [0, 1, 0]
    assert [e["payload"] for e in library.body("raw")] == ["a", "b", "c"]
    assert library.redis.hgetall(key("cursor:acme:se")) == {"mark": "2", "events": "1"}
    assert library.redis.get(key("seen:acme:se:c")) == "queued"
    # A page without events still moves the cursor.
    assert library.commit("w1:1", [], cursor={"mark": "3"}) == []
    assert library.redis.hget(key("cursor:acme:se"), "mark") == "3"


def test_stale_owner_commits_nothing(library):
    library.lease("w1")
    library.redis.delete(key("lease:acme:se"))
    assert library.lease("w2") == [1, "w2:2"]
    before = snapshot(library.redis)
    refused(library.commit, "w1:1", ["a"], cursor={"mark": "9"}, match="STALE")
    assert snapshot(library.redis) == before


def test_lease_has_one_owner_and_a_growing_fence(library):
    assert library.lease("w1") == [1, "w1:1"]
    assert library.lease("w1") == [1, "w1:1"]  # still ours: renewed
    assert library.lease("w2") == [0, "w1:1"]
    renew = [key("lease:acme:se")]
    assert library.call("lease_renew", renew, "w1:1", 5000) == 1
    refused(library.call, "lease_renew", renew, "w2:1", 5000, match="STALE")
    assert library.call("lease_renew", renew, "w2:1", 0) == 0
    assert library.call("lease_renew", renew, "w1:1", 0) == 1
    assert library.lease("w2") == [1, "w2:2"]


def test_commit_page_wrong_type_and_missing_stream_write_nothing(library):
    library.lease("w1")
    library.redis.lpush(key("seen:acme:se:b"), "x")
    before = snapshot(library.redis)
    refused(library.commit, "w1:1", ["a", "b"], cursor={"m": "1"}, match="WRONGTYPE")
    assert snapshot(library.redis) == before
    library.redis.delete(key("seen:acme:se:b"))
    library.redis.hset(key("cursor:acme:se"), "events", "many")
    before = snapshot(library.redis)
    refused(library.commit, "w1:1", ["a"], counter="events", match="REFUSED")
    library.redis.set(key("cursor:acme:se"), "x")
    refused(library.commit, "w1:1", ["a"], cursor={"m": "1"}, match="WRONGTYPE")
    library.redis.delete(key("raw"), key("cursor:acme:se"))
    refused(library.commit, "w1:1", ["a"], match="NOSTREAM")
    assert not library.redis.exists(key("seen:acme:se:a"))


def test_intake_stops_before_redis_is_full(library):
    library.lease("w1")
    used = library.redis.info("memory")["used_memory"]
    library.redis.config_set("maxmemory", int(used / 0.9))
    before = snapshot(library.redis)
    refused(library.commit, "w1:1", ["a"], match="FULL")
    refused(library.call, "append", [key("raw")], 1000, 0, "", 0, 0, *counted({"a": "b"}), match="FULL")
    assert snapshot(library.redis) == before
    entry = library.add("raw")
    library.read("raw")
    assert library.publish(entry) == [1]  # what drains goes on
    library.redis.config_set("maxmemory", 0)
    assert library.commit("w1:1", ["a"]) == [1]


def append_again(library, *items, stream="raw"):
    """Items are (event, the fate that was seen)."""
    keys, args = [key(stream)], [60000]
    for event, fate in items:
        keys.append(key(f"seen:{event}"))
        args += [fate, *counted({"payload": event})]
    return library.call("append_again", keys, *args)


def test_again_takes_only_what_is_still_as_it_was_seen(library):
    for name, fate in (("a", "recorded"), ("b", "suppressed:noise"), ("c", "incident:1")):
        library.redis.set(key(f"seen:{name}"), fate, px=60000)
    assert append_again(library, ("a", "recorded"), ("b", "suppressed:other"), ("c", "recorded"),
                        ("gone", "recorded")) == [1, 0, 0, 0]
    assert [entry["payload"] for entry in library.body("raw")] == ["a"]
    assert library.redis.get(key("seen:a")) == "queued" and library.redis.pttl(key("seen:a")) > 0
    assert library.redis.get(key("seen:c")) == "incident:1"
    assert library.redis.get(key("seen:gone")) is None
    assert append_again(library, ("a", "recorded")) == [0]  # after a lost answer
    library.redis.set(key("seen:twice"), "recorded", px=60000)  # listed twice on one page
    assert append_again(library, ("twice", "recorded"), ("twice", "recorded")) == [1, 0]


def test_again_changes_nothing_when_something_is_wrong(library, as_user):
    library.redis.set(key("seen:a"), "recorded", px=60000)
    library.redis.lpush(key("seen:list"), "x")
    before = snapshot(library.redis)
    refused(append_again, library, ("a", "recorded"), ("list", "recorded"), match="WRONGTYPE")
    refused(append_again, library, ("a", "recorded"), stream="nothing", match="NOSTREAM")
    refused(library.call, "append_again", [key("raw"), key("seen:a")], 60000, "recorded", 3, "f",
            match="REFUSED")
    refused(library.call, "append_again", [key("raw"), key("seen:a")], 60000, "recorded", 1, "f", "v", "x",
            match="REFUSED")
    commands = {"fcall", "time", "type", "info", "get", "set", "xadd"}
    for missing in ("set", "xadd"):
        user = as_user("~tocsin:*", *[f"+{c}" for c in commands - {missing}])
        refused(append_again, user, ("a", "recorded"), match=NO_RIGHT)
    assert snapshot(library.redis) == before


def append(library, *items, stream="raw", ttl=60000):
    """Items are (nonce, fate, fields); a nonce is a name, or (name, what it is taken for)."""
    keys, args = [key(stream)], [60000]
    for nonce, fate, fields in items:
        nonce, value = nonce if isinstance(nonce, tuple) else (nonce, "")
        keys += [key(name) for name in (nonce, fate) if name]
        args += [len(keys) - bool(fate) if nonce else 0, value, ttl, len(keys) if fate else 0,
                 *counted(fields)]
    return library.call("append", keys, *args)


def test_append_takes_the_nonce_in_the_same_step(library):
    body = {"payload": "x"}
    assert append(library, ("nonce:1", "seen:1", body), ("nonce:2", None, body),
                  (None, "seen:1", body), ("nonce:2", None, body), (None, None, body)) \
        == [0, 0, 2, 1, 0]
    assert library.redis.xlen(key("raw")) == 3
    # Sent again after a lost answer
    assert append(library, ("nonce:1", "seen:1", body), ("nonce:2", None, body)) == [1, 1]
    assert library.redis.xlen(key("raw")) == 3
    # A nonce that cannot be taken adds nothing
    library.redis.lpush(key("nonce:3"), "x")
    before = snapshot(library.redis)
    assert append(library, ("nonce:3", None, body)) == [3]
    assert append(library, ("nonce:3", None, body), ttl=0) == [3]
    refused(append, library, ("nonce:4", None, body), (None, None, {}), match="REFUSED")
    assert snapshot(library.redis) == before


def test_a_nonce_remembers_what_it_was_taken_for(library):
    body = {"payload": "x"}
    assert append(library, (("nonce:1", "this"), None, body), (("nonce:1", "that"), None, body)) == [0, 3]
    assert append(library, (("nonce:1", "this"), None, body), (("nonce:1", "that"), None, body)) == [1, 3]
    assert library.redis.xlen(key("raw")) == 1
    # Looked at, but not taken: parts of a request of which the last takes it.
    assert append(library, (("nonce:2", "x"), "seen:2", body), ttl=0) == [0]
    assert not library.redis.exists(key("nonce:2"))
    assert append(library, (("nonce:1", "that"), "seen:3", body), ttl=0) == [3]
    assert not library.redis.exists(key("seen:3"))


# ---- incidents


def findings(library, count, consumer="c1"):
    for n in range(count):
        library.add("findings", n=str(n))
    return library.read("findings", consumer=consumer, count=count)


def inbox(library, incident):
    return library.redis.lrange(key(f"incident:{incident}:inbox"), 0, -1)


def test_claim_opens_joins_and_wakes(library):
    a, b, c = findings(library, 3)
    assert library.claim((a, "g1", "i1", {"severity": 2}), (b, "g1", "i2", {"severity": 4}),
                         (c, "g2", "i3")) \
        == [["opened", "i1"], ["joined", "i1"], ["opened", "i3"]]
    assert inbox(library, "i1") == [f"open {a}", f"note {b}"]
    incident = library.redis.hgetall(key("incident:i1"))
    assert incident["state"] == "opening" and incident["findings"] == "2"
    assert incident["severity"] == "4" and incident["uid"] == a and incident["previous"] == ""
    assert library.redis.get(key(f"seen:acme:se:{b}")) == "incident:i1"
    assert library.redis.lrange(key("incident:i1:findings"), 0, -1) \
        == [f"summary {a}", f"summary {b}"]
    assert [e["incident"] for e in library.body("actions")] == ["i1", "i1", "i3"]
    assert library.redis.xlen(key("findings")) == 0 and library.pending("findings") == 0
    assert library.redis.get(key("group:acme:g1")) == "i1"


def test_claim_repeated_or_not_ours_changes_nothing(library):
    a, b = findings(library, 2)
    library.claim((a, "g1", "i1"))
    library.redis.xclaim(key("findings"), GROUP, "c2", 0, [b])
    before = snapshot(library.redis)
    assert library.claim((a, "g1", "i1"), (b, "g1", "i2")) == [["not ours", ""], ["not ours", ""]]
    assert snapshot(library.redis) == before


def test_claim_after_closing_opens_a_new_one_that_names_the_old(library):
    a, b, c, d = findings(library, 4)
    library.claim((a, "g1", "i1"))
    fence = library.take("i1")[1]
    assert library.journal("i1", fence, "1:x", fields={"state": "closing"}, group="drop",
                           group_key="group:acme:g1") == 1
    assert library.claim((b, "g1", "i2")) == [["opened", "i2"]]
    assert library.redis.hget(key("incident:i2"), "previous") == "i1"
    # The finding that opened i1 comes again (a look-back after a lost fate): it opens nothing.
    assert library.claim((c, "g1", "i1")) == [["joined", "i2"]]
    library.redis.hset(key("incident:i2"), "state", "closed")
    assert library.claim((d, "g1", "i1")) == [["recorded", "i1"]]
    assert library.redis.hget(key("incident:i1"), "findings") == "2"


def test_claim_without_a_candidate_opens_nothing(library):
    """What the source has settled: recorded, or news for what is open."""
    a, b, c, d = findings(library, 4)
    assert library.claim((a, "g1", "")) == [["recorded", ""]]
    assert library.redis.get(key(f"seen:acme:se:{a}")) == "recorded"
    assert library.redis.keys(key("incident:*")) == [] and library.redis.xlen(key("actions")) == 0
    assert library.redis.get(key("group:acme:g1")) is None
    assert library.claim((b, "g1", "i1"), (c, "g1", "")) == [["opened", "i1"], ["joined", "i1"]]
    assert inbox(library, "i1") == [f"open {b}", f"note {c}"]
    assert library.redis.get(key(f"seen:acme:se:{c}")) == "incident:i1"
    library.redis.hset(key("incident:i1"), "state", "closed")
    assert library.claim((d, "g1", "")) == [["recorded", ""]]
    assert library.redis.get(key(f"seen:acme:se:{d}")) == "recorded"
    assert library.redis.hget(key("incident:i1"), "findings") == "2"
    assert library.redis.xlen(key("findings")) == 0 and library.pending("findings") == 0


def test_claim_of_the_opening_finding_again_is_no_note(library):
    a, b = findings(library, 2)
    library.claim((a, "g1", "i1"))
    assert library.claim((b, "g1", "i1")) == [["recorded", "i1"]]
    assert len(inbox(library, "i1")) == 1 and library.redis.xlen(key("actions")) == 1


def test_claim_of_another_state_of_a_record_joins_its_incident(library):
    """The vendor names the group later: no second incident, and the group's next finds the first."""
    a, b, c, d, e = findings(library, 5)
    one = {"subject": "alert-1"}
    assert library.claim((a, "g1", "i1", one), (b, "late", "i2", one)) \
        == [["opened", "i1"], ["joined", "i1"]]
    assert library.redis.get(key("seen:acme:se:alert-1")) == "incident:i1"
    assert library.claim((c, "late", "i3", {"subject": "alert-2"})) == [["joined", "i1"]]
    assert library.redis.pttl(key("group:acme:late")) > 0
    # Where the group has an incident of its own, only the record's states stay together.
    library.redis.delete(key("group:acme:late"))
    assert library.claim((d, "late", "i4", {"subject": "alert-3"}), (e, "late", "i5", one)) \
        == [["opened", "i4"], ["joined", "i1"]]
    assert library.redis.get(key("group:acme:late")) == "i4"


def test_claim_of_a_record_whose_incident_is_over_goes_by_its_group(library):
    a, b, c = findings(library, 3)
    one = {"subject": "alert-1"}
    library.claim((a, "g1", "i1", one))
    library.redis.hset(key("incident:i1"), "state", "closed")
    assert library.claim((b, "g1", "", one)) == [["recorded", ""]]
    assert library.redis.get(key("seen:acme:se:alert-1")) == "incident:i1"
    assert library.claim((c, "g1", "i2", one)) == [["opened", "i2"]]
    assert library.redis.get(key("seen:acme:se:alert-1")) == "incident:i2"


def storm(library, *numbers, limit=2, span=3600000, consumer="c1"):
    """One finding on each of these hosts, all of them claimed in one call."""
    entries = {library.add("findings"): number for number in numbers}
    library.read("findings", consumer=consumer)
    return library.claim(*[(entry, f"g{n}", f"i{n}", {"limit": limit, "span": span, "summary": f"s{n}"})
                           for entry, n in entries.items()], consumer=consumer)


def test_claim_of_a_storm_ends_in_one_summary(library):
    assert storm(library, 1, 2, 3, 4) == [["opened", "i1"], ["opened", "i2"], ["opened", "s3"],
                                          ["attached", "s3"]]
    assert storm(library, 5) == [["attached", "s3"]]
    assert library.redis.hgetall(key("incident:s3"))["storm"] == "r1"
    assert library.redis.hget(key("incident:s3"), "findings") == "3"
    assert library.redis.hget(key("incident:s3"), "group_key") == key("group:acme:storm")
    assert len(library.redis.lrange(key("incident:s3:inbox"), 0, -1)) == 3
    # What is attached stays so, limit or not, and its group expires by itself.
    assert library.redis.get(key("group:acme:g4")) == "s3"
    assert 0 < library.redis.pttl(key("group:acme:g4")) <= 60000
    entry = library.add("findings")
    library.read("findings")
    assert library.claim((entry, "g4", "i9")) == [["joined", "s3"]]
    # The summary does not count: neither does what joins.
    assert library.redis.llen(key("storm:acme:r1")) == 2
    assert 0 < library.redis.pttl(key("storm:acme:r1")) <= 3600000


def test_claim_of_a_storm_counts_within_the_span(library):
    assert storm(library, 1, 2) == [["opened", "i1"], ["opened", "i2"]]
    old = str(int(library.redis.lindex(key("storm:acme:r1"), 0)) - 3600001)
    library.redis.lset(key("storm:acme:r1"), 0, old)
    assert storm(library, 3, 4) == [["opened", "i3"], ["opened", "s4"]]
    # A summary that is closed is followed by another one.
    library.redis.hset(key("incident:s4"), "state", "closed")
    assert storm(library, 5) == [["opened", "s5"]]
    assert library.redis.get(key("group:acme:storm")) == "s5"


def test_claim_of_a_storm_repeated_counts_once(library):
    entry = library.add("findings")
    library.read("findings")
    claim = (entry, "g1", "i1", {"limit": 1, "summary": "s1"})
    assert library.claim(claim) == [["opened", "i1"]]
    assert library.claim(claim) == [["not ours", ""]]
    assert library.redis.llen(key("storm:acme:r1")) == 1


def test_claim_of_a_storm_with_a_wrong_type_writes_nothing(library):
    library.redis.set(key("storm:acme:r1"), "x")
    entry = library.add("findings")
    library.read("findings")
    before = snapshot(library.redis)
    refused(library.claim, (entry, "g1", "i1", {"limit": 1}), match="WRONGTYPE")
    assert snapshot(library.redis) == before


def test_claim_that_records_says_why(library):
    entry = library.add("findings")
    library.read("findings")
    assert library.claim((entry, "g1", "", {"recorded": "recorded:window"})) == [["recorded", ""]]
    assert library.redis.get(key(f"seen:acme:se:{entry}")) == "recorded:window"


@pytest.mark.parametrize("spoiled", ["incident:i2", "incident:i2:inbox", "incident:i2:findings",
                                     "actions", "group:acme:g2", "seen:acme:se:{b}",
                                     "seen:acme:se:alert-2"])
def test_claim_wrong_type_writes_nothing(library, spoiled):
    a, b = findings(library, 2)
    name = key(spoiled.replace("{b}", b))
    library.redis.delete(name)
    library.redis.zadd(name, {"x": 1})
    before = snapshot(library.redis)
    refused(library.claim, (a, "g1", "i1"), (b, "g2", "i2", {"subject": "alert-2"}),
            match="WRONGTYPE|wrong kind")
    assert snapshot(library.redis) == before


@pytest.mark.parametrize("missing", ["xadd", "xack", "xdel", "set", "hset", "hincrby", "rpush",
                                     "ltrim"])
def test_claim_without_a_right_writes_nothing(library, as_user, missing):
    a, = findings(library, 1)
    commands = {"fcall", "time", "type", "xpending", "get", "hget", "llen", "xadd", "xack", "xdel", "set",
                "hset", "hincrby", "rpush", "ltrim", "zadd"}
    before = snapshot(library.redis)
    user = as_user("~tocsin:*", *[f"+{c}" for c in commands - {missing}])
    refused(user.claim, (a, "g1", "i1"), match=NO_RIGHT)
    assert snapshot(library.redis) == before
    assert as_user("~tocsin:*", *[f"+{c}" for c in commands]).claim((a, "g1", "i1")) \
        == [["opened", "i1"]]


def test_claim_cannot_reach_keys_that_are_not_granted(library, as_user):
    a, = findings(library, 1)
    user = as_user("~tocsin:{p0}:findings", "~tocsin:{p0}:actions", "~tocsin:{p0}:group:*",
                   "~tocsin:{p0}:seen:*", "+@all")
    before = snapshot(library.redis)
    refused(user.claim, (a, "g1", "i1"), match=NO_RIGHT)
    assert snapshot(library.redis) == before


def opened(library, incident="i1"):
    entry = findings(library, 1)[0]
    library.claim((entry, "g-" + incident, incident))
    return library.read("actions")[0]


def test_take_has_one_owner_and_a_growing_fence(library):
    opened(library)
    taken = library.take("i1", "w1")
    assert taken[0] == 1 and taken[1] == 1
    fields = library.redis.hgetall(key("incident:i1"))
    assert fields["owner"] == "w1" and fields["state"] == "opening"
    busy = library.take("i1", "w2")
    assert busy[0] == 0 and busy[1] > busy[2]
    assert library.take("i1", "w1")[1] == 2  # after a lost answer
    library.redis.hset(key("incident:i1"), "owner_until", "1")
    assert library.take("i1", "w2")[1] == 3


def test_take_of_nothing_makes_nothing(library):
    assert library.take("nobody")[:2] == [1, 0]
    assert not library.redis.exists(key("incident:nobody"))


def test_journal_checks_the_fence(library):
    opened(library)
    old = library.take("i1", "w1")[1]
    library.redis.hset(key("incident:i1"), "owner_until", "1")
    new = library.take("i1", "w2")[1]
    before = snapshot(library.redis)
    refused(library.journal, "i1", old, "1:a", owner="w1", done=1, timeline="x", match="STALE")
    refused(library.release, "i1", old, "0-1", owner="w1", match="STALE")
    assert snapshot(library.redis) == before
    assert library.journal("i1", new, "1:a", owner="w2") == 1


def test_an_older_fence_of_the_same_owner_is_stale_too(library):
    wake_up = opened(library)
    old = library.take("i1")[1]
    new = library.take("i1")[1]
    before = snapshot(library.redis)
    refused(library.journal, "i1", old, "1:a", done=1, match="STALE")
    refused(library.release, "i1", old, wake_up, left=1, match="STALE")
    assert snapshot(library.redis) == before
    assert library.journal("i1", new, "1:a") == 1


def test_journal_repeated_is_written_once(library):
    opened(library)
    library.redis.rpush(key("incident:i1:inbox"), "second", "third")
    fence = library.take("i1")[1]
    for _ in range(2):
        assert library.journal("i1", fence, "1:a", done=1, timeline="opened",
                               fields={"step": "done"}) == 1
    assert inbox(library, "i1") == ["second", "third"]
    assert library.redis.lrange(key("incident:i1:timeline"), 0, -1) == ["opened"]
    assert library.journal("i1", fence, "2:a", done=1, timeline="noted", remove=("step",)) == 1
    assert inbox(library, "i1") == ["third"]
    assert not library.redis.hexists(key("incident:i1"), "step")


def test_journal_cannot_forge_what_the_functions_keep(library):
    opened(library)
    fence = library.take("i1")[1]
    library.journal("i1", fence, "1:a", fields={"owner": "w9", "fence": "99", "owner_until": "0"})
    incident = library.redis.hgetall(key("incident:i1"))
    assert incident["owner"] == "w1" and incident["fence"] == str(fence)
    assert int(incident["owner_until"]) > 0


@pytest.mark.parametrize("spoiled", ["incident:i1:inbox", "incident:i1:timeline", "group:acme:g-i1"])
def test_journal_wrong_type_writes_nothing(library, spoiled):
    opened(library)
    fence = library.take("i1")[1]
    library.redis.delete(key(spoiled))
    library.redis.hset(key(spoiled), "a", "b")
    before = snapshot(library.redis)
    refused(library.journal, "i1", fence, "1:a", done=1, timeline="x", group="drop",
            group_key="group:acme:g-i1", fields={"a": "b"}, match="WRONGTYPE")
    assert snapshot(library.redis) == before


def test_timeline_and_findings_are_capped(library):
    opened(library)
    fence = library.take("i1")[1]
    library.redis.rpush(key("incident:i1:timeline"), *["x"] * 300)
    library.journal("i1", fence, "1:a", timeline="last")
    assert library.redis.llen(key("incident:i1:timeline")) == 200
    for entry in findings(library, 210):
        library.claim((entry, "g-i1", "none"))
    assert library.redis.llen(key("incident:i1:findings")) == 200
    assert library.redis.hget(key("incident:i1"), "findings") == "211"


def test_group_is_taken_back_only_when_free(library):
    opened(library, "i1")
    fence = library.take("i1")[1]
    group = "group:acme:g-i1"
    library.journal("i1", fence, "1:a", fields={"state": "closed"}, group="drop", group_key=group)
    library.redis.set(key(group), "i2")
    before = snapshot(library.redis)
    assert library.journal("i1", fence, "2:a", fields={"state": "open"}, group="take",
                           group_key=group) == 0
    assert snapshot(library.redis) == before
    library.redis.delete(key(group))
    assert library.journal("i1", fence, "2:b", fields={"state": "open"}, group="take",
                           group_key=group) == 1
    assert library.redis.get(key(group)) == "i1"
    # Dropping what is another's by now leaves it to them.
    library.redis.set(key(group), "i9")
    library.journal("i1", fence, "3:a", group="drop", group_key=group)
    assert library.redis.get(key(group)) == "i9"


def test_release_refuses_while_the_inbox_has_more(library):
    wake_up = opened(library)
    fence = library.take("i1")[1]
    library.journal("i1", fence, "1:a", done=1)
    library.redis.rpush(key("incident:i1:inbox"), "late")
    before = snapshot(library.redis)
    assert library.release("i1", fence, wake_up) == 0
    assert snapshot(library.redis) == before
    assert library.release("i1", fence, wake_up, left=1) == 1
    assert library.redis.xlen(key("actions")) == 0
    assert library.redis.hget(key("incident:i1"), "owner") == ""
    assert library.release("i1", fence, wake_up, left=1) == 1  # the answer was lost
    refused(library.journal, "i1", fence, "2:a", match="STALE")


def test_release_can_put_off_the_wake_up(library):
    wake_up = opened(library)
    fence = library.take("i1")[1]
    assert library.release("i1", fence, wake_up, delay=60000, left=1) == 1
    assert library.pending("actions") == 0 and library.redis.zcard(key("deferred")) == 1
    row = library.call("deferred_list", [key("deferred")], 0, 1)[0]
    assert row[0] == "actions" and row[8] == ["v", "1", "incident", "i1", "trace", ""]


def test_release_when_the_wake_up_is_anothers(library):
    wake_up = opened(library)
    fence = library.take("i1")[1]
    library.redis.xclaim(key("actions"), GROUP, "c2", 0, [wake_up])
    assert library.release("i1", fence, wake_up, left=1) == 1
    assert delivery(library, wake_up, "actions")[0] == "c2"


def test_finish_writes_and_releases(library):
    wake_up = opened(library)
    fence = library.take("i1")[1]
    library.redis.rpush(key("incident:i1:inbox"), "late")
    assert library.finish("i1", fence, "1:a", wake_up, done=1, timeline="opened",
                          fields={"step": "done"}) == 0
    assert library.redis.hget(key("incident:i1"), "step") == "done"
    assert inbox(library, "i1") == ["late"] and library.pending("actions") == 1
    # The answer was lost: nothing is taken off twice.
    assert library.finish("i1", fence, "1:a", wake_up, done=1, timeline="opened") == 0
    assert inbox(library, "i1") == ["late"]
    for _ in range(2):
        assert library.finish("i1", fence, "2:a", wake_up, done=1, timeline="noted") == 1
    assert inbox(library, "i1") == [] and library.redis.xlen(key("actions")) == 0
    assert library.redis.lrange(key("incident:i1:timeline"), 0, -1) == ["opened", "noted"]
    assert library.redis.hget(key("incident:i1"), "owner") == ""
    refused(library.finish, "i1", fence, "3:a", wake_up, match="STALE")


def test_finish_can_put_off_and_drop_the_group(library):
    wake_up = opened(library)
    fence = library.take("i1")[1]
    assert library.finish("i1", fence, "1:a", wake_up, delay=60000, done=1, group="drop",
                          group_key="group:acme:g-i1", fields={"state": "closed"}) == 1
    assert library.redis.zcard(key("deferred")) == 1 and library.pending("actions") == 0
    assert int(library.redis.hget(key("incident:i1"), "wake_ms")) > 0
    assert not library.redis.exists(key("group:acme:g-i1"))


@pytest.mark.parametrize("spoiled", ["incident:i1:inbox", "incident:i1:timeline", "deferred",
                                     "group:acme:g-i1:previous"])
def test_finish_wrong_type_writes_nothing(library, spoiled):
    wake_up = opened(library)
    fence = library.take("i1")[1]
    library.redis.delete(key(spoiled))
    library.redis.hset(key(spoiled), "a", "b")
    before = snapshot(library.redis)
    refused(library.finish, "i1", fence, "1:a", wake_up, delay=1, done=1, timeline="x",
            group="drop", group_key="group:acme:g-i1", match="WRONGTYPE")
    assert snapshot(library.redis) == before


def test_finish_of_an_older_owner_changes_nothing(library):
    wake_up = opened(library)
    old = library.take("i1", "w1")[1]
    library.redis.hset(key("incident:i1"), "owner_until", "1")
    library.take("i1", "w2")
    before = snapshot(library.redis)
    refused(library.finish, "i1", old, "1:a", wake_up, done=1, timeline="x", match="STALE")
    assert snapshot(library.redis) == before


# ---- accounts


def test_no_limits_no_trouble_is_free_for_a_second(library):
    assert library.enter() == ["entered", 0, 1000, ""]
    assert not library.redis.exists("tocsin:account:acme.sn")


def test_slots_are_shared_and_expire(library):
    assert library.enter(token="a", in_flight=2)[0] == "entered"
    assert library.enter(token="b", in_flight=2, slot_ttl=60)[0] == "entered"
    assert library.enter(token="c", in_flight=2)[0] == "busy"
    library.leave("neutral", token="a")
    assert library.enter(token="c", in_flight=2)[0] == "entered"
    assert library.enter(token="d", in_flight=2)[0] == "busy"
    time.sleep(0.08)  # b died
    assert library.enter(token="d", in_flight=2)[0] == "entered"


def test_budget_keeps_a_reserve_for_what_matters(library):
    def count(klass):
        taken = 0
        while library.enter(klass=klass, per_hour=3600, burst=10)[0] == "entered":
            taken += 1
        return taken

    assert count(3) == 5  # polling leaves half
    assert count(2) == 3  # opening leaves a fifth
    assert count(1) == 2
    answer = library.enter(klass=1, per_hour=3600, burst=10)
    assert answer[0] == "budget" and 0 < answer[1] <= 1000
    library.redis.hset("tocsin:account:acme.sn", "tokens_ms", "1")
    assert count(1) == 10  # never more than the burst


def test_breaker_opens_probes_and_closes(library):
    name = "tocsin:account:acme.sn"
    for _ in range(4):
        assert library.leave("transient") == "same"
    assert library.leave("ok") == "same"
    for _ in range(4):
        assert library.leave("transient") == "same"
    assert library.leave("transient", permille=500) == "opened"
    answer = library.enter()
    assert answer[0] == "broken" and 44000 < answer[1] <= 45000
    until = library.redis.hget(name, "open_until")
    assert library.leave("transient") == "same"  # a straggler from before it opened
    assert library.redis.hget(name, "open_until") == until
    # One probe when its time has come
    library.redis.hset(name, "open_until", "1")
    assert library.enter()[0] == "probe"
    assert library.enter()[0] == "broken"
    assert library.leave("transient", probe=1) == "same"
    assert 29000 < library.enter()[1]
    library.redis.hset(name, mapping={"open_until": "1", "probe_ms": "1"})
    assert library.enter()[0] == "probe"
    assert library.leave("ok") == "same"  # a call from before it opened decides nothing
    assert library.enter()[0] == "broken"
    assert library.leave("ok", probe=1) == "closed"
    assert library.enter()[0] == "entered"


def test_retry_after_closes_the_account(library):
    assert library.leave("transient", retry=50000) == "same"
    answer = library.enter()
    assert answer[0] == "paused" and 49000 < answer[1] <= 50000
    library.leave("transient", retry=1000)
    assert library.enter()[1] > 40000  # never shortened
    library.redis.hset("tocsin:account:acme.sn", "paused_until", "1")
    assert library.enter()[0] == "entered"


def test_account_fault_parks_once_and_a_probe_resumes(library):
    name = "tocsin:account:acme.sn"
    assert library.leave("fault", reason="401 from ServiceNow") == "parked"
    assert library.leave("fault", reason="401 again") == "same"
    answer = library.enter()
    assert answer[0] == "parked" and answer[3] == "401 from ServiceNow" and answer[1] > 50000
    library.redis.hset(name, "probe_ms", "1")
    assert library.enter(in_flight=1, token="p")[0] == "probe"
    assert library.enter()[0] == "parked"
    assert library.leave("fault", token="p", probe=1, reason="still") == "same"
    assert library.enter()[3] == "still"
    library.redis.hset(name, "probe_ms", "1")
    assert library.enter()[0] == "probe"
    assert library.leave("ok") == "same"
    assert library.leave("ok", probe=1) == "resumed"
    assert library.enter()[0] == "entered"


def test_operators_park_and_resume(library):
    name = ["tocsin:account:acme.sn"]
    assert library.call("account_park", name, "maintenance", 60000) == 1
    assert library.call("account_park", name, "maintenance", 60000) == 0
    assert library.enter()[0] == "parked"
    assert library.call("account_resume", name) == 1
    assert library.call("account_resume", name) == 0
    assert library.enter()[0] == "entered"


def test_operators_reason_stays_until_they_resume(library):
    """Calls that were under way, or that parked it before, must not make it one that a probe may
    resume."""
    name = ["tocsin:account:acme.sn"]
    library.leave("fault", reason="acme.sn: create: answered 403")
    assert library.call("account_park", name, "until resumed: no company", 60000) == 1
    library.leave("fault", reason="acme.sn: search: answered 401")
    assert library.enter()[3] == "until resumed: no company"


def test_account_of_the_wrong_type_or_without_right(library, as_user):
    library.redis.set("tocsin:account:acme.sn", "x")
    refused(library.enter, match="WRONGTYPE")
    user = as_user("~tocsin:account:*", "+fcall", "+time", "+type", "+hgetall", "+hset")
    refused(user.leave, "ok", account="other", match=NO_RIGHT)


# ---- dead letters, housekeeping


def test_replay_brings_back_only_where_it_came_from(library):
    entry = library.add("raw", customer="acme")
    library.read("raw")
    library.settle((entry, "b", "seen:1", "", "bad", {}))
    dead_id = library.redis.xrange(key("dead"))[0][0]
    refused(library.call, "dead_replay", [key("dead"), key("closures")], dead_id, 1000,
            match="REFUSED")
    assert library.call("dead_replay", [key("dead"), key("raw"), key("seen:1")], dead_id, 1000) == 1
    assert library.body("raw") == [{"customer": "acme"}]
    assert library.redis.get(key("seen:1")) == "queued"
    assert library.redis.xlen(key("dead")) == 0
    assert library.call("dead_replay", [key("dead"), key("raw")], dead_id, 1000) == 0


def test_prune_leaves_who_holds_something(library):
    library.add("raw")
    library.read("raw", consumer="holder")
    library.redis.xgroup_createconsumer(key("raw"), GROUP, "empty")
    assert library.call("consumers_prune", [key("raw")], GROUP, 60000) == 0
    assert library.call("consumers_prune", [key("raw")], GROUP, 0) == 1
    names = [c["name"] for c in library.redis.xinfo_consumers(key("raw"), GROUP)]
    assert names == ["holder"] and library.pending("raw") == 1


def test_functions_survive_flushall_and_restart(library, redis_server):
    library.redis.flushall()
    assert library.call("version", []) >= 1
    redis_server.restart()
    assert Library(redis_server.client).call("version", []) >= 1


__all__ = ["flat"]
