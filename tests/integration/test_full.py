"""A full Redis: nothing comes in, and all that drains, stops something or is a person's order goes on."""
import json
import pathlib
import re

import pytest
import yaml
from functions import key, redis
from harness import wait_until
from harness.closing import FRESH, analysts, close
from harness.events import raw_fields, threat_detected
from test_incident import add, finding, incident, notes, tickets


ROOT = pathlib.Path(__file__).resolve().parents[2]


def fill(client, share):
    """From now on this much of maxmemory is used; beside it buffers of connections do not count."""
    client.setrange("ballast", 30 << 20, "x")
    client.config_set("maxmemory", int(client.info("memory")["used_memory"] / share))


@pytest.fixture(name="acme")
def fixture_acme(system):
    system.servicenow()
    analysts(system)
    system.customer("acme", xdr=None, closing=FRESH)
    system.apply()
    return system


def opened(system):
    system.start("incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    add(system, finding(1, group="a"))
    return wait_until(lambda: tickets(system) and system.drained() and tickets(system)[0], 20, "a ticket")


def copied(file):
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert rows[-1]["end"]
    return {row["key"] for row in rows[1:-1] if "key" in row}


def test_operators_are_not_locked_out(acme, tmp_path):
    ticket = opened(acme)
    fill(acme.redis.client, 1.3)
    status = acme.tocsin("status", expect=4)
    assert any("polling and pushing wait until there is room" in line for line in status["why"])
    acme.start("collector")
    wait_until(lambda: acme.tocsin("status", expect=4)["collectors"], 20, "a collector that waits is there")
    assert status["redis"]["memory_bytes"] > status["redis"]["limit_bytes"] > 0
    passing = "lease:", "fence:", "collector", "backup"
    before = set(acme.redis.client.keys("tocsin:*"))
    acme.tocsin("backup", str(tmp_path / "b"))
    lasting = {name for name in before & set(acme.redis.client.keys("tocsin:*"))
               if not name.startswith(tuple(map(key, passing)))}
    assert copied(tmp_path / "b") >= lasting
    acme.tocsin("freeze", "containment")
    acme.tocsin("unfreeze", "containment")
    acme.tocsin("customer", "pause", "acme")
    acme.apply()
    assert json.loads(acme.redis.client.hget("tocsin:customers", "acme"))["mode"] == "paused"
    acme.tocsin("customer", "resume", "acme")
    acme.apply()
    acme.tocsin("incident", "close", ticket["number"])
    wait_until(lambda: incident(acme)["state"] == "closed", 20, "the order is carried out")


def test_incidents_and_closings_go_on(acme):
    ticket = opened(acme)
    acme.stop()
    add(acme, *(finding(10 + n, group="a") for n in range(3)), finding(20, group="b"))
    fill(acme.redis.client, 1.05)
    acme.start("incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    wait_until(lambda: len(tickets(acme)) == 2 and acme.length("findings") == 0, 20, "the second ticket")
    wait_until(lambda: len(notes(acme.ticket("main", ticket["sys_id"]))) > 2, 20, "the later events are told")
    close(acme, ticket)
    wait_until(lambda: "closed" in {incident(acme, one.rsplit(":", 1)[1])["state"]
                                    for one in acme.redis.client.keys(key("incident:????????????????"))},
               20, "the reconciler closes it")


def refused(call, *args, **options):
    with pytest.raises(redis.exceptions.ResponseError, match="FULL"):
        call(*args, **options)


@pytest.mark.parametrize("share, raw, findings, incidents", [
    (0.75, True, True, True), (0.9, False, True, True), (1.05, False, True, True), (1.15, False, False, True),
    (1.3, False, False, False)])
def test_each_stage_stops_where_its_successors_have_room(library, share, raw, findings, incidents):
    """A finding is larger than what it was made of, an incident larger than its finding."""
    entry, skipped, found = library.add("raw"), library.add("raw"), library.add("findings")
    library.read("raw")
    library.read("findings")
    fill(library.redis, share)
    appended = [key("raw")], 1000, 0, "", 0, 0, 1, "a", "b"
    assert library.call("append", *appended) == [0] if raw else not refused(library.call, "append", *appended)
    publish = entry, "p", None, "", "", {"a": "b"}
    assert library.settle(publish) == [1] if findings else not refused(library.settle, publish)
    assert library.settle((skipped, "d", None, "", "", {})) == [1]
    claim = found, "g1", "i1"
    assert library.claim(claim) == [["opened", "i1"]] if incidents else not refused(library.claim, claim)
    # What was said of incidents is taken until it is full, and ours always is.
    closing = [key("closures")], *appended[1:]
    assert library.call("append", *closing) == [0] if share < 1 else not refused(library.call, "append", *closing)
    assert library.call("append", [key("findings")], *appended[1:]) == [0]


def test_what_waits_for_room_is_handed_back(acme):
    """The normalizer drops what it can, stops in time with the rest in hand, and goes on when there is room."""
    client, events = acme.redis.client, [threat_detected(number) for number in range(30)]
    for event in events:
        client.xadd(key("raw"), raw_fields(event["id"]) | {"event_id": str(event["id"]), "payload": json.dumps(event)})
        client.xadd(key("raw"), {"v": "1", "customer": "acme", "payload": "not ours"})
    fill(client, 1.15)
    normalizer = acme.start("normalizer")
    wait_until(lambda: acme.length("raw") == len(events) and acme.length("dead") == len(events), 20, "only those are left")
    assert acme.length("findings") == 0
    assert "nearly full" in normalizer.get("/readyz")[1]
    acme.stop()
    left = client.xpending_range(key("raw"), "tocsin", "-", "+", 100)
    assert len(left) == len(events) and not any(row["times_delivered"] for row in left), "nobody died of them"
    client.config_set("maxmemory", 0)
    acme.start("normalizer")
    wait_until(lambda: acme.length("findings") == len(events) and acme.length("raw") == 0, 20, "there is room")


def test_findings_wait_for_room(acme):
    """In the hands of the incident service, which stops in time, and opens what they are about when there is room."""
    add(acme, finding(1))
    fill(acme.redis.client, 1.3)
    incidents = acme.start("incident")
    wait_until(lambda: acme.pending("findings") == 1, 20, "it is in hand")
    acme.pause(1.5)
    assert incidents.get("/healthz")[0] == 200 and not tickets(acme)
    acme.stop()
    acme.redis.client.config_set("maxmemory", 0)
    acme.start("incident")
    wait_until(lambda: len(tickets(acme)) == 1 and acme.drained(), 20, "its ticket")


def mebibytes(text):
    number, unit = re.fullmatch(r"(?:\$\{\w+:-)?(\d+)([a-z]+)\}?", text.lower()).groups()
    return int(number) * {"g": 1024, "gi": 1024, "gb": 1024, "m": 1, "mi": 1, "mb": 1}[unit]


def test_maxmemory_is_half_of_what_the_container_has():
    """Measured: what drains stops a quarter above it, a tenth is lost, and a rewrite copies a tenth."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["redis"]
    pod = next(row for row in yaml.safe_load_all((ROOT / "deploy/kubernetes/base/redis.yaml").read_text())
               if row["kind"] == "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    (given,) = re.findall(r"^maxmemory (\w+)$", (ROOT / "deploy/redis/redis.conf").read_text(), re.M)
    for maxmemory, memory in ((compose["command"][1], compose["deploy"]["resources"]["limits"]["memory"]),
                              (pod["args"][1], pod["resources"]["limits"]["memory"])):
        assert mebibytes(maxmemory) == mebibytes(given) and 2 * mebibytes(maxmemory) <= mebibytes(memory)
