"""tocsin backup and restore of what is larger than one reply of Redis, and of what moves meanwhile."""
import base64
import json
import os
import random
import threading
import time

import pytest
import redis

PAYLOAD = 8000
MANY = 8_800
MOVING = 400
STREAMS = ("raw", "findings", "closures", "orders", "actions", "dead", "recent", "activity")


@pytest.fixture(name="estate")
def fixture_estate(system):
    system.tocsin("setup")
    return system


def add(client, key, **fields):
    return client.xadd(key, fields)


def contents(system):
    """All of it, as bytes."""
    client = redis.Redis(unix_socket_path=str(system.redis.socket))
    state = {name: client.xrange(system.key_name(name)) for name in STREAMS}
    return state | {"deferred": client.zrange(system.key_name("deferred"), 0, -1, withscores=True)}


def empty(system):
    system.redis.client.flushall()


def test_streams_larger_than_a_reply(estate, tmp_path):
    client, raw = estate.redis.client, estate.key_name("raw")
    text = base64.b64encode(os.urandom(PAYLOAD * 100)).decode()
    pipe = client.pipeline(transaction=False)
    for number in range(MANY):
        at = random.randrange(len(text) - PAYLOAD)
        pipe.xadd(raw, {"v": 1, "customer": "acme", "event_id": number, "payload": text[at:at + PAYLOAD]})
        if number % 1000 == 999:
            pipe.execute()
    pipe.execute()
    add(client, estate.key_name("dead"), payload=b"\xff\x00\x01", reason="no text")
    client.zadd(estate.key_name("deferred"), {f"one {number}\x00\x01": 1e12 + number for number in range(300)})
    client.xreadgroup("tocsin", "gone", {raw: ">"}, count=10)
    before = contents(estate)
    estate.tocsin("backup", str(tmp_path / "b"))
    assert (tmp_path / "b").stat().st_size > 64 << 20
    empty(estate)
    estate.tocsin("restore", str(tmp_path / "b"))
    assert contents(estate) == before
    for name in ("raw", "findings", "closures", "orders", "actions"):
        group, = client.xinfo_groups(estate.key_name(name))
        assert (group["name"], group["pending"], group["last-delivered-id"]) == ("tocsin", 0, "0-0")


def move(client, keys, stop, entries):
    """Each entry is put off, waits for a while, and comes back to its stream, again and again."""
    raw, deferred = keys
    put_off = {}
    dice = random.Random(3)
    while not stop.is_set():
        now = time.monotonic()
        for number in [number for number, due in put_off.items() if due <= now]:
            pipe = client.pipeline(transaction=True)
            pipe.zrem(deferred, f"entry {number}")
            pipe.xadd(raw, {"number": number})
            entries[number] = pipe.execute()[1]
            del put_off[number]
        for number in dice.sample(sorted(entries), min(len(entries), 20)):
            pipe = client.pipeline(transaction=True)
            pipe.xdel(raw, entries.pop(number))
            pipe.zadd(deferred, {f"entry {number}": time.time() * 1000})
            pipe.execute()
            put_off[number] = now + 0.4 + dice.random()


def numbers_of(file):
    found = set()
    for line in file.read_text().splitlines():
        row = json.loads(line)
        for item in row.get("stream", ()):
            if item[1] == "number":
                found.add(int(item[2]))
        for _, member in row.get("sorted_set", ()):
            found.add(int(member.split()[1]))
    return found


def test_what_moves_is_in_it(estate, tmp_path):
    client, keys = estate.redis.client, (estate.key_name("raw"), estate.key_name("deferred"))
    pipe = client.pipeline(transaction=False)
    for number in range(20_000): # in front, so that it takes a while until the others are read
        pipe.xadd(keys[0], {"number": MOVING + number})
    pipe.execute()
    entries = {number: add(client, keys[0], number=number) for number in range(MOVING)}
    stop = threading.Event()
    mover = threading.Thread(target=move, args=(client, keys, stop, entries))
    mover.start()
    try:
        for attempt in range(5):
            file = tmp_path / str(attempt)
            estate.tocsin("backup", str(file))
            missing = set(range(MOVING)) - numbers_of(file)
            assert not missing, (attempt, missing)
    finally:
        stop.set()
        mover.join()


def test_a_backup_of_the_first_format(estate, tmp_path):
    """Which had streams as dumps, their groups included."""
    client = estate.redis.client
    add(client, estate.key_name("raw"), v=1, customer="acme")
    client.zadd(estate.key_name("deferred"), {"one": 1e12})
    before = contents(estate)
    rows = [{"tocsin_backup": 1, "installation": "test", "partitions": 1, "made_ms": 1}]
    plain = redis.Redis(unix_socket_path=str(estate.redis.socket))
    for name in sorted(plain.keys("tocsin:*")):
        rows.append({"key": name.decode(), "expires_ms": 0, "dump": base64.b64encode(plain.dump(name)).decode()})
    rows.append({"end": True, "files": 0, "keys": len(rows) - 1})
    file = tmp_path / "old"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    empty(estate)
    estate.tocsin("restore", str(file))
    assert contents(estate) == before


@pytest.mark.parametrize("row", [
    {"key": "tocsin:{p0}:raw", "stream": [["1-1"]]}, {"key": "tocsin:{p0}:raw", "stream": [["1-1", "v", 1]]},
    {"key": "other", "stream": []}, {"key": "tocsin:{p0}:raw", "stream": {}}, {"stream": []},
    {"key": "tocsin:{p0}:raw", "stream": [["1-1", "v", {"base64": "%"}]]},
    {"key": "tocsin:{p0}:deferred", "sorted_set": [["1", "a", "b"]]}, {"key": "tocsin:{p0}:deferred", "sorted_set": "x"}])
def test_a_malformed_page_is_refused_before_the_first_write(estate, tmp_path, row):
    empty(estate)
    file = tmp_path / "b"
    rows = [{"tocsin_backup": 2, "installation": "test", "partitions": 1, "made_ms": 1},
            {"key": "tocsin:{p0}:raw", "stream": [["1-1", "v", "1"]]}, row, {"end": True, "files": 0, "keys": 2}]
    file.write_text("".join(json.dumps(each) + "\n" for each in rows))
    estate.tocsin("restore", str(file), expect=1)
    assert estate.redis.client.dbsize() == 0
