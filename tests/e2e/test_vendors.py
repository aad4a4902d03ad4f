"""Vendors that answer late, wrongly or not at all."""
import pytest

from harness import wait_until
from harness.events import threat_detected

PROBLEMS = 24


def run(system, customers=("acme",), problems=PROBLEMS):
    groups = {}
    for number, customer in enumerate(customers):
        groups[customer] = [[threat_detected(number * 1000 + i)] for i in range(problems)]
        system.emit(customer, [p[0] for p in groups[customer]])
    return groups


def finished(system, groups, deadline=120):
    def done():
        return all(system.settled(customer, [p[0] for p in problems])
                   for customer, problems in groups.items())
    wait_until(done, deadline, "every incident is open", every=0.1)
    wait_until(system.drained, 60, "nothing is left to do")
    system.check_exactly_once(groups)


FAULTS = [
    {"kind": "5xx_before", "probability": 0.4},
    {"kind": "5xx_after", "probability": 0.4},
    {"kind": "cut_before", "probability": 0.4},
    {"kind": "cut_after", "probability": 0.4},
    {"kind": "truncated_json", "probability": 0.4},
    {"kind": "202", "probability": 0.4},
    {"kind": "hibernation", "probability": 0.4},
    {"kind": "429", "probability": 0.4, "retry_after": 1},
    {"kind": "wrong_content_type", "probability": 0.4},
    {"kind": "cut_body", "probability": 0.4},
    {"kind": "latency", "ms": 2500, "commit": "late", "probability": 0.3},  # past the deadline, committed later still
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["kind"])
@pytest.mark.parametrize("vendor", ["servicenow", "threat_response"])
def test_exactly_one_incident_whatever_the_answer(system, vendor, fault):
    if vendor == "threat_response" and fault["kind"] in ("hibernation", "202"):
        pytest.skip("ServiceNow's own oddity")
    system.servicenow()
    system.threat_response()
    system.customer("acme")
    system.apply()
    system.sandbox.fault(vendor=vendor, **fault)
    system.start()
    groups = run(system)
    wait_until(lambda: system.sandbox.hits() >= 5, 60, "faults were met")
    system.pause(1)
    system.sandbox.heal()
    finished(system, groups)


def test_a_hanging_instance_delays_nobody_else(system):
    system.servicenow("slow")
    system.servicenow("good")
    system.threat_response()
    system.customer("acme", instance="slow")
    system.customer("globex", instance="good")
    system.apply()
    system.sandbox.fault(vendor="servicenow", account="slow", kind="latency", ms=30000)
    system.start()
    groups = run(system, ("acme", "globex"), problems=40)
    # All of the good one's tickets are there while the other has answered nothing (it does what it is
    # asked for at once, and says so too late).
    wait_until(lambda: system.settled("globex", [p[0] for p in groups["globex"]]), 60,
               "the good instance's tickets", every=0.1)
    assert not any(system.settled("acme", p) for p in groups["acme"])
    system.sandbox.heal()
    finished(system, groups)


def test_outages_of_hours_leave_nothing_dead(system):
    """An hour down, a password expired and a column made mandatory for two hours; time is scaled by
    sixty. A fourth instance works all the while."""
    for instance in ("down", "expired", "mandatory", "good"):
        system.servicenow(instance)
        system.customer(f"c-{instance}", instance=instance)
    system.threat_response()
    system.apply()
    down = system.sandbox.fault(vendor="servicenow", account="down", kind="5xx_before")
    system.sandbox.fault(vendor="servicenow", account="expired", kind="expired_password")
    system.sandbox.fault(vendor="servicenow", account="mandatory", kind="mandatory_column",
                         column="u_region")
    system.start()
    names = ("c-down", "c-expired", "c-mandatory", "c-good")
    groups = run(system, names, problems=15)
    wait_until(lambda: system.settled("c-good", [p[0] for p in groups["c-good"]]), 60,
               "the good instance's tickets", every=0.1)

    def both_parked():
        accounts = system.tocsin("account", "list")["accounts"]
        parked = {account["id"] for account in accounts if account.get("parked")}
        return {"snow-expired", "snow-mandatory"} <= parked

    wait_until(both_parked, 30, "the two at fault are parked")
    system.pause(60)
    system.sandbox.heal(down)
    system.pause(60)
    system.sandbox.heal()
    finished(system, groups)
