"""tocsin canary: an event marked as a test goes to a ticket and back through every service; each link that is
missing is named, and nothing stays open."""
import pytest

from harness import wait_until
from harness.linked import Callback
from harness.process import Process


@pytest.fixture
def outside(system):
    outside = Callback.of_acme(system)
    system.customer("quiet", mode="paused")
    system.apply()
    outside.start()
    system.sandbox.post("accounts", {
        "vendor": "servicenow", "account": "main",
        "business_rule": {"form": "kit", "url": outside.url, "client_id": "tocsin-main",
                          "client_secret": "client-secret", "instance_name": "main", "user": "tocsin"}})
    yield outside
    system.done()


def canary(system, *args, expect=0, wait="20"):
    (row,) = system.tocsin("canary", "snow-main", "--wait", wait, *args, expect=expect)["canaries"]
    assert row["arrived"] is (expect == 0)
    return row


def tickets(system):
    return system.sandbox.get("state/servicenow/main")["incidents"]


def when(system):
    return system.redis.client.hget("tocsin:account:snow-main", "canary_ms")


def back(system):
    return when(system) and not system.redis.client.hexists("tocsin:account:snow-main", "canary")


def test_it_arrives(outside):
    system = outside.system
    system.start("normalizer", "incident", TOCSIN_RECONCILE_INTERVAL="1h")
    row = canary(system)
    assert row["customer"] == "acme" and row["missing"] is None
    (ticket,) = tickets(system)
    assert ticket["number"] == row["number"] and ticket["state"] == "6"
    assert "TEST " in ticket["short_description"]
    incident = system.tocsin("incident", "show", row["incident"])
    assert incident["state"] == "closed" and incident["closing"]["via"] == "servicenow"
    assert back(system)
    assert not system.redis.client.keys(system.key_name("mail:*"))
    # The next is one of its own.
    assert canary(system)["incident"] != row["incident"] and len(tickets(system)) == 2
    assert system.tocsin("canary", "snow-main", "--off") == {"off": ["snow-main"]} and not when(system)


@pytest.mark.parametrize("stopped, running, words", [
    ("normalizer", "incident", "It is in the stream 'raw', waiting for the normalizer."),
    ("incident", "normalizer", "It is in the stream 'findings', waiting for the incident service.")])
def test_without_a_service_it_is_lost_and_the_next_run_closes_its_ticket(outside, stopped, running, words):
    system = outside.system
    system.start(running, TOCSIN_RECONCILE_INTERVAL="1h")
    lost = canary(system, expect=4, wait="1")
    assert words in lost["missing"] and not back(system) and not tickets(system)
    first = when(system)
    system.start(stopped, TOCSIN_RECONCILE_INTERVAL="1h")
    wait_until(lambda: tickets(system) and system.drained(), 20, "its ticket is open, and nobody waits for it")
    assert canary(system)["event_id"] == lost["event_id"]
    assert [ticket["state"] for ticket in tickets(system)] == ["6"] and back(system)
    assert int(when(system)) > int(first) > 0, "a first one that is lost is missed as well"


def test_with_a_silent_callback_it_is_lost(outside):
    system = outside.system
    system.start("normalizer", "incident", TOCSIN_RECONCILE_INTERVAL="1h")
    outside.process.stop()
    lost = canary(system, expect=4, wait="2")
    assert "nobody told us: the callback is silent" in lost["missing"]
    assert [ticket["state"] for ticket in tickets(system)] == ["6"] and not back(system)


def test_the_reconciler_does_not_stand_in_for_the_callback(outside):
    system = outside.system
    system.start("normalizer", "incident", TOCSIN_RECONCILE_INTERVAL="300ms")
    outside.process.stop()
    lost = canary(system, expect=4)
    assert "not the callback but the reconciler noticed" in lost["missing"] and not back(system)
    wait_until(system.drained, 20, "nothing is left to do")
    # What is over is not gone on with.
    assert canary(system, expect=4)["event_id"] != lost["event_id"] and len(tickets(system)) == 2


def test_a_rule_that_suppresses_it_is_named(outside):
    system = outside.system
    (system.config / "rules.json").write_text(
        '{"rules": [{"name": "hush", "owner": "me", "sources": ["generic"], "suppress": true}]}')
    system.apply()
    system.start("normalizer")
    assert "the rule 'hush' suppressed it" in canary(system, expect=4)["missing"]
    assert not tickets(system) and not back(system)


def test_only_a_live_customer_is_taken(outside):
    system = outside.system
    assert "no live customer quiet" in canary(system, "--customer", "quiet", expect=4)["missing"]
    assert system.length("raw") == 0


def test_it_stays_and_repeats(outside):
    system = outside.system
    system.start("normalizer", "incident", TOCSIN_RECONCILE_INTERVAL="1h")
    stays = Process("tocsin", ("canary", "snow-main", "--every", "1m"), system.env, system.folder / "canary.log",
                    health=False).start()
    try:
        wait_until(lambda: "snow-main: INC" in stays.tail(), 20, "its line is written")
        assert stays.running() and when(system)
    finally:
        stays.kill()
