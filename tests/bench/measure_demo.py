"""docker compose --profile demo up, with images that are built, until there is a ticket."""
import pathlib
import subprocess
import sys
import time
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "container"))

from compose import Compose, wait_until  # noqa: E402
from result import rows, value_row  # noqa: E402


class Demo(Compose):
    """As a person starts it: without the short times of tests."""

    def __init__(self):
        super().__init__()
        self.project = self.project.replace("test", "bench")
        self.env["TAG"] = "bench"

    def compose(self, *args, **options):
        return self.docker("compose", "-p", self.project, "-f", "docker-compose.yml", *args, **options)

    def reachable(self):
        try:
            return self.ask("health")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def tickets(self):
        try:
            return sum(row["incidents"] for row in self.ask("summary")["servicenow"].values())
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return 0


def first_ticket():
    demo = Demo()
    demo.compose("--profile", "demo", "build", "-q", seconds=900)
    started = time.monotonic()
    try:
        demo.up("--profile", "demo", [])
        wait_until(demo.tickets, 120, "the first ticket")
        return time.monotonic() - started
    finally:
        demo.down()


@rows("demo_first_ticket_s")
def demo(_folder, runs):
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        print("demo_first_ticket_s: not measured, no container engine answers")
        return []
    return [value_row("demo_first_ticket_s", "s", [first_ticket() for _ in range(runs)], "< 60",
                      ["from `docker compose --profile demo up` with built images and empty volumes"])]
