"""Who holds a host, who acts on it, ceiling and freeze: functions_containment.lua."""
import pytest

from functions import key, redis, snapshot
from test_rights import USERS

HOST = "host:acme:m1"


class Hosts:
    """The functions as bus/containment.c calls them."""

    def __init__(self, library):
        self.library = library
        self.redis = library.redis

    def call(self, name, incident, method, *args, machine="m1", keys=(), ttl=60000):
        names = (f"host:acme:{machine}", f"host:acme:{machine}:record", "containment:hosts", *keys)
        return self.library.call(name, [key(n) for n in names], incident, method, f"acme {machine}",
                                 ttl, *args)

    def hold(self, incident, method="isolate", unasked=1, per_hour=10, move=("", ""), **more):
        return self.call("host_hold", incident, method, "acme", unasked, per_hour, *move,
                         keys=("ceiling:acme", "freeze"), **more)

    def join(self, incident, method="isolate", **more):
        return self.call("host_join", incident, method, **more)

    def settle(self, incident, keep, method="isolate", **more):
        return self.call("host_settle", incident, method, keep, **more)

    def unhold(self, incident, method="isolate", **more):
        return self.call("host_unhold", incident, method, **more)

    def holders(self):
        return self.redis.smembers(key(HOST))


@pytest.fixture
def hosts(library, as_user):
    return Hosts(as_user(*USERS["incident"]))


def test_two_incidents_hold_one_host(hosts, library):
    assert hosts.hold("a") == ["granted", ""]
    assert hosts.hold("a") == ["granted", ""], "a repetition answers the same"
    assert hosts.join("b") == ["busy", "a"], "while a acts nobody joins"
    assert hosts.settle("a", 1) == 1
    assert hosts.join("b")[0] == "granted"
    assert hosts.holders() == {"isolate a", "isolate b"}
    assert hosts.unhold("a") == ["shared", "b"]
    assert hosts.unhold("b") == ["granted", ""]
    assert hosts.join("c") == ["busy", "b"], "nobody joins what is being released"
    assert hosts.settle("b", 0) == 1
    assert hosts.settle("b", 0) == 1
    assert not library.redis.exists(key(HOST), key(HOST + ":record"), key("containment:hosts"))


def test_an_act_ends_with_its_time(hosts):
    assert hosts.hold("a", ttl=1)[0] == "granted"
    while hosts.hold("b")[0] != "granted":
        pass
    assert hosts.unhold("a") == ["busy", "b"]


def test_methods_are_held_apart(hosts):
    hosts.hold("a")
    hosts.settle("a", 1)
    assert hosts.hold("a", "move_group", move=("g1", "triage")) == ["granted", "g1"]
    hosts.settle("a", 1, "move_group")
    assert hosts.join("b", "move_group") == ["granted", "g1"], "knows where it came from"
    assert hosts.unhold("a")[0] == "granted", "b does not hold the isolation"
    hosts.settle("a", 0)
    assert hosts.unhold("a", "move_group") == ["shared", "b"]
    assert hosts.unhold("b", "move_group") == ["granted", "g1"]
    hosts.settle("b", 0, "move_group")
    assert hosts.holders() == set()


def test_ceiling_counts_an_incident_once(hosts):
    for incident in ("a", "a", "b"):
        assert hosts.hold(incident, per_hour=2, machine="m" + incident)[0] == "granted"
    assert hosts.hold("c", per_hour=2, machine="mc") == ["ceiling", "2"]
    assert hosts.hold("c", per_hour=2, machine="mc", unasked=0)[0] == "granted"
    assert hosts.hold("b", "move_group", per_hour=2, machine="mb")[0] == "granted"


@pytest.mark.parametrize("field, machine_held", [
    ("containment", False), ("containment:acme", False), ("containment:other", True),
    ("closing", True)])
def test_freeze(hosts, library, field, machine_held):
    library.redis.hset(key("freeze"), field, "1 jdoe")
    before = snapshot(library.redis)
    if machine_held:
        assert hosts.hold("a")[0] == "granted"
        return
    assert hosts.hold("a") == ["frozen", "jdoe"]
    assert snapshot(library.redis) == before
    assert hosts.hold("a", unasked=0)[0] == "granted", "a person's word is not automatic"


@pytest.mark.parametrize("wrong", [HOST, HOST + ":record", "containment:hosts", "ceiling:acme"])
def test_checks_come_before_writes(hosts, library, wrong):
    library.redis.lpush(key(wrong), "x")
    before = snapshot(library.redis)
    with pytest.raises(redis.exceptions.ResponseError):
        hosts.hold("a")
    assert snapshot(library.redis) == before
