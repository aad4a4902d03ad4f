"""Redis restarts, loses its connections or is full: everything drains afterwards."""
from harness import wait_until
from harness.events import threat_detected


def test_restart_of_redis(system):
    system.servicenow()
    system.threat_response()
    system.customer("acme")
    system.apply()
    system.start()
    problems = [[threat_detected(i)] for i in range(60)]
    for start in range(0, 60, 20):
        system.emit("acme", [p[0] for p in problems[start:start + 20]])
        seen = start
        wait_until(lambda: len(system.redis.client.keys(system.key_name("seen:*"))) > seen, 40,
                   "some events are in")
        system.redis.restart()
    events = [p[0] for p in problems]
    wait_until(lambda: system.settled("acme", events), 90, "every incident is open", every=0.1)
    wait_until(system.drained, 60, "nothing is left to do")
    system.check_exactly_once({"acme": problems})


def test_full_redis_drains(system):
    system.servicenow()
    system.customer("acme", xdr=None)
    system.customer("globex", xdr=None)
    system.apply()
    collector = system.start("collector")
    # Some events are in when memory runs out; what drains must still be able to.
    before = [[threat_detected(i)] for i in range(100)]
    system.emit("acme", [p[0] for p in before])
    wait_until(lambda: system.length("raw") == 100, 40, "the first events are in")
    system.redis.client.setrange("ballast", 30 << 20, "x") # beside which buffers do not count
    used = system.redis.client.info("memory")["used_memory"]
    system.redis.client.config_set("maxmemory", used - 1000)
    after = [[threat_detected(1000 + i)] for i in range(100)]
    system.emit("globex", [p[0] for p in after])
    wait_until(lambda: "FULL" in collector.tail(100000) or "full" in collector.tail(100000), 40,
               "the collector is refused")
    assert system.length("raw") == 100
    system.start("normalizer", "incident")
    wait_until(lambda: system.settled("acme", [p[0] for p in before]), 60, "it drains while full")
    system.redis.client.config_set("maxmemory", 0)
    wait_until(lambda: system.settled("globex", [p[0] for p in after]), 60, "the rest comes in")
    wait_until(system.drained, 30, "nothing is left to do")
    system.check_exactly_once({"acme": before, "globex": after}, threat_response=False)


def test_setup_heals_an_emptied_redis(system):
    system.servicenow()
    system.customer("acme", xdr=None)
    keeper = system.service("setup")
    keeper.ready()
    system.start()
    system.redis.client.flushall()
    system.redis.client.function_flush()
    problems = [[threat_detected(i)] for i in range(3)]
    system.emit("acme", [p[0] for p in problems])
    wait_until(lambda: system.settled("acme", [p[0] for p in problems]), 60, "tickets again")
    system.check_exactly_once({"acme": problems}, threat_response=False)
