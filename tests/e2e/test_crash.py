"""kill -9 of any process at any moment costs time, never an event and never a second ticket."""
import random

import pytest

from harness import wait_until
from harness.events import quarantine_failure, threat_detected

PROBLEMS = 40


def installation(system):
    system.servicenow()
    system.threat_response()
    system.customer("acme")
    system.apply()
    # Calls long enough that a kill finds some of them under way.
    system.sandbox.fault(kind="latency", ms=150)


def emit(system):
    problems = [[threat_detected(i)] for i in range(PROBLEMS)]
    for problem in problems[::4]:
        problem.append(quarantine_failure(problem[0], 1000))
    system.emit("acme", [event for problem in problems for event in problem])
    return {"acme": problems}


def finished(system, groups):
    events = [event for problem in groups["acme"] for event in problem]
    wait_until(lambda: system.settled("acme", events), 90, "every incident is open", every=0.1)
    wait_until(system.drained, 60, "nothing is left to do", every=0.1)
    system.check_exactly_once(groups)


@pytest.mark.parametrize("victim", ["collector", "normalizer", "incident"])
def test_kill_again_and_again(system, victim):
    installation(system)
    others = [name for name in ("collector", "normalizer", "incident") if name != victim]
    system.start(*others)
    groups = emit(system)
    seed = random.randrange(1 << 30)
    print("seed", seed)
    moments = random.Random(seed)
    for _ in range(6):
        process = system.start(victim)
        # Not a wait for a result: the moment of the crash is what varies.
        end = moments.uniform(0.0, 0.6)
        system.pause(end)
        process.kill()
        system.services.remove(process)
    system.start(victim)
    finished(system, groups)


def test_sigterm_in_the_middle_of_calls(system):
    installation(system)
    system.sandbox.heal()
    system.sandbox.fault(kind="latency", ms=1000)
    system.start("collector", "normalizer")
    groups = emit(system)
    for _ in range(3):
        process = system.start("incident")
        wait_until(lambda: system.pending("actions") > 0, 20, "calls are under way")
        process.stop(deadline=10)  # exit status 0 is asserted
        system.services.remove(process)
    system.sandbox.heal()
    system.start("incident")
    finished(system, groups)
