"""tocsin backup and restore of what is larger than one reply of Redis, and of what moves meanwhile."""
import base64
import json
import os
import random
import re
import threading

import pytest
import redis
from functions import GROUP, Library, key
from harness import wait_until

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


def move(library, stop):
    """Each entry is put off, and comes back to its stream, again and again."""
    dice = random.Random(3)
    while not stop.is_set():
        for entry in library.read("raw", count=20):
            library.defer(entry, delay=dice.randrange(100))
        library.wake()


def numbers_of(file):
    found = set()
    for line in file.read_text().splitlines():
        row = json.loads(line)
        for item in row.get("stream", []) + row.get("sorted_set", []):
            for text in item:
                text = base64.b64decode(text["base64"]) if isinstance(text, dict) else text.encode()
                found |= {int(number) for number in re.findall(rb"entry (\d+)", text)}
    return found


def test_what_moves_is_in_it(estate, tmp_path):
    library = Library(estate.redis.client)
    pipe = library.redis.pipeline(transaction=False)
    for _ in range(20_000): # in front, so that it takes a while until the others are read
        pipe.xadd(key("raw"), {"f": "v"})
    pipe.execute()
    library.redis.xgroup_setid(key("raw"), GROUP, "$")
    for number in range(MOVING):
        library.add("raw", name=f"entry {number}")
    stop = threading.Event()
    mover = threading.Thread(target=move, args=(library, stop))
    mover.start()
    try:
        for attempt in range(5):
            file = tmp_path / str(attempt)
            library.redis.delete(key("backup"))
            wait_until(lambda: library.redis.zcard(key("deferred")) < MOVING / 2, 20, "they move")
            estate.tocsin("backup", str(file))
            missing = set(range(MOVING)) - numbers_of(file)
            assert not missing, (attempt, missing)
    finally:
        stop.set()
        mover.join()


def test_what_is_put_off_waits_for_the_backup(library):
    entry = library.add("raw")
    library.read("raw")
    library.defer(entry)
    library.redis.set(key("backup"), 1)
    assert library.wake() == [0, 0]
    library.redis.delete(key("backup"))
    assert library.wake() == [1, 0]


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
