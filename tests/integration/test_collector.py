"""The collector against a real Redis and the sandbox: every event once, whatever happens."""
import collections
import datetime
import json
import signal
import time

import pytest
from harness import System, wait_until
from test_rights import ROLES

BIG_ID = 6533241145273614340  # above 2^53: a double would round it
THREAT_DETECTED = 1090519054
LATE = "tocsin_collector_polls_late_total"
QUICK = {"TOCSIN_POLL_RETRY_MIN": "100ms", "TOCSIN_POLL_RETRY_MAX": "2s"}


# ---- events and what became of them


def make_events(count, first_id=BIG_ID, age_s=0.0, step_s=0.5, **fields):
    """count events, the newest age_s old, step_s apart: two share a second unless told otherwise."""
    newest = time.time() - age_s
    events = []
    for i in range(count):
        at = newest - i * step_s
        date = datetime.datetime.fromtimestamp(int(at), datetime.timezone.utc)
        events.append({
            "id": first_id + i, "timestamp": int(at), "timestamp_nanoseconds": i % 1000 * 1000000,
            "date": date.isoformat(), "event_type": "Threat Detected",
            "event_type_id": THREAT_DETECTED, "detection_id": str(first_id + i),
            "connector_guid": "6c1f1a2e-0a45-4a5f-9a6a-0d2b6b1c0001", "severity": "High",
            "computer": {"hostname": "WS-1", "connector_guid":
                         "6c1f1a2e-0a45-4a5f-9a6a-0d2b6b1c0001"}, **fields})
    return events


def raw(system, customer=None):
    """Entries of the stream, as dictionaries."""
    entries = [fields for _, fields in system.redis.client.xrange(system.key_name("raw"))]
    return [e for e in entries if customer in (None, e["customer"])]


def ids(system, customer=None):
    return collections.Counter(e["event_id"] for e in raw(system, customer))


def expect(system, customer, events, deadline=30):
    """Every one of these events comes in, each exactly once, and nothing else."""
    wanted = {str(e["id"]) for e in events}
    wait_until(lambda: set(ids(system, customer)) >= wanted, deadline,
               f"{len(wanted)} events of {customer}")
    seen = ids(system, customer)
    assert set(seen) == wanted
    assert set(seen.values()) <= {1}


def cursor(system, customer):
    return system.redis.client.hgetall(system.key_name(f"cursor:{customer}:secure_endpoint"))


def number(system, customer, field):
    return int(cursor(system, customer).get(field, 0))


def lease(system, customer):
    return system.redis.client.get(system.key_name(f"lease:{customer}:secure_endpoint"))


def owner(system, customer):
    return (lease(system, customer) or ":").rsplit(":", 1)[0]


def polled(system, customer):
    return wait_until(lambda: number(system, customer, "last_ok_ms"), 20, f"{customer} was polled")


def calls(system, customer, **query):
    """The vendor's ledger of this customer."""
    text = "&".join(f"{k}={v}" for k, v in {"account": f"amp-{customer}", **query}.items())
    return system.sandbox.get(f"ledger?vendor=secure_endpoint&{text}")["calls"]


def add(system, *customers, **source):
    for customer in customers:
        system.customer(customer, instance=None, xdr=None, source=source)
    system.apply()


# ---- paging


def test_pages_while_the_list_grows(system):
    """1,200 events over three pages, 60 more arriving while they are read: each exactly once, with
    its id of 64 bits and the vendor's own text."""
    add(system, "acme")
    events = make_events(1200)
    system.emit("acme", events)
    system.sandbox.fault(kind="latency", vendor="secure_endpoint", path_prefix="/amp/v1/events",
                         ms=400)
    system.start("collector", **QUICK)
    for batch in range(6):
        wait_until(lambda: len(calls(system, "acme")) > min(batch, 2), 20, "the next page")
        more = make_events(10, first_id=100 + batch * 10, step_s=0.01)
        system.emit("acme", more)
        events += more
    expect(system, "acme", events)
    newest = next(e for e in raw(system) if e["event_id"] == str(BIG_ID))
    assert json.loads(newest["payload"])["id"] == BIG_ID
    assert newest["source"] == "secure_endpoint" and newest["asked"] == ""
    assert len(newest["trace"]) == 55
    assert system.fate("acme", BIG_ID) == "queued"
    pages = [c for c in calls(system, "acme") if "offset=1000" in c["query"]]
    assert pages, "the third page was read"
    first = calls(system, "acme")[0]["query"]
    assert first.count("event_type") == 36 and "limit=500" in first


def test_events_without_id(system):
    """Equal records without id are as many events as there are; polled again they stay those."""
    add(system, "acme")
    event = make_events(1, age_s=5)[0]
    del event["id"]
    other = {**event, "severity": "Low"}
    system.emit("acme", [event, event, other])
    system.start("collector", **QUICK)
    wait_until(lambda: len(raw(system)) == 3, 20, "three events")
    wait_until(lambda: number(system, "acme", "polls") >= 2, 30, "a second poll")
    assert sum(ids(system).values()) == len(ids(system)) == 3
    assert number(system, "acme", "events_seen") == 3


def test_own_list_of_types(system):
    """Types asked for by name are marked; others are not asked for."""
    add(system, "acme", event_types=[553648130])
    policy = make_events(3, event_type_id=553648130, event_type="Policy Update")
    system.emit("acme", policy + make_events(3, first_id=5))
    system.start("collector", **QUICK)
    expect(system, "acme", policy)
    assert {e["asked"] for e in raw(system)} == {"1"}


# ---- restarts


def test_killed_in_mid_poll(system):
    """kill -9 after the first page is durable: no gap, no duplicate. The same after downtime."""
    add(system, "acme")
    events = make_events(1500)
    system.emit("acme", events)
    system.sandbox.fault(kind="latency", vendor="secure_endpoint", path_prefix="/amp/v1/events",
                         ms=500)
    collector = system.start("collector", **QUICK)
    wait_until(lambda: system.length("raw") >= 500, 20, "the first page")
    collector.kill()
    assert system.length("raw") < 1500 and "high_water_ms" not in cursor(system, "acme")
    system.sandbox.heal()

    down = make_events(700, first_id=1)
    system.emit("acme", down)
    collector = system.start("collector", **QUICK)
    expect(system, "acme", events + down)
    polled(system, "acme")
    mark = number(system, "acme", "high_water_ms")
    assert mark // 1000 == max(e["timestamp"] for e in down)

    collector.stop()
    late = make_events(5, first_id=2000, age_s=300)  # older than the mark, within the look-back
    new = make_events(5, first_id=3000)
    system.emit("acme", late + new)
    system.start("collector", **QUICK)
    expect(system, "acme", events + down + late + new)
    assert number(system, "acme", "events_seen") == len(events + down + late + new)


def test_goes_on_where_the_quota_ended_it(tmp_path):
    """A catch-up longer than the vendor's quota ends, because each part of it counts."""
    system = System(tmp_path)
    try:
        add(system, "acme")
        system.sandbox.post("accounts", {"vendor": "secure_endpoint", "account": "amp-acme",
                                         "rate_limit": 4, "rate_window_ms": 3000})
        events = make_events(3000, step_s=0.2)
        system.emit("acme", events)
        system.start("collector", **QUICK)
        wait_until(lambda: cursor(system, "acme").get("resume"), 20, "a poll that broke off")
        assert "high_water_ms" not in cursor(system, "acme") or \
            number(system, "acme", "high_water_ms") == 0
        expect(system, "acme", events, 40)
        # The next poll may be cut off like the first.
        wait_until(lambda: number(system, "acme", "high_water_ms") and not cursor(system, "acme")["resume"], 20,
                   "the end of the catch-up")
    finally:
        system.done()


# ---- many collectors


def shares(system, customers):
    return collections.Counter(owner(system, c) for c in customers)


def test_replicas_share(system):
    """Even shares when a replica comes, stops, and dies; nothing is left unpolled."""
    customers = [f"customer-{i:02}" for i in range(20)]
    add(system, *customers)
    first = system.start("collector", **QUICK)
    wait_until(lambda: shares(system, customers).get("", 0) == 0, 20, "all taken")
    second = system.start("collector", **QUICK)

    def even(replicas):
        held = shares(system, customers)
        return "" not in held and sorted(held.values()) == [20 // replicas] * replicas

    wait_until(lambda: even(2), 20, "ten each")
    first.counts(10, "tocsin_collector_leases")
    second.stop()
    assert shares(system, customers).get("") or even(1)  # given back at once, not run out
    wait_until(lambda: even(1), 5, "all with the first again")
    third = system.start("collector", **QUICK)
    wait_until(lambda: even(2), 20, "ten each again")
    third.kill()
    wait_until(lambda: even(1), 20, "taken over from the dead one")
    for customer in customers:
        polled(system, customer)


def test_pinned(system):
    """Customers named by a pinned collector are left alone by the others while it lives."""
    customers = ["acme", "globex", "initech", "hooli"]
    system.customer("hooli", instance=None, xdr=None, label="gold")
    add(system, *customers[:3])
    system.start("collector", **QUICK)
    wait_until(lambda: all(owner(system, c) for c in customers), 20, "one has them all")
    pinned = system.start("collector", **QUICK, TOCSIN_CUSTOMERS="acme",
                          TOCSIN_COLLECTOR_LABEL="gold")
    wait_until(lambda: owner(system, "acme") == owner(system, "hooli") != owner(system, "globex")
               and owner(system, "acme"), 20, "the pinned one has its own")
    assert owner(system, "globex") == owner(system, "initech") != ""
    pinned.counts(2, "tocsin_collector_leases")
    pinned.kill()
    wait_until(lambda: owner(system, "acme") == owner(system, "globex"), 20, "not left alone")


def test_who_polls_whom_can_be_seen(system):
    """`tocsin status` names the collectors, what they are pinned to, and what nobody polls."""
    add(system, "acme", "globex")
    (broken,) = [line for line in system.tocsin("status", expect=4)["why"] if "nobody" in line]
    assert broken == "nobody polls acme, globex: no collector is alive"
    pinned = system.start("collector", **QUICK, TOCSIN_CUSTOMERS="acme,nobody", TOCSIN_COLLECTOR_LABEL="gold")
    polled(system, "acme")
    status = system.tocsin("status", expect=4)
    (row,) = status["collectors"]
    assert (row["customers"], row["label"], row["sources"]) == (["acme", "nobody"], "gold", 1)
    assert {s["customer"]: s["collector"] for s in status["sources"]} == {"acme": row["collector"], "globex": None}
    said = " ".join(status["why"])
    assert "nobody polls globex: every collector that is alive is pinned to other customers" in said
    assert "is pinned to nobody, which is no customer" in said
    assert "is pinned to the label gold, which no customer has" in said
    keeper = system.start("setup", TOCSIN_METRICS_INTERVAL="1s")
    wait_until(lambda: keeper.metric("tocsin_customers_pinned") == 1, 20, "acme is pinned")
    system.start("collector", **QUICK)
    polled(system, "globex")
    pinned.kill()
    wait_until(lambda: owner(system, "acme") == owner(system, "globex") != "", 20, "taken over")
    wait_until(lambda: keeper.metric("tocsin_customers_pinned") == 0, 20, "that is seen")
    status = system.tocsin("status")
    assert [(row["customers"], row["sources"]) for row in status["collectors"]] == [([], 2)]


def test_asleep_past_its_lease(system):
    """A collector that is stopped in mid-poll, loses its lease to another, and wakes up writes
    nothing."""
    add(system, "acme")
    events = make_events(1500)
    system.emit("acme", events)
    system.sandbox.fault(kind="latency", vendor="secure_endpoint", path_prefix="/amp/v1/events",
                         ms=1000, jitter_ms=0)
    sleeper = system.start("collector", **QUICK)
    wait_until(lambda: system.length("raw") == 500, 20, "the first page")
    before = len(calls(system, "acme"))
    wait_until(lambda: len(calls(system, "acme")) > before, 20, "the second page was answered")
    sleeper.signal(signal.SIGSTOP)
    try:
        stored = system.length("raw")
        # the other one gets the lease but nothing from the vendor: whatever is added is the sleeper's
        system.sandbox.heal()
        system.sandbox.fault(kind="5xx_before", status=503, vendor="secure_endpoint")
        asleep = owner(system, "acme")
        system.start("collector", **QUICK)
        wait_until(lambda: owner(system, "acme") not in ("", asleep), 20, "the lease has moved")
        fenced = lease(system, "acme")
    finally:
        sleeper.signal(signal.SIGCONT)
    wait_until(lambda: sleeper.metric("tocsin_collector_polls_total", outcome="stale") or
               any("another collector" in line["msg"] for line in sleeper.log_lines()), 20,
               "its commit was refused")
    assert system.length("raw") == stored
    assert lease(system, "acme") == fenced
    assert "high_water_ms" not in cursor(system, "acme") or \
        number(system, "acme", "high_water_ms") == 0
    system.sandbox.heal()
    expect(system, "acme", events)


# ---- the troubles of one customer


def test_one_customers_trouble_is_its_own(system):
    """Bad credentials, a vendor that hangs and one that fails delay nobody else."""
    sound = [f"sound-{i}" for i in range(4)]
    add(system, *sound, "wrong", "hangs", "fails")
    system.sandbox.post("accounts", {"vendor": "secure_endpoint", "account": "amp-wrong",
                                     "api_key": "changed by the customer"})
    system.sandbox.fault(kind="latency", vendor="secure_endpoint", account="amp-hangs", ms=60000)
    system.sandbox.fault(kind="5xx_before", vendor="secure_endpoint", account="amp-fails")
    collector = system.start("collector", TOCSIN_COLLECTOR_THREADS="4", **QUICK)

    def next_on_time():
        marks, late = {c: polled(system, c) for c in sound}, collector.metric(LATE, lane="sound")
        for customer in sound:
            wait_until(lambda c=customer: number(system, c, "last_ok_ms") > marks[c], 12, f"the next poll of {customer}")
        return collector.metric(LATE, lane="sound") == late
    wait_until(next_on_time, 40, "the next polls on their time")

    assert system.redis.client.hget("tocsin:account:wrong.secure_endpoint", "parked")
    error = cursor(system, "wrong")
    assert "401" in error["last_error"] and int(error["last_error_ms"]) > 0
    assert int(error["last_poll_ms"]) > 0 and "last_ok_ms" not in error or \
        int(error["last_ok_ms"]) == 0
    assert int(cursor(system, "fails")["failures"]) >= 1
    attempts = len([c for c in calls(system, "wrong") if c["status"] == 401])
    assert attempts <= 1 + 15  # one, and a probe a second (TOCSIN_PROBE_INTERVAL)

    system.sandbox.post("accounts", {"vendor": "secure_endpoint", "account": "amp-wrong",
                                     "api_key": "amp-secret"})
    system.sandbox.heal()
    for customer in ("wrong", "hangs", "fails"):
        polled(system, customer)


def test_retry_after_is_obeyed(system):
    """No request in a closed window, whichever way the vendor writes it; not after a restart
    either. An HTTP date has no fractions of a second."""
    forms = {"seconds": (4, 4000), "letter": ("4s", 4000), "date": ("date:5", 4000)}
    add(system, *forms)
    events = make_events(3)
    for customer, (header, _) in forms.items():
        system.sandbox.fault(kind="429", vendor="secure_endpoint", account=f"amp-{customer}",
                             retry_after=header, count=1)
        system.emit(customer, events)
    collector = system.start("collector", **QUICK)
    account = system.redis.client.hget
    wait_until(lambda: all(account(f"tocsin:account:{c}.secure_endpoint", "paused_until") for c in forms), 20,
               "the refusals are known")
    collector.kill()
    system.start("collector", **QUICK)
    for customer, (_, least_ms) in forms.items():
        expect(system, customer, events)
        refused, again = calls(system, customer)[:2]
        assert refused["status"] == 429 and again["status"] == 200
        assert again["time_ms"] - refused["answer_ms"] >= least_ms - 50, customer


# ---- back-pressure


def drain(system):
    """What a normalizer does to the stream, without the rest: entries leave it."""
    client = system.redis.client
    entries = client.xrange(system.key_name("raw"), count=500)
    if entries:
        client.xdel(system.key_name("raw"), *[i for i, _ in entries])
    return [fields["event_id"] for _, fields in entries]


def test_redis_full(tmp_path):
    """More events than Redis holds: polling slows down, everything comes in as it drains."""
    system = System(tmp_path, redis_options=("--maxmemory", "12mb"))
    try:
        add(system, "acme")
        events = make_events(4000, step_s=0.1, filler="x" * 2500)
        for i in range(0, len(events), 500):
            system.emit("acme", events[i:i + 500])
        collector = system.start("collector", **QUICK)
        wait_until(lambda: collector.metric("tocsin_collector_polls_total", outcome="full"), 30,
                   "Redis is full")
        assert number(system, "acme", "high_water_ms") == 0
        held = system.length("raw")
        assert 0 < held < len(events)
        seen = []

        def drained():
            seen.extend(drain(system))
            return len(seen) >= len(events)

        wait_until(drained, 60, "all events came through")
        assert sorted(seen) == sorted(str(e["id"]) for e in events)
        wait_until(lambda: number(system, "acme", "high_water_ms"), 20, "the poll succeeded")
        assert len(seen) + system.length("raw") == len(events)
    finally:
        system.done()


def test_too_much_work_left(system):
    """Polling waits while the pipeline behind has more than the limit to do."""
    add(system, "acme")
    first = make_events(30)
    system.emit("acme", first)
    # It looks often enough to see it before the next poll, and what it has seen holds for twice as long.
    collector = system.start("collector", TOCSIN_RAW_LIMIT="20", TOCSIN_LEASE="24s", **QUICK)
    expect(system, "acme", first)
    wait_until(lambda: collector.metric("tocsin_collector_paused"), 20, "polling waits")
    asked = len(calls(system, "acme"))
    second = make_events(5, first_id=1)
    system.emit("acme", second)
    deadline = time.monotonic() + 11
    while time.monotonic() < deadline:  # longer than the interval: a poll would have been due
        assert len(calls(system, "acme")) == asked
        time.sleep(0.5)
    assert len(drain(system)) == 30
    expect(system, "acme", second)
    assert collector.metric(LATE) == 0
    assert collector.get("/healthz")[0] == 200


# ---- customers come and go


def test_customers_change(system):
    add(system, "acme")
    system.start("collector", **QUICK)
    polled(system, "acme")
    add(system, "globex")
    polled(system, "globex")  # soon, not an interval later
    system.customer("acme", instance=None, xdr=None, mode="paused")
    system.apply()
    wait_until(lambda: not lease(system, "acme"), 20, "the paused one is given back")
    asked = len(calls(system, "acme"))
    wait_until(lambda: number(system, "globex", "polls") >= 2, 30, "the other is polled on")
    assert len(calls(system, "acme")) == asked
    system.customer("acme", instance=None, xdr=None)
    system.apply()
    wait_until(lambda: len(calls(system, "acme")) > asked, 20, "and goes on")


def test_redis_restarts(system):
    """No human needed: readiness says so, and polling goes on."""
    add(system, "acme")
    collector = system.start("collector", **QUICK)
    polled(system, "acme")
    system.redis.kill()
    wait_until(lambda: collector.get("/readyz")[0] == 503, 20, "not ready")
    events = make_events(10)
    system.emit("acme", events)
    system.redis.start()
    wait_until(lambda: collector.get("/readyz")[0] == 200, 10, "ready again")
    expect(system, "acme", events)


def test_least_rights(system):
    """With the rights of its role and no more it polls, parks, resumes, shares and stops."""
    client = system.redis.client
    add(system, "acme", "wrong")
    # Only now: setup would miss the other users.
    client.execute_command("ACL", "SETUSER", "collector", "on", ">pw", "resetchannels", "-@all",
                           *ROLES["collector"])
    system.sandbox.post("accounts", {"vendor": "secure_endpoint", "account": "amp-wrong",
                                     "api_key": "changed by the customer"})
    user = {"TOCSIN_REDIS_USER": "collector", "TOCSIN_REDIS_PASSWORD": "pw", **QUICK}
    first = system.start("collector", **user)
    second = system.start("collector", **user)
    polled(system, "acme")
    wait_until(lambda: "401" in cursor(system, "wrong").get("last_error", ""), 20, "its error")
    wait_until(lambda: owner(system, "acme") != owner(system, "wrong"), 20, "one each")
    system.sandbox.post("accounts", {"vendor": "secure_endpoint", "account": "amp-wrong",
                                     "api_key": "amp-secret"})
    polled(system, "wrong")
    second.stop()
    first.stop()
    assert not client.keys(system.key_name("lease:*"))
    assert not client.smembers(system.key_name("collectors"))
    assert [e["object"] for e in client.acl_log()] == []


def test_stops_in_mid_call(system):
    """SIGTERM while the vendor hangs: gone within ten seconds, the lease given back."""
    add(system, "acme")
    system.sandbox.fault(kind="latency", vendor="secure_endpoint", ms=60000)
    collector = system.start("collector", **QUICK, TOCSIN_CALL_DEADLINE="30s",
                             TOCSIN_QUARANTINE="60s")
    wait_until(lambda: lease(system, "acme"), 20, "its lease")
    wait_until(lambda: system.sandbox.get("summary")["calls"] > 0, 20, "its call")
    collector.stop(deadline=10)
    assert not lease(system, "acme")


@pytest.mark.parametrize("setting,value", [
    ("TOCSIN_CUSTOMERS", "acme,Not An Id"),
    ("TOCSIN_COLLECTOR_THREADS", "0"),
    ("TOCSIN_POLL_RETRY_MIN", "20m"),
    ("TOCSIN_KEY_FILE", "/nonexistent/key"),
    ("TOCSIN_COLECTOR_THREADS", "4"),
])
def test_wrong_settings(system, setting, value):
    """One line that names the setting or the file, and nothing started."""
    process = system.service("collector", **{setting: value})
    system.services.remove(process)
    status = process.process.wait(10)
    text = process.tail()
    assert status == 1
    assert setting in text or value in text or "Not" in text
    assert not system.redis.client.keys("*lease*")
