"""One collector process that polls 2,000 customers every minute."""
import time

from harness import System
from measure_incident import LIFELIKE
from result import rows, value_row

CUSTOMERS = 2000
SECONDS = 100


def poll_for(folder, seconds):
    """(peak MiB, late polls, percent of a core)."""
    folder.mkdir()
    system = System(folder, "--ledger", "0", **LIFELIKE)
    try:
        for i in range(CUSTOMERS):
            system.customer(f"c{i:04d}", instance=None, xdr=None, source={"interval": "60s"})
        system.apply()
        collector = system.start("collector")
        time.sleep(seconds)  # what is measured is how it goes on, not a condition
        late = collector.metric("tocsin_collector_polls_late_total")
        polls = collector.metric("tocsin_collector_polls_total")
        assert polls >= CUSTOMERS * (seconds // 60), f"only {polls} polls: {collector.tail()}"
        return collector.rss_mib(), late, collector.cpu_seconds() * 100 / seconds
    finally:
        system.done()


@rows("collector_rss_mib", "collector_late_polls", "collector_cpu_percent")
def collector(folder, runs):
    measured = [poll_for(folder / str(i), SECONDS) for i in range(runs)]
    return [value_row("collector_rss_mib", "MiB", [m[0] for m in measured], "< 64"),
            value_row("collector_late_polls", "polls", [m[1] for m in measured], "0"),
            value_row("collector_cpu_percent", "% of a core", [m[2] for m in measured], "< 25")]
