"""What /metrics says against what is true: with replicas, after restarts, without customers' names."""
import json
import shutil
import subprocess

import pytest

from harness import wait_until
from harness.events import threat_detected

EVENTS = 12


@pytest.fixture
def estate(system):
    system.servicenow("main")
    system.threat_response()
    for customer in ("acme", "globex"):
        system.customer(customer, closing={"grace": "0s"})
    system.apply()
    yield system
    system.done()


def total(processes, name, **labels):
    return sum(process.metric(name, **labels) for process in processes)


def opened(system, events):
    system.emit("acme", events)
    wait_until(lambda: system.settled("acme", events) and system.drained(), 60, "tickets are open")


def test_figures_are_true_with_replicas_and_after_restarts(estate):
    keeper = estate.start("setup", TOCSIN_METRICS_INTERVAL="100ms")
    collectors = estate.start("collector", "collector")
    normalizers, incidents = estate.start("normalizer", "normalizer"), estate.start("incident", "incident")
    events = [threat_detected(number) for number in range(EVENTS)]
    opened(estate, events)

    def is_true(count):
        """Of the whole installation, by one process, as Redis has it."""
        return (keeper.metric("tocsin_source_events_total", customer="acme") == count and
                keeper.metric("tocsin_incidents", state="open") == count and
                keeper.metric("tocsin_source_events_total", customer="globex") == 0 and
                keeper.metric("tocsin_work_left") == keeper.metric("tocsin_dead") == 0)

    wait_until(lambda: is_true(EVENTS), 20, "the keeper has seen it")
    for processes, name, labels in (
            (collectors, "tocsin_collector_events_total", {"result": "new"}),
            (normalizers, "tocsin_normalizer_events_total", {"outcome": "finding"}),
            (incidents, "tocsin_findings_total", {"outcome": "opened"}),
            (incidents, "tocsin_tickets_total", {}),
            (incidents, "tocsin_event_to_ticket_seconds_count", {})):
        wait_until(lambda p=processes, n=name, of=labels: total(p, n, **of) == EVENTS, 20, name)
    assert total(incidents, "tocsin_tickets_total", customer="acme", source="secure_endpoint") == EVENTS
    wait_until(lambda: total(collectors, "tocsin_collector_leases") == 2, 20, "both sources are held, and by one each")

    # All of them start anew, and the truth is the same.
    estate.stop()
    keeper = estate.start("setup", TOCSIN_METRICS_INTERVAL="100ms")
    estate.start("collector", "normalizer", "incident")
    more = [threat_detected(number) for number in range(EVENTS, EVENTS + 3)]
    opened(estate, more)
    wait_until(lambda: is_true(EVENTS + 3), 20, "counted on")
    assert keeper.metric("tocsin_redis_round_trip_seconds") > 0


def test_who_is_removed_is_no_longer_shown(estate):
    keeper = estate.start("setup", TOCSIN_METRICS_INTERVAL="100ms")
    wait_until(lambda: 'customer="globex"' in keeper.get("/metrics")[1], 20, "shown")
    (estate.config / "customers" / "globex.json").unlink()
    wait_until(lambda: "globex" not in keeper.get("/metrics")[1], 20, "gone")
    assert 'customer="acme"' in keeper.get("/metrics")[1]


def test_customers_can_be_left_out(estate):
    estate.env["TOCSIN_METRICS_CUSTOMERS"] = "false"
    keeper = estate.start("setup", TOCSIN_METRICS_INTERVAL="100ms")
    processes = [keeper, *estate.start("collector", "normalizer", "incident")]
    opened(estate, [threat_detected(0)])
    wait_until(lambda: keeper.metric("tocsin_source_events_total", customer="all") == 1, 20, "counted as one")
    wait_until(lambda: total(processes, "tocsin_tickets_total", customer="all") == 1, 20, "and its ticket")
    assert not [process.name for process in processes if 'customer="acme"' in process.get("/metrics")[1]]


def test_when_a_secret_expires_is_told(estate):
    file = estate.config / "customers" / "acme.json"
    body = json.loads(file.read_text())
    body["accounts"]["secure_endpoint"]["expires"] = "2020-02-29"
    file.write_text(json.dumps(body))
    keeper = estate.start("setup", TOCSIN_METRICS_INTERVAL="100ms")
    wait_until(lambda: keeper.metric("tocsin_credential_expiry_timestamp_seconds",
                                     account="acme.secure_endpoint") == 1582934400, 20, "the metric")
    said = estate.tocsin("status", expect=4)
    assert "account acme.secure_endpoint: its secret has expired" in said["why"]
    row = next(row for row in estate.tocsin("customer", "list")["customers"] if row["id"] == "acme")
    assert row["expires_ms"] == 1582934400000
    body["accounts"]["secure_endpoint"]["expires"] = "2020-02-30"
    file.write_text(json.dumps(body))
    wait_until(lambda: keeper.metric("tocsin_setup_bad_files") == 1, 20, "a day that is none is refused")


@pytest.mark.skipif(not shutil.which("promtool"), reason="no Prometheus")
def test_prometheus_finds_nothing_to_say(estate):
    processes = [estate.start("setup"), *estate.start("collector", "normalizer", "incident"), estate.callback()]
    opened(estate, [threat_detected(0)])
    for process in processes:
        done = subprocess.run(["promtool", "check", "metrics"], input=process.get("/metrics")[1], text=True,
                              capture_output=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), process.name
