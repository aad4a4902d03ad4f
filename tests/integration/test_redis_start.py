"""deploy/redis/start: what was acknowledged after a torn write is still there after the next start."""
import os
import pathlib
import subprocess
import time

import pytest
import redis

START = pathlib.Path(__file__).resolve().parents[2] / "deploy/redis/start"


class Redis:
    def __init__(self, folder):
        self.folder = folder
        self.conf = folder / "redis.conf"
        self.conf.write_text(f"port 0\nunixsocket {folder}/redis.sock\ndir {folder}\nsave \"\"\n"
                             "appendonly yes\nappendfsync always\n")

    def start(self, command):
        environment = {**os.environ, "DATA": str(self.folder), "CONF": str(self.conf)}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        client = redis.Redis(unix_socket_path=f"{self.folder}/redis.sock", decode_responses=True)
        end = time.monotonic() + 20
        while True:
            try:
                client.ping()
                return client
            except redis.exceptions.ConnectionError:
                assert self.process.poll() is None, "Redis ended"
                assert time.monotonic() < end
                time.sleep(0.02)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def tear(self, cut):
        """The append-only file as a kill in the middle of a transaction leaves it: without its last
        bytes."""
        (file,) = (self.folder / "appendonlydir").glob("*.incr.aof")
        whole = file.read_bytes()
        assert whole.endswith(b"EXEC\r\n") and len(whole) - whole.rindex(b"MULTI") > cut
        file.write_bytes(whole[:-cut])


@pytest.fixture
def server(tmp_path):
    server = Redis(tmp_path)
    yield server
    server.kill()


def write_torn(server, cut):
    client = server.start([START])
    client.set("before", "1")
    with client.pipeline(transaction=True) as both:
        both.set("torn", "1").set("torn2", "1").execute()
    server.kill()
    server.tear(cut)


@pytest.mark.parametrize("cut", range(1, 80, 6))
def test_nothing_is_lost_after_a_torn_transaction(server, cut):
    write_torn(server, cut)
    client = server.start([START])
    assert client.mget("before", "torn", "torn2") == ["1", None, None]
    client.set("after", "1")
    server.kill()
    assert server.start([START]).mget("before", "after") == ["1", "1"]


def fill_disk(server):
    """For what the script would write."""
    (server.folder / "check-aof.log").symlink_to("/dev/full")


def test_a_torn_transaction_on_a_full_disk(server):
    write_torn(server, 10)
    fill_disk(server)
    assert server.start([START]).mget("before", "torn", "torn2") == ["1", None, None]


def middle(whole):
    return len(whole) // 2, 200


def beginning_of_a_command(whole):
    """redis-check-aof says of it what it says of a torn end."""
    return whole.index(b"\r\n*3\r\n", len(whole) // 2) + 2, 8


@pytest.mark.parametrize("full", [False, True], ids=["", "on_a_full_disk"])
@pytest.mark.parametrize("where", [middle, beginning_of_a_command], ids=lambda where: where.__name__)
def test_a_file_that_is_damaged_is_left_to_a_person(server, where, full):
    if full:
        fill_disk(server)
    client = server.start([START])
    for i in range(20):
        client.set(f"key{i}", "x" * 100)
    server.kill()
    (file,) = (server.folder / "appendonlydir").glob("*.incr.aof")
    whole = file.read_bytes()
    at, size = where(whole)
    damaged = whole[:at] + b"?" * size + whole[at + size:]
    file.write_bytes(damaged)
    done = subprocess.run([START], env={**os.environ, "DATA": str(server.folder), "CONF": str(server.conf)},
                          capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode != 0
    assert file.read_bytes() == damaged
    assert "Bad file format" in done.stdout
