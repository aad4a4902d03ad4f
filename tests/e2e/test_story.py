"""Events of several customers become linked incidents in Threat Response and ServiceNow."""
from harness import wait_until
from harness.events import policy_update, quarantine_failure, threat_detected


def test_one_problem_one_ticket_on_both_sides(system):
    system.servicenow("main")
    system.servicenow("other")
    system.threat_response()
    system.customer("acme")
    system.customer("globex")
    system.customer("initech", instance="other")
    system.apply()
    system.start()

    groups = {}
    for number, customer in enumerate(("acme", "globex", "initech")):
        problems = [[threat_detected(number * 100 + i)] for i in range(3)]
        problems[0].append(quarantine_failure(problems[0][0], 50))
        groups[customer] = problems
        system.emit(customer, [event for problem in problems for event in problem])
        system.emit(customer, [policy_update(number * 100 + 90)])

    def done():
        return all(system.settled(customer, problem)
                   for customer, problems in groups.items() for problem in problems)
    wait_until(done, 40, "every incident is open")
    wait_until(system.drained, 20, "nothing is left to do")
    system.check_exactly_once(groups)

    incident = system.incident_of("acme", groups["acme"][0][0])
    number = incident["servicenow.number"]
    assert number.startswith("INC")
    shown = system.tocsin("incident", "show", incident["id"])
    assert shown["ctim_id"] == incident["threat_response.id"]
    assert shown["findings"] == 2
    traced = system.tocsin("trace", str(groups["acme"][0][1]["id"]))
    assert number in str(traced)


def test_later_finding_joins_the_open_ticket(system):
    system.servicenow()
    system.threat_response()
    system.customer("acme", notes={"intervals": ["0s", "1s", "1s", "1s"], "per_day": 12})
    system.apply()
    system.start()
    first = threat_detected(1)
    system.emit("acme", [first])
    wait_until(lambda: system.settled("acme", [first]), 40, "the ticket")
    second = quarantine_failure(first, 7)
    system.emit("acme", [second])
    wait_until(lambda: system.fate("acme", second["id"]) not in (None, "queued"), 40, "its fate")
    wait_until(system.drained, 30, "the note is written")
    system.check_exactly_once({"acme": [[first, second]]})
    incident = system.incident_of("acme", first)
    ticket = system.ticket("main", incident["servicenow.sys_id"])
    assert any("Quarantine Failure" in note["value"] for note in ticket["work_notes"]), ticket


def test_unasked_kinds_are_skipped_with_a_reason(system):
    system.servicenow()
    system.customer("acme", xdr=None, source={"event_types": [1090519054, 553648130]})
    system.customer("globex", xdr=None)
    system.apply()
    system.start("collector", "normalizer")
    update = policy_update(1)
    system.emit("acme", [update])
    wait_until(lambda: system.length("findings") == 1, 30, "asked for by name: a finding")
    assert system.fate("acme", update["id"]) == "queued"
