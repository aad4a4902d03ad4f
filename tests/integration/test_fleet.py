"""Many customers on several collectors, with the times of life. `make bench ROWS=collectors_5000_late_polls`
does the same with 5,000."""
from harness import wait_until
from harness.fleet import Fleet, as_in_life

LATE = "tocsin_collector_polls_late_total"


def test_hundreds_of_customers_on_four_collectors(system):
    """Every poll on time, in even shares soon after a replica comes, ends or is stopped; nothing is lost meanwhile."""
    as_in_life(system)
    fleet = Fleet(system, customers=500, interval_s=15)
    fleet.start(4, TOCSIN_LEASE="9s", TOCSIN_LEASE_RENEW="3s")
    fleet.settle(30)

    def on_time():
        """In one window of several, for a machine that stands still makes polls late, too."""
        polls, late, percent, rss = fleet.run(16)
        print(f"500 customers every 15 s: {polls:.0f} polls in 16 s, {late:.0f} late, {percent:.1f} % of a core and at "
              f"most {max(rss):.0f} MiB for four collectors")
        return polls >= 500 and late == 0
    wait_until(on_time, 60, "every poll on its time")

    def moves_on_time():
        """One comes and another ends."""
        late = fleet.total(LATE)
        fleet.start(1, TOCSIN_LEASE="9s", TOCSIN_LEASE_RENEW="3s")
        fleet.settle(30)
        leaving = fleet.collectors[0].metric(LATE)
        fleet.leave(fleet.collectors[0])
        fleet.settle(30)
        return leaving + fleet.total(LATE) == late
    wait_until(moves_on_time, 60, "nothing is late while shares move")
    fleet.leave(fleet.collectors[0], kill=True)
    fleet.settle(30)
