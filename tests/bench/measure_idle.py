"""What an installation costs that has nothing to do, and how soon the demo shows a ticket."""
import os
import pathlib
import subprocess
import time

from harness import System
from harness.fleet import as_in_life
from harness.process import cpu_seconds, wait_until
from measure_demo import Demo
from result import rows, value_row

SETTLE_S, SECONDS = 20, 60
ROOT = pathlib.Path(__file__).resolve().parents[2]


def figure_mib(path, name):
    for line in open(path):
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0


def resident_mib(pid):
    return figure_mib(f"/proc/{pid}/status", "VmRSS:")


def proportional_mib(pid):
    """A page that several processes map counts in each for its part."""
    return figure_mib(f"/proc/{pid}/smaps_rollup", "Pss:")


def anonymous_mib(pid):
    """What is of this process alone and no copy of a file."""
    return figure_mib(f"/proc/{pid}/status", "RssAnon:")


def children(pid):
    try:
        return [int(child) for task in os.listdir(f"/proc/{pid}/task")
                for child in open(f"/proc/{pid}/task/{task}/children").read().split()]
    except FileNotFoundError:
        return []


def idle_once(folder):
    """(MiB of all processes, percent of a core, MiB of each): three customers, one of each source."""
    folder.mkdir()
    system = System(folder)
    as_in_life(system)
    try:
        system.servicenow("main")
        system.threat_response()
        system.customer("acme", source={"interval": "60s"})
        system.umbrella("globex", instance="main", source={"interval": "60s"})
        system.defender("initech", source={"interval": "60s"})
        system.apply()
        system.tocsin("keygen", "--missing")
        system.start("collector", "normalizer", "incident", "setup")
        system.callback()
        system.pause(SETTLE_S)
        before, begun = [process.cpu_seconds() for process in system.services], time.monotonic()
        system.pause(SECONDS)
        seconds = time.monotonic() - begun
        percent = [(process.cpu_seconds() - cpu) * 100 / seconds
                   for process, cpu in zip(system.services, before)]
        sizes = [resident_mib(process.pid) + sum(map(resident_mib, children(process.pid)))
                 for process in system.services]
        each = ", ".join(f"{process.name} {'setup --watch ' if process.name == 'tocsin' else ''}{size:.1f} MiB {cpu:.2f} %"
                         for process, size, cpu in zip(system.services, sizes, percent))
        return sum(sizes), sum(percent), each
    finally:
        system.done()


@rows("idle_rss_mib", "idle_cpu_percent")
def idle(folder, runs):
    measured = [idle_once(folder / str(i)) for i in range(runs)]
    return [value_row("idle_rss_mib", "MiB", [m[0] for m in measured], "< 60",
                      ["five services with their children, 3 customers, default threads, no TLS to Redis", measured[-1][2]]),
            value_row("idle_cpu_percent", "% of a core", [m[1] for m in measured], "< 1", [f"over {SECONDS} s"])]


def processes_of(demo, service):
    """As this machine sees them."""
    return [int(pid) for container in demo.containers(service)
            for pid in demo.docker("top", container, "-o", "pid").split()[1:]]


def contained_once():
    """(MiB resident, percent of a core, what the row says beside it) of the demo when nothing happens any more."""
    demo = Demo()
    services = ("setup", "collector", "normalizer", "incident", "callback")
    demo.compose("--profile", "demo", "build", "-q", seconds=900)
    try:
        demo.up("--profile", "demo", [])
        demo.compose("--profile", "demo", "kill", "pusher")
        wait_until(demo.reachable, 60, "the sandbox answers")
        demo.ask("generate", method="DELETE")
        wait_until(lambda: demo.healthy(*services), 60, "all services are well")
        # The few events from before the trickle was stopped are over with a start anew.
        demo.compose("restart", *services)
        wait_until(lambda: demo.healthy(*services), 60, "all services are well again")
        time.sleep(SETTLE_S)
        pids = {service: processes_of(demo, service) for service in services}
        every = sum(pids.values(), [])
        before, begun = sum(map(cpu_seconds, every)), time.monotonic()
        time.sleep(SECONDS)
        percent = (sum(map(cpu_seconds, every)) - before) * 100 / (time.monotonic() - begun)
        sizes = {service: sum(map(resident_mib, pids[service])) for service in services}
        beside = [", ".join(f"{service} {size:.1f} MiB" for service, size in sizes.items()),
                  f"PSS {sum(map(proportional_mib, every)):.1f} MiB; without the pages of programs and libraries "
                  f"{sum(map(anonymous_mib, every)):.1f} MiB"]
        return sum(sizes.values()), percent, beside
    finally:
        demo.down()


@rows("idle_tls_rss_mib", "idle_tls_cpu_percent")
def idle_tls(_folder, runs):
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        print("idle_tls_rss_mib: not measured, no container engine answers")
        return []
    measured = [contained_once() for _ in range(runs)]
    return [value_row("idle_tls_rss_mib", "MiB", [m[0] for m in measured], "< 60",
                      ["the images' five services, TLS to Redis, the demo's 3 customers without events", *measured[-1][2]]),
            value_row("idle_tls_cpu_percent", "% of a core", [m[1] for m in measured], "< 1",
                      [f"over {SECONDS} s, health checks not counted: they are other processes"])]
