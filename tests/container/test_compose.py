"""docker-compose.yml on a real engine: production without customers, the demo, what its containers may do, and
that nothing is lost or doubled while Redis restarts and containers are killed."""
import collections
import itertools
import json
import pathlib
import random
import re
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from compose import SERVICES, Compose, wait_until

CHAOS_S = 60
MAX_IMAGE = 120e6
STORIES = 120
HOSTS = "CHAOS-"
WORKERS = ("collector", "normalizer", "incident")


@pytest.fixture(scope="module", name="stack")
def fixture_stack():
    """Built and started as production; each test goes on from where the last one ended."""
    stack = Compose()
    started = time.monotonic()
    stack.compose("--profile", "demo", "--profile", "client", "build", "-q", seconds=900)
    stack.compose("build", "-q", "prometheus", seconds=900) # Grafana's image cannot be had everywhere
    print(f"\nbuilt in {time.monotonic() - started:.0f} s")
    try:
        yield stack
    finally:
        stack.down()


def test_production_says_what_to_do_first(stack):
    stack.up([])
    wait_until(lambda: stack.healthy("redis", "setup", "callback", *WORKERS), 60, "healthy without customers")
    logs = stack.logs("setup")
    assert "no customers in /etc/tocsin yet: add one with `tocsin customer add`" in logs, logs
    for service in ("redis", "setup", *WORKERS):
        for container in stack.containers(service):
            ports = stack.inspect(container)["NetworkSettings"]["Ports"] or {}
            assert not any(ports.values()), f"{service} is published: {ports}"


def test_the_callback_is_the_one_that_listens(stack):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{stack.callback_port}/v1/events/acme/generic", data=b"{}", timeout=5)
    assert refused.value.code == 401
    assert json.load(refused.value)["type"] == "urn:tocsin:problem:unauthorized"


def count_tickets(stack):
    try:
        return sum(row["incidents"] for row in stack.ask("summary")["servicenow"].values())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0


def test_the_demo_makes_tickets(stack):
    started = time.monotonic()
    stack.up("--profile", "demo", ["--scale", "collector=2", "--scale", "normalizer=2", "--scale", "incident=2"])
    wait_until(lambda: count_tickets(stack), 60, "the first ticket")
    print(f"\nfirst ticket {time.monotonic() - started:.0f} s after `up`")
    wait_until(lambda: stack.healthy("redis", "setup", *WORKERS), 60, "healthy")
    assert [len(stack.containers(worker)) for worker in WORKERS] == [2, 2, 2]


def press_close(stack, instance, sys_id):
    """The button of the ticket's page."""
    form = urllib.parse.urlencode({"state": "7", "close_code": "Solution provided", "close_notes": "Done"}).encode()
    urllib.request.urlopen(f"{stack.sandbox}/snow/{instance}/incident/{sys_id}", form, timeout=10).close()


def test_close_on_a_ticket_closes_everything(stack):
    row = wait_until(lambda: next((row for row in incidents(stack) if row["state"] == "open" and row["ctim_id"] and
                                   row["customer"] == "initech"), None), 60, "an incident is open")
    press_close(stack, "initech", row["sys_id"])
    wait_until(lambda: next(each for each in incidents(stack) if each["id"] == row["id"])["state"] == "closed",
               60, "the incident is closed")
    threats = {each["id"]: each["status"] for each in stack.ask("state/threat_response/mssp")["incidents"]}
    assert threats[row["ctim_id"]].startswith("Closed")


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_small(stack, service):
    image = stack.inspect(stack.containers(service)[0])["Image"]
    size = int(stack.docker("image", "inspect", "-f", "{{.Size}}", image))
    print(f"\n{service}: {size / 1e6:.0f} MB")
    assert size <= MAX_IMAGE


def test_prometheus_sees_every_replica(stack):
    stack.up(["prometheus"])

    def seen():
        targets = (stack.prometheus("targets") or {}).get("activeTargets", ())
        if any(target["health"] != "up" for target in targets):
            return None
        return collections.Counter(target["labels"]["service"] for target in targets)

    everyone = {"setup": 1, "collector": 2, "normalizer": 2, "incident": 2, "callback": 1}
    wait_until(lambda: seen() == everyone, 90, "every replica is scraped")
    rules = [rule["name"] for group in stack.prometheus("rules")["groups"] for rule in group["rules"]]
    assert "TocsinProcessDown" in rules and len(rules) > 20
    tickets = stack.prometheus("query", query="sum(tocsin_tickets_total)")["result"]
    assert float(tickets[0]["value"][1]) > 0
    ports = stack.inspect(stack.containers("prometheus")[0])["HostConfig"]["PortBindings"]
    assert {binding["HostIp"] for each in ports.values() for binding in each} == {"127.0.0.1"}


@pytest.mark.parametrize("service", (*SERVICES, "prometheus"))
def test_containers_may_do_nothing_but_their_work(stack, service):
    for container in stack.containers(service):
        found = stack.inspect(container)
        process = status_of(found["State"]["Pid"])
        assert set(process["Uid"].split()) == {"65532"}
        assert set(process["Gid"].split()) == {"65532"}
        assert int(process["CapEff"], 16) == int(process["CapBnd"], 16) == 0
        assert process["NoNewPrivs"].strip() == "1"
        assert found["HostConfig"]["ReadonlyRootfs"]
        assert found["HostConfig"]["Memory"] > 0 and found["HostConfig"]["PidsLimit"] > 0
        assert found["HostConfig"]["LogConfig"]["Config"]["max-size"]
        if service != "sandbox":
            assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        with pytest.raises(AssertionError, match="read-only"):
            stack.docker("cp", "README.md", f"{container}:/probe")
        if service != "redis": # whose start is a script
            with pytest.raises(AssertionError, match="no such file|not found"):
                stack.docker("exec", container, "sh", "-c", "true")


def mounts(stack, service):
    """Volume and whether it can be written, without the project's name."""
    return {(mount["Name"].removeprefix(f"{stack.project}_"), mount["RW"])
            for mount in stack.inspect(stack.containers(service)[0])["Mounts"] if mount["Type"] == "volume"}


def test_services_get_only_what_they_need(stack):
    ca = ("redis-ca", False)
    assert mounts(stack, "collector") == {("key", False), ("password-collector", False), ca}
    assert mounts(stack, "incident") == {("key", False), ("link-key", False), ("password-incident", False), ca}
    assert mounts(stack, "callback") == {("callback-key", False), ("password-callback", False), ca}
    assert mounts(stack, "normalizer") == {("password-normalizer", False), ca}
    assert mounts(stack, "setup") == {("config", True), ("export", True), ("password-setup", False), ca}
    assert mounts(stack, "redis") == {("redis", True), ("acl", False), ("redis-tls", False), ca}
    networks = {service: {name.removeprefix(f"{stack.project}_") for name in
                          stack.inspect(stack.containers(service)[0])["NetworkSettings"]["Networks"]}
                for service in (*SERVICES, "prometheus")}
    assert networks == {"redis": {"redis"}, "setup": {"redis", "metrics"}, "normalizer": {"redis", "metrics"},
                        "collector": {"redis", "vendors", "metrics"}, "incident": {"redis", "vendors", "metrics"},
                        "callback": {"redis", "outside", "metrics"}, "sandbox": {"vendors", "outside"},
                        "prometheus": {"metrics", "observe"}}
    for name in ("redis", "metrics"):
        assert json.loads(stack.docker("network", "inspect", f"{stack.project}_{name}"))[0]["Internal"]
    for name in ("outside", "observe"):
        network = json.loads(stack.docker("network", "inspect", f"{stack.project}_{name}"))[0]
        assert network["Options"]["com.docker.network.bridge.enable_ip_masquerade"] == "false"


CA_FILE = "/run/tocsin/redis-ca/redis-ca.pem"


def test_redis_is_as_it_must_be(stack):
    container = stack.containers("redis")[0]
    command = ("exec", container, "redis-cli", "--tls", "--cacert", CA_FILE, "-e", "--no-auth-warning")
    assert "PONG" in stack.docker(*command, "--user", "health", "--pass", "none", "ping")
    for refused in (("ping",), ("--user", "health", "--pass", "none", "get", "tocsin:customers"),
                    ("--user", "collector", "--pass", "guessed", "ping")):
        assert "PONG" not in stack.docker(*command, *refused, check=False), refused
    for setting in ("appendonly yes", "appendfsync always", "maxmemory-policy noeviction", "oom-score-adj relative"):
        assert setting in stack.docker("exec", container, "cat", "/etc/tocsin/redis.conf")


def listening(stack, service):
    """Ports of a container that take connections, its engine's own DNS left out."""
    pid = stack.inspect(stack.containers(service)[0])["State"]["Pid"]
    rows = [line.split() for kind in ("tcp", "tcp6")
            for line in pathlib.Path(f"/proc/{pid}/net/{kind}").read_text(encoding="ascii").splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and not row[1].startswith("0B00007F:")}


def greet_redis(stack, *options):
    """What a TLS client in the network says of Redis."""
    return stack.docker("run", "--rm", "--network", f"{stack.project}_redis", "--entrypoint", "sh",
                        "-v", f"{stack.project}_redis-ca:/run/tocsin/redis-ca:ro", "tocsin/prepare:test", "-c",
                        f"openssl s_client -brief -connect redis:6379 -CAfile {CA_FILE} -verify_return_error "
                        f"-verify_hostname {' '.join(options)} </dev/null 2>&1 || true")


def test_redis_speaks_tls_only(stack):
    assert listening(stack, "redis") == {6379}
    container = stack.containers("redis")[0]
    assert "PONG" not in stack.docker("exec", container, "redis-cli", "--user", "health", "--pass", "none", "ping",
                                      check=False)
    for version in ("-tls1_2", "-tls1_3"):
        assert "Verification: OK" in greet_redis(stack, "redis", version)
    for refused in (("redis", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("elsewhere",)):
        assert "Verification: OK" not in greet_redis(stack, *refused)
    assert set(re.findall("TOCSIN_REDIS_URL=([^,]*)", stack.logs("setup", "callback", *WORKERS))) == \
        {"rediss://redis:6379"}


def in_prepare(stack, script):
    return stack.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "prepare", "-c", script)


def test_only_redis_has_its_key_and_nobody_the_authoritys(stack):
    assert in_prepare(stack, "cd /run/tocsin/redis-ca && ls && cat *").startswith(
        "redis-ca.pem\n-----BEGIN CERTIFICATE-----")
    keys = in_prepare(stack, "cat /run/tocsin/*/* /etc/tocsin/* 2>/dev/null || true").count("PRIVATE KEY-----\n")
    assert keys == 2  # where the only one begins, and ends
    assert "-rw-------" in in_prepare(stack, "ls -l /run/tocsin/redis-tls/redis.pem")


def prepare(stack, *args):
    stack.compose("run", "--rm", "--no-deps", "-T", *args)


def certificates(stack):
    """(Redis's, how many authorities are believed)"""
    shown = in_prepare(stack, "cat /run/tocsin/redis-tls/redis.pem; echo ,; cat /run/tocsin/redis-ca/redis-ca.pem")
    mine, believed = shown.split("\n,\n")
    return mine, believed.count("BEGIN CERTIFICATE")


def ready(stack):
    """Whether each process answers that it is, asked as its health check does."""
    programs = {"callback": "tocsin-callback", **{worker: f"tocsin-{worker}" for worker in WORKERS}}
    try:
        for service, program in programs.items():
            for container in stack.containers(service):
                stack.docker("exec", container, f"/usr/bin/{program}", "--healthcheck")
    except AssertionError:
        return False
    return True


def test_a_certificate_is_renewed_in_time_and_redis_heals(stack):
    first = certificates(stack)
    prepare(stack, "prepare")
    assert certificates(stack) == first
    prepare(stack, "-e", "DAYS=80", "prepare", "certificate")
    short = certificates(stack)
    assert short[0] != first[0] and short[1] == 2
    stack.docker("restart", "--time", "10", stack.containers("redis")[0])
    wait_until(lambda: ready(stack), 10, "all work again, with another certificate and authority")
    prepare(stack, "prepare")
    assert certificates(stack)[0] != short[0] and certificates(stack)[1] == 2


def test_a_password_of_redis_is_rotated(stack):
    def shown():
        return in_prepare(stack, "cat /run/tocsin/acl/users.acl").splitlines()

    before = shown()
    prepare(stack, "--entrypoint", "rm", "prepare", "/run/tocsin/collector/redis-password")
    prepare(stack, "prepare")
    assert [new.split()[1] for old, new in zip(before, shown(), strict=True) if old != new] == ["collector"]
    stack.compose("restart", "redis", "collector")
    wait_until(lambda: ready(stack), 20, "all work again, one with another password")


def crash(stack, container):
    """Ends at once, as after a power cut, and is started again as the restart policy would."""
    stack.docker("kill", "--signal", "KILL", container)
    stack.docker("start", container)


def make_trouble(stack):
    """Every service in turn, Redis by turns with a stop, after which it has a new certificate, and with a crash."""
    dice = random.Random(7)
    end = time.monotonic() + CHAOS_S
    done = collections.Counter()
    for service in itertools.cycle(("incident", "redis", "normalizer", "collector", "incident", "redis", "setup", "callback")):
        if service == "redis" and done["redis"] % 2 == 0:
            prepare(stack, "prepare", "certificate")
            stack.docker("restart", "--time", "10", stack.containers("redis")[0])
        else:
            crash(stack, dice.choice(stack.containers(service)))
        done[service] += 1
        if time.monotonic() > end:
            break
        time.sleep(1)
    print(f"\nkilled or restarted in {CHAOS_S} s: {dict(done)}")
    assert len(done) == 6, done


def story_events(stack):
    return [event for event in stack.ask("events/acme")["events"] if event["hostname"].startswith(HOSTS)]


def story_hosts(stack):
    return {event["hostname"] for event in story_events(stack)}


def final_fates(stack):
    """One of each event of the stories, once all of them are in incidents."""
    events = story_events(stack)
    fates = [row["fate"] for answer in stack.trace(event["id"] for event in events)
             for row in answer.get("events", ())]
    return fates if len(fates) == len(events) and all(fate.startswith("incident:") for fate in fates) else None


def incidents(stack):
    return stack.tocsin("incident", "list", "--limit", "1000")["incidents"]


def settled(stack):
    """No work is left, and every incident is on both sides; then the rows. What is put off may stay: it
    watches over contained hosts."""
    status = stack.tocsin("status")
    assert not status["dead"]["count"], json.dumps(stack.tocsin("dead", "list"), indent=2)
    if any(row["length"] for row in status["streams"]):
        return None
    rows = incidents(stack)
    hosts = {row["host"] for row in rows}
    complete = all(row["state"] in ("open", "closed") and row["sys_id"] and row["ctim_id"] for row in rows)
    return rows if complete and story_hosts(stack) <= hosts else None


def test_nothing_is_lost_or_doubled(stack):
    stack.ask("generate", {"account": "acme", "rate": STORIES / CHAOS_S, "total": STORIES, "unique_hosts": True,
                           "host_prefix": HOSTS, "seed": 5,
                           "mix": {"quarantine_failure": 1, "threat_detected": 1, "cloud_ioc": 1, "executed_malware": 1}})
    make_trouble(stack)
    wait_until(lambda: len(story_hosts(stack)) > STORIES / 3, 30, "events of the stories")
    # Nothing may come between the looks at Tocsin and at its vendors.
    stack.ask("generate", method="DELETE")
    stack.compose("stop", "pusher")
    fates = wait_until(lambda: final_fates(stack), 120, "every event in an incident")
    rows = wait_until(lambda: settled(stack), 120, "everything settled")

    per_host = collections.Counter(row["host"] for row in rows if row["host"].startswith(HOSTS))
    assert set(per_host) == story_hosts(stack)
    assert set(per_host.values()) == {1}, per_host.most_common(3)

    summary = stack.ask("summary")
    for vendor in ("servicenow", "threat_response"):
        # Of a group there may be two: a ticket was closed, and then there was another event.
        twice = [key for account in summary[vendor].values() for key in account["duplicates"]
                 if not key.startswith("tocsin-g:")]
        assert not twice, summary[vendor]
    tickets = [record["sys_id"] for instance in summary["servicenow"]
               for record in stack.ask(f"state/servicenow/{instance}")["incidents"]]
    assert sorted(tickets) == sorted(row["sys_id"] for row in rows)
    threats = [record["id"] for organisation in summary["threat_response"]
               for record in stack.ask(f"state/threat_response/{organisation}")["incidents"]]
    assert sorted(threats) == sorted(row["ctim_id"] for row in rows)
    print(f"\n{len(rows)} incidents, one ticket each on both sides; {len(per_host)} of them, of {len(fates)} events, "
          "in the middle of the trouble")


def test_no_service_was_refused_by_redis(stack):
    assert "CRITICAL" not in stack.logs("redis"), "Redis lost something while it read its file"
    for line in stack.logs("setup", *WORKERS).splitlines():
        assert "NOPERM" not in line and "may not run" not in line, line


def test_services_stop_when_they_are_told(stack):
    stack.compose("stop", "setup", *WORKERS)
    for service in ("setup", *WORKERS):
        for container in stack.containers(service):
            state = stack.inspect(container)["State"]
            assert state["ExitCode"] == 0 and not state["OOMKilled"], (service, state)
