"""Calls of the function library as the C wrappers make them, for tests that look inside Redis."""
import pathlib

import redis

SOURCES = pathlib.Path(__file__).parents[2] / "common" / "bus"
PARTS = ("functions.lua", "functions_queue.lua", "functions_intake.lua", "functions_incident.lua",
         "functions_closing.lua", "functions_account.lua", "functions_containment.lua",
         "functions_rules.lua", "functions_mail.lua", "functions_retention.lua")
GROUP = "tocsin"
STREAMS = ("raw", "findings", "closures", "orders", "actions")
TAG = "tocsin:{p0}:"


def key(name):
    return TAG + name


def flat(fields):
    return [part for pair in fields.items() for part in pair]


def counted(fields):
    return [len(fields), *flat(fields)]


class Library:
    """One connection that calls functions; also what setup does, for tests without setup."""

    def __init__(self, url_or_client):
        self.redis = url_or_client

    def install(self):
        text = "".join((SOURCES / part).read_text() for part in PARTS)
        self.redis.function_load(text, replace=True)
        for name in STREAMS:
            self.redis.xgroup_create(key(name), GROUP, id="0", mkstream=True)
        for name in ("dead", "activity"):
            self.redis.xgroup_create(key(name), "setup", id="0", mkstream=True)
            self.redis.xgroup_destroy(key(name), "setup")
        return self

    def call(self, name, keys, *args):
        return self.redis.fcall(name, len(keys), *keys, *args)

    def read(self, stream, consumer="c1", count=100):
        got = self.redis.xreadgroup(GROUP, consumer, {key(stream): ">"}, count=count)
        return [entry_id for entry_id, _ in got[0][1]] if got else []

    def add(self, stream, **fields):
        return self.redis.xadd(key(stream), fields or {"f": "v"})

    def pending(self, stream):
        return self.redis.xpending(key(stream), GROUP)["pending"]

    def body(self, stream):
        return [fields for _, fields in self.redis.xrange(key(stream))]

    # ---- as settle.c builds it

    def settle(self, *items, consumer="c1", stream="raw", out="findings", ttl=60000):
        """items: (id, outcome, fate name or None, fate, reason, fields)"""
        keys, args = [key(stream), key(out), key("dead")], [GROUP, consumer, ttl]
        for entry, outcome, fate_key, fate, reason, fields in items:
            if fate_key:
                keys.append(key(fate_key))
            args += [entry, outcome, len(keys) if fate_key else 0, fate, reason, *counted(fields)]
        return self.call("settle", keys, *args)

    def settle_keep(self, *items, count=100, span=60000):
        """items: (id, outcome, fields)"""
        keys, args = [key("raw"), key("findings"), key("dead"), key("recent")], [GROUP, "c1", 1000]
        args += [count, span]
        for entry, outcome, fields in items:
            keys.append(key(f"seen:acme:se:{entry}"))
            args += [entry, outcome, len(keys), "fate", "", *counted(fields)]
        return self.call("settle_keep", keys, *args)

    def publish(self, *ids, consumer="c1", fate=True):
        return self.settle(*[(i, "p", f"seen:acme:se:{i}" if fate else None, "done", "",
                              {"uid": i}) for i in ids], consumer=consumer)

    def defer(self, entry, delay=0, counted=1, reason="later", consumer="c1", stream="raw"):
        return self.call("defer", [key(stream), key("deferred")], GROUP, consumer, entry, delay,
                         counted, reason)

    def wake(self, *streams, most=100, offset=0):
        return self.call("wake", [key("deferred"), *map(key, streams or ("raw",))], most, offset)

    def commit(self, token, events, last=1, cursor=None, counter="", lease="lease:acme:se"):
        fields = []
        for event in events:
            fields += counted({"customer": "acme", "payload": event})
        return self.call("commit_page",
                         [key(lease), key("cursor:acme:se"), key("raw"),
                          *[key(f"seen:acme:se:{event}") for event in events]],
                         token, last, 60000, counter, *counted(cursor or {}), *fields)

    def lease(self, owner, ttl=60000, name="acme:se"):
        return self.call("lease_take", [key(f"lease:{name}"), key(f"fence:{name}")], owner, ttl)

    def claim(self, *findings, consumer="c1"):
        """findings: (entry id, group, candidate) or with a dict of overrides as the fourth"""
        keys, args = [key("findings"), key("actions")], [GROUP, consumer, 60000, key("incident:")]
        for entry, group, candidate, *more in findings:
            own = more[0] if more else {}
            keys += [key(f"group:acme:{group}"), key(f"seen:acme:se:{entry}")]
            group_at, fate_at, subject_at = len(keys) - 1, len(keys), 0
            if "subject" in own:
                keys.append(key(f"seen:acme:se:{own['subject']}"))
                subject_at = len(keys)
            storm_at = len(keys) + 1 if "limit" in own else 0
            if storm_at:
                keys += [key("storm:acme:r1"), key("group:acme:storm")]
            args += [entry, group_at, fate_at, subject_at, storm_at, candidate,
                     own.get("open", f"open {entry}"), own.get("note", f"note {entry}"),
                     f"summary {entry}", own.get("severity", 3), own.get("limit", 0),
                     own.get("span", 3600000), own.get("recorded", "recorded"),
                     *counted({"customer": "acme", "uid": entry})]
            if storm_at:
                args += [own.get("summary", f"s{entry}"), *counted({"customer": "acme", "storm": "r1"})]
        return self.call("group_claim", keys, *args)

    def take(self, incident, owner="w1", ttl=60000):
        return self.call("incident_take", [key(f"incident:{incident}"),
                                           key(f"incident:{incident}:inbox")], owner, ttl)

    def journal(self, incident, fence, mark, owner="w1", done=0, timeline="", group="keep",
                group_key=None, fields=None, remove=()):
        keys = [key(f"incident:{incident}"), key(f"incident:{incident}:inbox"),
                key(f"incident:{incident}:timeline")]
        if group_key:
            keys.append(key(group_key))
        return self.call("journal", keys, owner, fence, 60000, mark, done, timeline, group,
                         incident, 60000, *counted(fields or {}), *remove)

    def release(self, incident, fence, entry, owner="w1", consumer="c1", delay="", left=0):
        return self.call("incident_release",
                         [key(f"incident:{incident}"), key(f"incident:{incident}:inbox"),
                          key("actions"), key("deferred")],
                         owner, fence, GROUP, consumer, entry, delay, 0, "waits", left)

    def finish(self, incident, fence, mark, entry, owner="w1", consumer="c1", delay="", left=0,
               done=0, timeline="", group="keep", group_key=None, fields=None):
        keys = [key(f"incident:{incident}"), key(f"incident:{incident}:inbox"),
                key(f"incident:{incident}:timeline"), key("actions"), key("deferred")]
        if group_key:
            keys.append(key(group_key))
        return self.call("incident_finish", keys, GROUP, consumer, entry, delay, 0, "waits", left,
                         owner, fence, 60000, mark, done, timeline, group, incident, 60000,
                         *counted(fields or {}))

    def enter(self, account="acme.sn", token="t1", klass=2, per_hour=0, burst=1, in_flight=0,
              slot_ttl=60000, interval=60000):
        return self.call("account_enter", [f"tocsin:account:{account}"], token, klass, per_hour,
                         burst, in_flight, slot_ttl, interval)

    def leave(self, outcome, account="acme.sn", token="t1", retry=0, reason="", probe=0, limit=5,
              least=30000, most=300000, permille=0, interval=60000):
        return self.call("account_leave", [f"tocsin:account:{account}"], token, outcome, retry,
                         reason, probe, limit, least, most, permille, interval)


def snapshot(client):
    """Everything that is stored, to show that a refused call wrote nothing."""
    return {name: client.dump(name) for name in client.keys("*")}


__all__ = ["GROUP", "Library", "counted", "flat", "key", "redis", "snapshot"]
