"""What an installation costs that has nothing to do, and how soon the demo shows a ticket."""
import os
import pathlib
import subprocess
import time

from harness import System
from harness.fleet import as_in_life
from harness.process import wait_until
from result import rows, value_row

SETTLE_S, SECONDS = 20, 60
ROOT = pathlib.Path(__file__).resolve().parents[2]


def resident_mib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


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
                      ["five services with their children, 3 customers, default threads", measured[-1][2]]),
            value_row("idle_cpu_percent", "% of a core", [m[1] for m in measured], "< 1", [f"over {SECONDS} s"])]
