"""Fixtures shared by the integration and end-to-end tests."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import Process, RedisServer, Sandbox, System  # noqa: E402


# They mostly wait: begun last they would be what all others wait for.
LONGEST = ("test_outages_of_hours", "test_a_hundred_thousand_events", "test_storm_of_60_hosts",
           "test_hundreds_of_customers", "test_conditions_that_fail", "test_restart_of_redis", "test_total_loss",
           "test_set_back_to_a_backup", "test_remove_release_and_purge", "test_kill_again_and_again")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.name.startswith(LONGEST))


@pytest.fixture
def redis_server(tmp_path):
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def sandbox(tmp_path):
    box = Sandbox(tmp_path)
    yield box
    box.stop()


@pytest.fixture
def service(tmp_path, redis_server):
    """service(name, *args, **env) starts a process of ours beside redis_server; all are stopped at
    the end, and must stop cleanly."""
    started = []

    def start(name, *args, health=True, **env):
        values = {**redis_server.env, "TOCSIN_LOG_LEVEL": "debug", **env}
        process = Process(name, args, values, tmp_path / f"{name}-{len(started)}.log", health)
        started.append(process)
        return process.start()

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def system(tmp_path):
    """Redis, sandbox and files of a whole installation; services are started by the test."""
    whole = System(tmp_path)
    yield whole
    whole.done()
