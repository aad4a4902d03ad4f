"""Many customers on several collectors, with the times of life. `make bench ROWS=collectors_5000_late_polls`
does the same with 5,000."""
from harness.fleet import Fleet, as_in_life


def test_hundreds_of_customers_on_four_collectors(system):
    """Every poll on time, in even shares soon after a replica comes, ends or is stopped; nothing is lost meanwhile."""
    as_in_life(system)
    fleet = Fleet(system, customers=500, interval_s=15)
    fleet.start(4, TOCSIN_LEASE="9s", TOCSIN_LEASE_RENEW="3s")
    fleet.settle(30)
    polls, late, percent, rss = fleet.run(16)
    print(f"500 customers every 15 s: {polls:.0f} polls in 16 s, {percent:.1f} % of a core and at most "
          f"{max(rss):.0f} MiB for four collectors")
    assert polls >= 500 and late == 0
    fleet.start(1, TOCSIN_LEASE="9s", TOCSIN_LEASE_RENEW="3s")
    fleet.settle(30)
    fleet.leave(fleet.collectors[0])
    fleet.settle(30)
    assert fleet.total("tocsin_collector_polls_late_total") == 0
    fleet.leave(fleet.collectors[0], kill=True)
    fleet.settle(30)
