"""The normalizer process on a private Redis: every event is settled once, with its fate."""
import collections
import json
import signal

import pytest
from functions import GROUP, key
from harness import Process, wait_until
from harness.events import raw_fields, threat_detected

POLICY_UPDATE = {"id": 7, "event_type": "Policy Update", "event_type_id": 553648130, "timestamp": 1763749000}


@pytest.fixture
def redis(redis_server, library):
    """As setup leaves it."""
    client = redis_server.client
    client.hset(key("meta"), "generation", "0123456789abcdef" * 2)
    client.hset("tocsin:programs", "#version", "1")
    return client


def raw(event_id, payload, **changes):
    return {"v": "1", "customer": "acme", "source": "secure_endpoint", "event_id": str(event_id),
            "observed_ms": "1763749001000", "trace": "", "asked": "",
            "payload": payload if isinstance(payload, str) else json.dumps(payload), **changes}


def add(redis, entries):
    pipe = redis.pipeline(transaction=False)
    for entry in entries:
        pipe.xadd(key("raw"), entry)
    pipe.execute()


def fate(redis, event_id, source="secure_endpoint"):
    return redis.get(key(f"seen:acme:{source}:{event_id}"))


def drained(redis):
    """Nothing waits and nothing is in anybody's hands."""
    return redis.xlen(key("raw")) == 0 and redis.xpending(key("raw"), GROUP)["pending"] == 0


def findings(redis):
    return [fields for _, fields in redis.xrange(key("findings"))]


def test_each_event_has_its_fate(redis, service):
    event = threat_detected(1)
    add(redis, [
        raw(event["id"], event, trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        raw(7, POLICY_UPDATE),
        raw(8, {**POLICY_UPDATE, "id": 8}, asked="1"),
        raw(9, "<html>not JSON</html>"),
        raw(10, {"id": 10}, source="carrier_pigeon"),
        raw(11, {"id": 11}, customer="NOT AN ID"),
        raw(12, {"id": 12}, v="2"),
        {"anything": "else"},
    ])
    process = service("tocsin-normalizer").ready()
    wait_until(lambda: drained(redis), what="all settled")

    by_id = {finding["event_id"]: finding for finding in findings(redis)}
    assert set(by_id) == {str(event["id"]), "8"}
    finding = by_id[str(event["id"])]
    assert finding["uid"] == f"secure_endpoint:{event['id']}"
    assert finding["trace"].startswith("00-0af7651916cd43dd8448eb211c80319c")
    assert finding["severity_id"] == "4"
    assert finding["time_ms"] == str(json.loads(finding["payload"])["time"])
    assert json.loads(finding["payload"])["metadata"]["original_event_uid"] == str(event["id"])

    assert fate(redis, event["id"]) == "queued"
    assert fate(redis, 7) == "skipped:not a detection: Policy Update"
    assert fate(redis, 8) == "queued"
    dead = [fields for _, fields in redis.xrange(key("dead"))]
    assert len(dead) == 5
    reasons = " | ".join(sorted(fields["dead.reason"] for fields in dead))
    assert "not JSON: not a JSON value at byte 0" in reasons
    assert "no mapping for source carrier_pigeon" in reasons
    assert "customer must be 1 to 24" in reasons
    assert "format version 2 is not known" in reasons
    assert "field v is missing" in reasons
    assert fate(redis, 9).startswith("dead:")
    assert fate(redis, 10, "carrier_pigeon").startswith("dead:")

    outcomes = {outcome: process.metric("tocsin_normalizer_events_total", outcome=outcome)
                for outcome in ("finding", "skipped", "refused")}
    assert outcomes == {"finding": 2, "skipped": 1, "refused": 5}


def test_killed_at_work(redis, service):
    """kill -9 again and again: each event becomes exactly one finding."""
    total = 3000
    add(redis, [raw_fields(number) for number in range(total)])
    options = {"TOCSIN_CLAIM_IDLE": "500ms", "TOCSIN_HEARTBEAT": "100ms", "TOCSIN_SCAN": "50ms",
               "TOCSIN_NORMALIZER_BATCH": "16"}
    for _ in range(3):
        process = service("tocsin-normalizer", **options).ready()
        before = redis.xlen(key("raw"))
        wait_until(lambda: redis.xlen(key("raw")) < before, what="some are settled", every=0.001)
        process.kill()
    assert redis.xlen(key("raw")) > 0, "killed too late to prove anything"
    service("tocsin-normalizer", **options).ready()
    wait_until(lambda: drained(redis), 60, "all settled")
    seen = collections.Counter(finding["uid"] for finding in findings(redis))
    assert len(seen) == total
    assert set(seen.values()) == {1}


def test_stops_at_work(redis, service):
    """SIGTERM: what is in hand is settled or handed back, exit 0, and nothing is lost."""
    total = 3000
    add(redis, [raw_fields(number) for number in range(total)])
    process = service("tocsin-normalizer").ready()
    wait_until(lambda: redis.xlen(key("raw")) < total, what="some are settled", every=0.001)
    process.signal(signal.SIGTERM)
    assert process.process.wait(15) == 0
    assert redis.xlen(key("raw")) + redis.xlen(key("findings")) == total
    service("tocsin-normalizer").ready()
    wait_until(lambda: drained(redis), 60, "all settled")
    assert redis.xlen(key("findings")) == total


def test_refuses_a_grouping_it_cannot_read(tmp_path):
    process = Process("tocsin-normalizer", log=tmp_path / "log", health=False,
                      env={"TOCSIN_GROUPING": "detection_id,,file"})
    _, stderr, status = process.run()
    assert status != 0
    last = stderr.strip().splitlines()[-1]
    assert "TOCSIN_GROUPING: a path must be like file.identity.sha256" in last
