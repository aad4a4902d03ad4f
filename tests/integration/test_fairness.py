"""Customers who share one ServiceNow instance do not wait for one of them that floods."""
import time

from harness import System, wait_until
from harness.events import raw_fields

FLOOD, OTHERS, FEW = 400, 10, 200


def test_a_flood_delays_the_others_little(tmp_path):
    """400 tickets of one customer are on their way when ten others have one each: `make bench
    ROWS=flood_p99_delta_ms` measures it with 200 customers."""
    system = System(tmp_path, "--latency-ms", "200")
    try:
        system.servicenow("main")
        others = [f"other-{i}" for i in range(OTHERS)]
        for customer in ("flood", *others):
            system.customer(customer, xdr=None)
        system.apply()
        publish(system, [raw_fields(i, "flood", host=i) for i in range(FLOOD)])
        system.start("normalizer")
        wait_until(lambda: not system.length("raw"), 30, "the flood is normalized")
        system.start("incident")
        wait_until(lambda: not system.length("findings") and len(created(system)) > 20, 30, "it waits for its tickets")
        asked_ms = int(time.time() * 1000)
        publish(system, [raw_fields(FLOOD + i, customer, host=FLOOD + i) for i, customer in enumerate(others)])
        hosts = [f"WS-{FLOOD + i:05d}" for i in range(OTHERS)]

        def theirs():
            return [at for name, at in created(system).items() if name.startswith(tuple(hosts))]

        wait_until(lambda: len(theirs()) == OTHERS, 30, "the others' tickets", every=0.1)
        assert len(created(system)) < FLOOD, "the flood was over too soon to show anything"
        between = sum(asked_ms < at < max(theirs()) for at in created(system).values())
        assert between < FEW, f"{between} tickets of the flood and others came before the last of theirs"
    finally:
        system.done()


def publish(system, entries):
    pipe = system.redis.client.pipeline(transaction=False)
    for entry in entries:
        pipe.xadd(system.key_name("raw"), entry)
    pipe.execute()


def created(system):
    """When each host's ticket was made."""
    return {ticket["short_description"].split("event for [")[1].split("]")[0]: ticket["created_ms"]
            for ticket in system.sandbox.get("state/servicenow/main")["incidents"]}
