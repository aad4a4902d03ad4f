"""Replicas: 5,000 customers on four collectors, and how long what a dead one polled is left alone."""
import statistics
import time

from harness import System, wait_until
from harness.fleet import Fleet, as_in_life
from result import rows, value_row

CUSTOMERS, REPLICAS, INTERVAL_S, SECONDS = 5000, 4, 60, 65


def one_fleet(folder):
    folder.mkdir()
    system = System(folder, "--ledger", "0")
    as_in_life(system)
    try:
        fleet = Fleet(system, CUSTOMERS, INTERVAL_S)
        fleet.start(REPLICAS)
        begun = fleet.settle(60)
        polls, late, percent, rss = fleet.run(SECONDS)
        assert polls >= CUSTOMERS, f"only {polls} polls in {SECONDS} s"
        fleet.start(1)
        came = fleet.settle(60)
        fleet.leave(fleet.collectors[0])
        went = fleet.settle(60)
        return {"late": late, "percent": percent, "rss": max(rss), "polls": polls, "begun": begun,
                "even": max(came, went), "came": came, "went": went,
                "late_after": fleet.total("tocsin_collector_polls_late_total") - late}
    finally:
        system.done()


@rows("collectors_5000_late_polls", "collectors_5000_cpu_percent", "collectors_5000_rss_mib",
      "collectors_5000_even_s")
def collectors_5000(folder, runs):
    measured = [one_fleet(folder / str(i)) for i in range(runs)]
    of = {name: [m[name] for m in measured] for name in measured[0]}
    middle = {name: statistics.median(values) for name, values in of.items()}
    return [value_row("collectors_5000_late_polls", "polls", of["late"], "0",
                      [f"{CUSTOMERS} customers every {INTERVAL_S} s on {REPLICAS} collectors: "
                       f"{middle['polls']:.0f} polls in {SECONDS} s"]),
            value_row("collectors_5000_cpu_percent", "% of a core", of["percent"], "< 100", ["all four together"]),
            value_row("collectors_5000_rss_mib", "MiB", of["rss"], "< 64", ["peak of the largest of the four"]),
            value_row("collectors_5000_even_s", "s", of["even"], "<= 30",
                      [f"all taken {middle['begun']:.1f} s after four started; even {middle['came']:.1f} s after "
                       f"a fifth, {middle['went']:.1f} s after one had stopped; {middle['late_after']:.0f} polls "
                       "late meanwhile"])]


def take_over(folder):
    """Seconds from kill -9 of one of two until the other holds everything."""
    folder.mkdir()
    system = System(folder, "--ledger", "0")
    as_in_life(system)
    try:
        fleet = Fleet(system, 20, 10)
        fleet.start(2)
        fleet.settle(60)
        fleet.leave(fleet.collectors[0], kill=True)
        dead = time.monotonic()
        wait_until(lambda: fleet.shares() == [20], 90, "taken over", every=0.05)
        return time.monotonic() - dead
    finally:
        system.done()


@rows("lease_takeover_s")
def lease_takeover(folder, runs):
    return [value_row("lease_takeover_s", "s", [take_over(folder / str(i)) for i in range(runs)], "<= 45",
                      ["from kill -9 of a collector until another holds all that it polled, default times"])]
