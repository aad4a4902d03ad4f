"""What stays in Redis: of an event its fate, of an incident what is kept for people."""
from harness import wait_until
from harness.events import policy_update, raw_entry
from measure_incident import findings, finish, installation
from measure_normalizer import fill
from result import rows, value_row

INCIDENTS, EVENTS = 2000, 20000


def used(system):
    return system.redis.client.info("memory")["used_memory"]


def skipped(number):
    """An event that is for nobody, as an entry of `raw`."""
    event = policy_update(number)
    return raw_entry("secure_endpoint", str(event["id"]), event)


def kept(folder):
    """(bytes of an event's fate, KiB of an incident with its event)"""
    system = installation(folder, 0, TOCSIN_RECENT_FINDINGS="0")
    try:
        start = used(system)
        normalizer = system.start("normalizer")
        fill(system.redis.client, system.key_name("raw"), [skipped(i) for i in range(EVENTS)])
        wait_until(system.drained, 60, "events have their fates", every=0.2)
        normalizer.stop()
        system.services.remove(normalizer)
        events = used(system) - start
        findings(system, INCIDENTS)
        service = system.service("incident")
        finish(system, INCIDENTS)
        service.stop()
        system.services.remove(service)
        return events / EVENTS, (used(system) - start - events) / INCIDENTS / 1024
    finally:
        system.done()


@rows("redis_bytes_per_event", "redis_kib_per_incident")
def memory(folder, runs):
    measured = [kept(folder / str(i)) for i in range(runs)]
    return [value_row("redis_bytes_per_event", "bytes", [m[0] for m in measured], "< 400",
                      [f"the fate of each of {EVENTS} events"]),
            value_row("redis_kib_per_incident", "KiB", [m[1] for m in measured], "< 16",
                      [f"of {INCIDENTS} incidents with one event and a ticket each"])]
