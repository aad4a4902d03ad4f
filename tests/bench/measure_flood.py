"""One customer that floods: how much later the others' tickets come."""
import statistics

from harness import System, wait_until
from harness.fleet import as_in_life
from measure_incident import ledger
from result import rows, value_row

CUSTOMERS, INSTANCES, EACH_PER_S, TIMES, SECONDS = 200, 4, 0.2, 100, 40


def flow(folder, flood):
    """The others' times in ms, from the poll that could first see an event, and from its being there, to its ticket."""
    folder.mkdir()
    system = System(folder, "--latency-ms", "20")
    as_in_life(system)
    try:
        for instance in range(INSTANCES):
            system.servicenow(f"i{instance}")
        clients = [system.customer(f"c{i}", instance=f"i{i % INSTANCES}", xdr=None) for i in range(CUSTOMERS)]
        system.apply()
        system.start()
        totals = {client: round(EACH_PER_S * SECONDS) for client in clients}
        if flood:
            totals[clients[0]] *= TIMES
        for client, total in totals.items():
            system.sandbox.post("generate", {"account": client, "rate": total / SECONDS, "total": total,
                                             "unique_hosts": True, "host_prefix": f"{client}-",
                                             "mix": {"threat_detected": 1}})
        wait_until(lambda: system.fates() >= sum(totals.values()), SECONDS + 120, "all events are in", every=1)
        wait_until(system.drained, 120, "nothing is left to do", every=0.5)
        return times(system, clients[1:])
    finally:
        system.done()


def times(system, clients):
    created, polls, after_poll, after_event = {}, {client: [] for client in clients}, [], []
    for instance in range(INSTANCES):
        for record in system.sandbox.get(f"state/servicenow/i{instance}")["incidents"]:
            created[record["short_description"].split("event for [")[1].split("]")[0]] = record["created_ms"]
    for call in ledger(system, "vendor=secure_endpoint&method=GET"):
        if call["path"].endswith("/events") and call["account"] in polls:
            polls[call["account"]].append(call["time_ms"])
    for client in clients:
        for event in system.sandbox.get(f"events/{client}")["events"]:
            ticket = created[event["hostname"]]
            after_event.append(ticket - event["visible_ms"])
            after_poll.append(ticket - next(at for at in sorted(polls[client]) if at >= event["visible_ms"]))
    return after_poll, after_event


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


@rows("flood_p99_delta_ms")
def flood(folder, runs):
    pairs = []
    for i in range(runs):
        order = ("calm", "flooded") if i % 2 == 0 else ("flooded", "calm")
        measured = {name: flow(folder / f"{i}-{name}", name == "flooded") for name in order}
        pairs.append((measured["calm"], measured["flooded"]))
    middle = [[statistics.median(p99(pair[which][what]) for pair in pairs) for which in (0, 1)] for what in (0, 1)]
    return [value_row("flood_p99_delta_ms", "ms", [p99(b[0]) - p99(a[0]) for a, b in pairs], "<= 2000",
                      [f"{CUSTOMERS} customers on {INSTANCES} instances, {EACH_PER_S:g} events/s each, one "
                       f"{EACH_PER_S * TIMES:g}/s; 20 ms a call, 4 at once for an instance",
                       f"p99 of the others from poll to ticket: {middle[0][0]:.0f} ms calm, {middle[0][1]:.0f} ms flooded",
                       f"from event to ticket (polled every 10 s): {middle[1][0]:.0f} ms, {middle[1][1]:.0f} ms"])]
