"""What deploy/redis/users.acl grants: with it each process's functions work, and what belongs to another
kind of process stays out of its reach."""
import json
import fnmatch
import pathlib
import time

import pytest

from functions import GROUP, Library, counted, key, redis, snapshot
from harness import wait_until
from harness.events import threat_detected

PART = "tocsin:{p*}:"


def granted():
    """The users of deploy/redis/users.acl: name and rules, without the password."""
    users = {}
    for line in (pathlib.Path(__file__).parents[2] / "deploy/redis/users.acl").read_text().splitlines():
        words = line.split()
        if words[:1] == ["user"]:
            rules = users.setdefault(words[1], words[4:])
        elif words and not line.startswith("#"):
            rules.extend(words)
    return users


USERS = granted()
# Those that work on streams.
ROLES = {name: USERS[name] for name in ("collector", "normalizer", "incident", "callback")}


@pytest.fixture
def role(as_user):
    return lambda name: as_user(*ROLES[name])


def denied(call, *args, **kwargs):
    with pytest.raises((redis.exceptions.NoPermissionError, redis.exceptions.ResponseError),
                       match="may not run|can't run|permission|can't access|ACL failure"):
        call(*args, **kwargs)


def work(user, library, stream, out):
    """Everything a worker thread and its keeper do with a stream."""
    ids = [library.add(stream, n=str(n)) for n in range(6)]
    assert len(user.read(stream)) == 6
    assert user.settle((ids[0], "p", "seen:1", "queued", "", {"a": "b"}),
                       (ids[1], "b", "seen:2", "", "bad", {}), stream=stream, out=out) == [1, 1]
    assert user.defer(ids[2], stream=stream) == 1
    assert user.wake(stream) == [1, 0]
    assert user.call("heartbeat", [key(stream)], GROUP, 1, "c1", 1, ids[3]) == [1]
    assert user.call("release", [key(stream)], GROUP, "c1", ids[3]) == 1
    assert user.redis.xpending_range(key(stream), GROUP, "-", "+", 10, idle=1000)
    assert user.redis.xclaim(key(stream), GROUP, "c2", 1000, [ids[3]])
    assert user.call("bury", [key(stream), key("dead"), key("seen:5")], GROUP, ids[5], 1, 0, 1000) \
        == 1
    assert user.call("version", []) >= 1
    assert user.redis.hget(key("meta"), "generation") is None


def test_normalizer(role, library):
    user = role("normalizer")
    work(user, library, "raw", "findings")
    entry = library.add("raw")
    user.read("raw")
    assert user.settle_keep((entry, "p", {"a": "b"})) == [1]
    assert user.call("rule_hits", [key("rules")], "a", 1, 1, "x", "") == 1
    for stream in ("closures", "actions"):
        denied(user.add, stream)
    entry = library.add("raw")
    user.read("raw")
    before = snapshot(library.redis)
    denied(user.settle, (entry, "p", None, "", "", {"a": "b"}), out="closures")
    denied(user.redis.hgetall, "tocsin:customers")
    denied(user.redis.hget, "tocsin:account:acme", "parked")
    denied(user.redis.hset, key("meta"), "generation", "x")
    denied(user.redis.get, key("incident:i1"))
    assert user.redis.hgetall("tocsin:programs") == {}
    denied(user.redis.hset, "tocsin:programs", "source:x", "empty")
    denied(user.redis.hdel, "tocsin:programs", "#version")
    assert snapshot(library.redis) == before


def test_collector(role, library):
    user = role("collector")
    assert user.lease("w1") == [1, "w1:1"]
    assert user.commit("w1:1", ["a", "b"], cursor={"mark": "1"}, counter="events") == [1, 1]
    assert user.call("lease_renew", [key("lease:acme:se")], "w1:1", 0) == 1
    assert user.enter(in_flight=2, per_hour=10, burst=5)[0] == "entered"
    assert user.leave("fault", reason="401") == "parked"
    assert user.redis.hgetall("tocsin:customers") == {}
    denied(user.redis.hset, "tocsin:customers", "acme", "{}")
    for stream in ("findings", "closures", "actions"):
        denied(user.add, stream)
    denied(user.read, "raw")
    denied(user.redis.delete, key("raw"))
    denied(user.redis.pexpire, key("raw"), 1)


def test_incident(role, library):
    user = role("incident")
    work(user, library, "findings", "actions")
    entry = library.add("findings")
    assert entry in user.read("findings")
    assert user.claim((entry, "g1", "i1")) == [["opened", "i1"]]
    wake_up = user.read("actions")[-1]
    fence = user.take("i1")[1]
    assert user.journal("i1", fence, "1:a", done=1, timeline="x", fields={"a": "b"},
                        remove=("uid",), group="drop", group_key="group:acme:g1") == 1
    assert user.release("i1", fence, wake_up, delay=10) == 1
    assert user.wake("actions") in ([0, 0], [1, 0])
    entry = library.add("findings")
    user.read("findings")
    assert user.claim((entry, "g1", "i2", {"limit": 1})) == [["opened", "i2"]]
    wake_up = user.read("actions")[-1]
    fence = user.take("i2")[1]
    names = ("incident:i2", "incident:i2:inbox", "incident:i2:timeline", "actions", "deferred")
    assert user.call("incident_finish", [key(name) for name in names], GROUP, "c1", wake_up, 1000, 0,
                     "waits", 0, "w1", fence, 60000, "1:a", 1, "done", "keep", "i2", 1,
                     *counted({"a": "b"}), "uid") == 1
    # What came after its ticket was closed goes back to where it came from.
    assert user.call("append", [key("findings")], 1000, 0, "", 0, 0, *counted({"n": "1"})) == [0]
    assert user.call("account_park", ["tocsin:account:acme"], "x", 1000) == 1
    assert user.call("account_resume", ["tocsin:account:acme"]) == 1
    # Closing: what is said, whose hosts wait, who is asked, who reads which instance.
    entry = library.add("closures")
    assert user.read("closures") == [entry]
    assert user.call("closure_take", [key(name) for name in ("actions", "open", "incident:i2",
                                                              "incident:i2:inbox", "closures")],
                     "i2", "item", GROUP, "c1", entry, 0) == "taken"
    assert user.call("closure_take", [key(name) for name in ("actions", "open", "incident:i3",
                                                              "incident:i3:inbox")],
                     "i3", "item", GROUP, "", "", 1, "state", "open") == "taken"
    assert user.call("release_gate", [key("releases:acme"), key("asks:acme")], "i2", 1000, 0, "x") == [0, 1]
    assert user.redis.hkeys(key("asks:acme")) == ["i2"] and user.redis.hdel(key("asks:acme"), "i2") == 1
    assert user.redis.sadd(key("waits:" + "f" * 32), "i2") == 1
    assert user.redis.scard(key("waits:" + "f" * 32)) == 1
    assert user.redis.smembers(key("waits:" + "f" * 32)) == {"i2"}
    assert user.redis.pexpire(key("waits:" + "f" * 32), 1000) and user.redis.srem(key("waits:" + "f" * 32), "i2")
    assert user.redis.zcard(key("open")) == 3 and user.redis.zrange(key("open"), 0, 1)
    assert user.redis.hmget(key("incident:i2"), "state", "customer") and user.redis.zrem(key("open"), "i2")
    assert user.lease("w1", name="reconcile:snow") == [1, "w1:1"]
    assert user.call("lease_renew", [key("lease:reconcile:snow")], "w1:1", 0) == 1
    denied(user.add, "raw")
    denied(user.redis.delete, key("findings"))
    denied(user.redis.hset, "tocsin:customers", "acme", "{}")


def test_callback_may_only_append(role, library):
    user = role("callback")
    assert user.call("append", [key("closures"), key("nonce:1")], 1000, 2, "x", 1000, 0,
                     *counted({"incident": "i1"})) == [0]
    assert user.call("append", [key("raw"), key("seen:1")], 1000, 0, "", 0, 2,
                     *counted({"payload": "{}"})) == [0]
    # The alarm on a clone, into the live feed.
    library.redis.xadd(key("activity"), {"a": "b"})
    assert user.call("append", [key("activity"), key("nonce:clone")], 1000, 2, "", 1000, 0,
                     *counted({"kind": "alarm"})) == [0]
    for stream in ("findings", "actions", "dead"):
        denied(user.add, stream)
    denied(user.read, "raw")
    denied(user.redis.xdel, key("raw"), "1-1")
    denied(user.redis.xdel, key("activity"), "1-1")
    denied(user.redis.set, key("activity"), "x")
    denied(user.redis.xtrim, key("raw"), 0)
    # What it may write, it may not write over its streams.
    denied(user.redis.set, key("raw"), "x")
    denied(user.redis.set, key("closures"), "x")
    denied(user.redis.xadd, key("seen:2"), {"a": "b"})
    denied(user.redis.hgetall, "tocsin:customers")
    denied(user.redis.hgetall, "tocsin:account:now")
    denied(user.redis.get, key("seen:1"))
    denied(user.redis.get, key("incident:i1"))
    # Its own credentials are there to be read.
    library.redis.hset("tocsin:callback:credentials", "#version", "1")
    assert user.redis.hget("tocsin:callback:credentials", "#version") == "1"
    assert user.redis.hgetall("tocsin:callback:credentials") == {"#version": "1"}
    denied(user.redis.hset, "tocsin:callback:credentials", "#version", "2")
    user.redis.hget(key("meta"), "generation")
    denied(user.redis.hset, key("meta"), "generation", "x")


@pytest.mark.parametrize("name", ROLES)
def test_nobody_may_change_the_machinery(role, name):
    user = role(name)
    for command in (["FUNCTION", "LOAD", "REPLACE", "#!lua name=x"], ["EVAL", "return 1", "0"],
                    ["XGROUP", "DESTROY", key("raw"), GROUP], ["FLUSHALL"],
                    ["CONFIG", "SET", "maxmemory", "1"], ["ACL", "LIST"], ["KEYS", "*"],
                    ["XTRIM", key("raw"), "MAXLEN", "0"]):
        denied(user.redis.execute_command, *command)


@pytest.fixture
def users(system):
    """Every user of the file, in the system's Redis."""
    for name, rules in USERS.items():
        if name != "default":
            system.redis.client.execute_command("ACL", "SETUSER", name, "on", ">pw", "resetchannels", *rules)
    return lambda name: {"TOCSIN_REDIS_USER": name, "TOCSIN_REDIS_PASSWORD": "pw"}


def test_the_processes_need_no_more(system, users):
    """Each with its user: the story works, the client's commands too, and Redis refused nobody anything."""
    client = system.redis.client
    system.servicenow()
    system.threat_response()
    system.customer("acme")
    (system.config / "sources").mkdir()
    (system.config / "sources/web.jq").write_text("null")
    (system.config / "rules.json").write_text(json.dumps({"rules": [
        {"name": "asked", "owner": "me", "when": ".finding.device > (1 | error)", "suppress": True},
        {"name": "storm", "owner": "me", "storm": {"limit": 2}},
        {"name": "quiet", "owner": "me", "hosts": ["WS-04711*"], "suppress": True}]}))
    for name in ("setup", "collector", "normalizer", "incident"):
        system.service(name, TOCSIN_RECONCILE_INTERVAL="300ms", **users(name))
    problems = [threat_detected(number) for number in range(3)]
    system.emit("acme", problems)
    try:
        wait_until(lambda: system.settled("acme", problems), 40, "the incidents are open")
        client.xadd(system.key_name("raw"), {"v": "1", "customer": "acme", "payload": "not ours"})
        client.xadd(system.key_name("raw"), {
            "v": "1", "customer": "acme", "source": "web", "event_id": "w1", "observed_ms": "1763749001000",
            "trace": "", "asked": "", "payload": "{}"})
        wait_until(lambda: system.fate("acme", "w1", "web") == "skipped:by the source's program", 20,
                   "a program has run")
        wait_until(lambda: system.length("dead") == 1, 20, "an entry is dead")
        operate(system, users("operator"), problems[0]["id"])
        wait_until(lambda: system.drained() and not system.length("dead"), 20, "nothing is left to do")
    finally:
        refusals = client.execute_command("ACL", "LOG")
        assert not refusals, [dict(zip(r[::2], r[1::2])) if isinstance(r, list) else r for r in refusals]
    # A restart in mid-work uses what else there is: take-over, release, history.
    system.stop()
    assert not client.execute_command("ACL", "LOG")


def test_a_canary_needs_no_more_than_the_operator_has(system, users):
    client = system.redis.client
    system.servicenow()
    system.customer("acme", xdr=None)
    for name in ("setup", "normalizer", "incident"):
        system.service(name, TOCSIN_RECONCILE_INTERVAL="300ms", **users(name))
    wait_until(lambda: client.hexists("tocsin:customers", "acme"), 20, "the customer is known")
    (row,) = system.tocsin("canary", "snow-main", expect=4, **users("operator"))["canaries"]
    assert "not the callback but the reconciler noticed" in row["missing"]
    assert not client.execute_command("ACL", "LOG")


def test_setup_says_which_right_is_missing(system, users):
    """Right by right, as Redis itself sees it."""
    client = system.redis.client
    found = system.tocsin("setup", **users("setup"))["rights"]
    assert found == {"rights": "granted", "checked": found["checked"], "missing": []} and found["checked"] > 1000
    client.execute_command("ACL", "SETUSER", "callback", "-xadd", "clearselectors")
    client.execute_command("ACL", "DELUSER", "operator")
    found = system.tocsin("setup", expect=4, **users("setup"))["rights"]
    assert "Redis's user callback may not run xadd on tocsin:{p0}:raw" in found["missing"]
    assert "Redis has no user operator" in found["missing"]
    assert not any("incident" in line for line in found["missing"])
    keeper = system.start("setup", **users("setup"))
    wait_until(lambda: keeper.metric("tocsin_setup_missing_rights") == len(found["missing"]), 10, "it says how many")
    assert "callback may not run xadd on tocsin:{p0}:closures" in keeper.tail(100000)
    # Who may not ask is told so.
    client.execute_command("ACL", "SETUSER", "setup", "-acl|dryrun")
    assert "may not run acl|dryrun" in system.tocsin("setup", **users("setup"))["rights"]["rights"]


def test_without_users_of_ours_there_is_nothing_to_check(system):
    found = system.tocsin("setup")["rights"]
    assert found == {"rights": "not checked: Redis has none of our users", "checked": 0, "missing": []}


# ---- every user, every command of Redis, every kind of key

# One of each kind of key, with one of a partition that is not there and some that are nobody's.
KINDS = [key(kind) for kind in (
    "raw", "findings", "closures", "actions", "dead", "activity", "recent", "deferred", "seen:acme:se:1",
    "cursor:acme:se", "nonce:push:acme:1", "lease:acme:se", "fence:acme:se", "collectors", "collector:c1",
    "group:acme:g1", "host:acme:m1", "host:acme:m1:record", "ceiling:acme", "freeze", "containment:hosts",
    "storm:acme:r1", "rules", "incident:i1", "incident:i1:inbox", "open", "waits:s1", "releases:acme", "asks:acme",
    "mail:acme", "meta", "backup", "other")] + [
    "tocsin:customers", "tocsin:programs", "tocsin:callback:credentials", "tocsin:account:xdr", "tocsin:other", "other",
    "tocsin:{p7}:raw"]
WORDS = {"fcall": ["version", "1", "KEY"], "fcall_ro": ["version", "1", "KEY"], "eval": ["return 1", "1", "KEY"],
         "xreadgroup": ["GROUP", "g", "c", "STREAMS", "KEY", ">"], "xread": ["STREAMS", "KEY", "0"],
         "object|encoding": ["KEY"], "sort": ["KEY"], "migrate": ["h", "1", "KEY", "0", "1"]}


def selectors(rules):
    """[(commands, [(pattern, read only)])] of a user's rules: its own, then those in brackets."""
    own, found, inner = (set(), []), [], None
    for word in rules:
        if word.startswith("("):
            inner = (set(), [])
        grant = inner if inner is not None else own
        bare = word.strip("()")
        if bare.startswith("+"):
            grant[0].add(bare[1:])
        elif bare.startswith("%R~"):
            grant[1].append((bare[3:], True))
        elif bare.startswith("~"):
            grant[1].append((bare[1:], False))
        if word.endswith(")"):
            found.append(inner)
            inner = None
    return [own, *found]


def matches(pattern, name):
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def commands(client):
    """{name: (words after it with KEY in the key's place, needs to read, needs to write)} of all of Redis."""
    known = {}

    def add(info):
        name, arity, first, specs = info[0], info[1], info[3], info[8]
        for sub in info[9]:
            add(sub)
        if info[9]:
            return
        head = name.split("|")[0]
        words = WORDS.get(name, WORDS.get(head))
        if words is None:
            count = max(abs(arity), first + 1) - 1 - name.count("|")
            words = ["1"] * count
            if first > 0:
                words[first - 1 - name.count("|")] = "KEY"
        flags = {flag for spec in specs for flag in dict(zip(spec[::2], spec[1::2]))["flags"]}
        known[name] = (words, "access" in flags, bool(flags & {"insert", "delete", "update"}))

    for info in client.execute_command("COMMAND", "INFO"):
        add(info)
    return known


def allowed(rules, name, words, kind, reads, writes):
    head = name.split("|")[0]
    if name in ("auth", "hello", "quit", "reset"):
        return True  # what any connection may do before it is anybody's
    for granted_commands, keys in selectors(rules):
        if not granted_commands & {name, head}:
            continue
        if "KEY" not in words:
            return True
        for pattern, read_only in keys:
            if matches(pattern, kind) and not (read_only and writes):
                return True
    return False


@pytest.mark.parametrize("name", [user for user in USERS if user != "default"])
def test_everything_else_is_refused(redis_server, name):
    """The whole of what Redis can do, on every kind of key: what the file grants works, and nothing else."""
    client = redis_server.client
    client.execute_command("ACL", "SETUSER", name, "on", ">pw", "resetchannels", *USERS[name])
    client.set_response_callback("COMMAND INFO", lambda answer, **_: answer)
    client.set_response_callback("COMMAND", lambda answer, **_: answer)
    known, asked, began = commands(client), [], time.monotonic()
    assert len(known) > 300
    batch = client.pipeline(transaction=False)
    for command, (words, reads, writes) in known.items():
        for kind in KINDS if "KEY" in words else KINDS[:1]:
            asked.append((command, kind, allowed(USERS[name], command, words, kind, reads, writes)))
            batch.execute_command("ACL", "DRYRUN", name, *command.split("|"),
                                  *[kind if word == "KEY" else word for word in words])
    wrong = [(command, kind, answer) for (command, kind, wanted), answer
             in zip(asked, batch.execute(raise_on_error=False)) if (answer == "OK") != wanted]
    assert not wrong, wrong[:20]
    print(f"{name}: {len(asked)} rights in {time.monotonic() - began:.1f} s")


def operate(system, env, event_id):
    """What a person does from day to day."""
    assert system.tocsin("status", expect=4, **env)["dead"]["count"] == 1
    assert len(system.tocsin("incident", "list", **env)["incidents"]) == 3
    number = system.tocsin("incident", "list", **env)["incidents"][0]["number"]
    system.tocsin("incident", "show", number, **env)
    system.tocsin("trace", str(event_id), **env)
    rules = {rule["name"]: rule for rule in system.tocsin("rules", "list", **env)["rules"]}
    assert rules["storm"]["matches"] == 3 and rules["asked"]["errors"] == 3
    assert system.tocsin("rules", "test", **env)["count"] == 3
    window = ("--customer", "acme", "--since", "1h")
    system.tocsin("collect", "--once", *window, "--dry-run", **env)
    system.tocsin("collect", "--once", *window, **env)
    system.tocsin("replay", *window, **env)
    system.tocsin("audit", *window, "--repair", **env)
    system.tocsin("account", "show", "xdr", **env)
    system.redis.client.hset("tocsin:account:xdr", "parked", "tried out")
    system.tocsin("account", "resume", "xdr", **env)
    system.tocsin("dead", "replay", "--all", **env)
    wait_until(lambda: system.length("dead") == 1, 20, "the entry is dead again")
    system.tocsin("dead", "drop", "--all", "--yes", **env)
    system.tocsin("incident", "close", number, "--verdict", "benign", **env)
    wait_until(lambda: system.tocsin("incident", "show", number, **env)["state"] == "closed", 20, "closed")
    system.tocsin("incident", "reopen", number, **env)
    wait_until(lambda: system.tocsin("incident", "show", number, **env)["state"] == "open", 20, "open again")
    system.tocsin("incident", "release", "--customer", "acme", **env)
    wait_until(lambda: system.length("closures") == 0, 20, "said")


__all__ = ["Library"]
