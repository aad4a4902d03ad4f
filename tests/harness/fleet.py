"""Many customers, several collectors: what each holds, whether polls are on time, what it costs."""
import time

from .process import wait_until


def as_in_life(system):
    """The services' own times instead of those of tests."""
    from .system import FAST
    for name in FAST:
        del system.env[name]


def cpu_seconds(processes):
    return sum(process.cpu_seconds() for process in processes)


class Fleet:
    """Customers with one source each, polled every interval_s, and collectors that share them."""

    def __init__(self, system, customers, interval_s):
        self.system, self.customers, self.interval_s = system, customers, interval_s
        self.collectors = []
        for i in range(customers):
            system.customer(f"c{i:04d}", instance=None, xdr=None, source={"interval": f"{interval_s}s"})
        system.apply()

    def start(self, count, **env):
        self.collectors += [self.system.service("collector", **env) for _ in range(count)]

    def leave(self, collector, kill=False):
        """One of them ends."""
        collector.kill() if kill else collector.stop()
        self.collectors.remove(collector)
        self.system.services.remove(collector)

    def total(self, name):
        return sum(collector.metric(name) for collector in self.collectors)

    def shares(self):
        return [int(collector.metric("tocsin_collector_leases")) for collector in self.collectors]

    def even(self):
        shares = self.shares()
        return sum(shares) == self.customers and max(shares) - min(shares) <= len(shares)

    def settle(self, deadline):
        """Waits until everything is polled in even shares; how long that took, in seconds."""
        begun = time.monotonic()
        wait_until(self.even, deadline, "even shares", every=0.2)
        return time.monotonic() - begun

    def run(self, seconds):
        """Lets it poll. (polls, late polls, percent of a core of all, peak MiB of each)"""
        before = [self.total(f"tocsin_collector_{name}_total") for name in ("polls", "polls_late")]
        cpu, begun = cpu_seconds(self.collectors), time.monotonic()
        self.system.pause(seconds)
        after = [self.total(f"tocsin_collector_{name}_total") for name in ("polls", "polls_late")]
        percent = (cpu_seconds(self.collectors) - cpu) * 100 / (time.monotonic() - begun)
        return (after[0] - before[0], after[1] - before[1], percent,
                [collector.rss_mib() for collector in self.collectors])
