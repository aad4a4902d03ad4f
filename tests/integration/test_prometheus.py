"""Alerts and dashboards against the real thing: the rules are checked, and every query of every dashboard
finds something in a Prometheus that scraped the services at work."""
import json
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml

from harness import wait_until
from harness.events import threat_detected
from harness.linked import Callback
from harness.process import free_port

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))

pytestmark = pytest.mark.skipif(not shutil.which("promtool") or not shutil.which("prometheus"),
                                reason="no Prometheus")


@pytest.mark.parametrize("command", [["check", "rules", "rules.yml"], ["check", "config", "prometheus.yml"],
                                     ["test", "rules", "rules_test.yml"],
                                     ["test", "rules", "rules_weeks_test.yml"]], ids=" ".join)
def test_promtool_is_content(command):
    done = subprocess.run(["promtool", *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def alerts():
    return re.findall(r"- alert: (\w+)$", (DEPLOY / "prometheus/rules.yml").read_text(), re.MULTILINE)


def test_every_alert_is_explained():
    """docs/operations.md has a section for each, by its name."""
    text = (DEPLOY.parent / "docs/operations.md").read_text()
    sections = ", ".join(re.findall(r"^### (.*)$", text, re.MULTILINE)).split(", ")
    assert len(alerts()) > 10
    assert set(alerts()) - set(sections) == set()


def test_every_alert_has_fired():
    """In one of promtool's tests, by its name and with what it says."""
    tests = "".join(path.read_text() for path in (DEPLOY / "prometheus").glob("*_test.yml"))
    fired = set(re.findall(r"alertname: (\w+)\n +exp_alerts:", tests))
    assert set(alerts()) - fired == set()


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_dashboards_are_whole(file):
    """What Grafana would show, as far as can be told without it."""
    board = json.loads(file.read_text())
    assert board["uid"] and board["title"] and board["description"] and "id" not in board
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert refs and len(set(refs)) == len(refs)
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        for name in re.findall(r"\$(\w+)", "".join(target["expr"] for target in panel["targets"])):
            assert name in {variable["name"] for variable in board["templating"]["list"]}, name


def test_grafana_is_given_what_dashboards_need():
    boards = [json.loads(file.read_text()) for file in DASHBOARDS]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(boards)
    provisioning = DEPLOY / "grafana/provisioning"
    source, = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    provider, = yaml.safe_load((provisioning / "dashboards/tocsin.yml").read_text())["providers"]
    for board in boards:
        chosen = next(each for each in board["templating"]["list"] if each["name"] == "datasource")
        assert (chosen["query"], chosen["current"]["value"]) == (source["type"], source["uid"])
    services = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    mounts = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert source["url"] == "http://prometheus:9090"
    assert set(services["prometheus"]["networks"]) & set(services["grafana"]["networks"]) == {"observe"}
    assert not services["grafana"]["image"].endswith(("latest", "grafana"))


def test_prometheus_looks_for_every_service():
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    names = config["scrape_configs"][0]["dns_sd_configs"][0]["names"]
    services = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    assert sorted(names) == sorted(name for name, service in services.items()
                                   if "metrics" in service.get("networks", ()) and name != "prometheus")
    absent = re.findall(r'absent\(up\{job="tocsin",service="(\w+)"', (DEPLOY / "prometheus/rules.yml").read_text())
    assert sorted(absent) == sorted(names)


def test_every_metric_in_a_rule_or_a_dashboard_exists():
    known = set(re.findall(r"`(tocsin_\w+|process_\w+)`", (DEPLOY.parent / "docs/metrics.md").read_text()))
    used = set()
    for file in [DEPLOY / "prometheus/rules.yml", *DASHBOARDS]:
        used |= set(re.findall(r"\b(?:tocsin|process)_[a-z_]+", file.read_text()))
    used = {name.removesuffix("_bucket") for name in used}
    assert used - known == set()


class Prometheus:
    def __init__(self, folder, targets):
        self.port = free_port()
        config = folder / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [{"job_name": "tocsin", "static_configs": [
                {"targets": [f"127.0.0.1:{port}"], "labels": {"service": name}}
                for name, port in targets.items()]}]}))
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def query(self, expression):
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it reads its own log first
                return []
            raise AssertionError(f"{expression}: {error.read().decode()}") from error
        except OSError:
            return []

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def watched(system, tmp_path):
    """Services that have opened tickets and closed one, and a Prometheus that looked on."""
    outside = Callback(system)
    outside.servicenow("main", client_id="tocsin-main")
    system.threat_response(expires=time.strftime("%Y-%m-%d", time.gmtime(time.time() + 20 * 86400)))
    system.customer("acme", closing={"grace": "0s"})
    processes = {"setup": system.service("setup", TOCSIN_METRICS_INTERVAL="500ms")}
    for name in ("collector", "normalizer", "incident"):
        processes[name] = system.service(name)
    for process in processes.values():
        process.ready()
    processes["callback"] = outside.start()
    prometheus = Prometheus(tmp_path, {name: process.port for name, process in processes.items()})
    yield system, prometheus
    prometheus.stop()
    system.done()


def expressions():
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                # What Grafana fills in; and shorter ranges, for a test is over sooner.
                yield (f"{file.stem}: {panel['title']}",
                       target["expr"].replace("$customer", "acme").replace("[5m]", "[30s]")
                       .replace("[15m]", "[30s]").replace("[1h]", "[30s]"))


def test_every_query_of_every_dashboard_finds_something(watched):
    system, prometheus = watched
    wait_until(lambda: prometheus.query("count(up == 1) == 5"), 60, "all services are scraped")
    number = 0
    end = time.monotonic() + 60
    missing = dict(expressions())
    assert len(missing) > 20
    while missing and time.monotonic() < end:
        # A rate needs two scrapes between which something happened.
        event = threat_detected(number)
        system.emit("acme", [event])
        number += 1
        if number == 2:
            incident = wait_until(lambda: system.redis.client.keys(
                system.key_name("incident:????????????????")), 20)[0].rsplit(":", 1)[1]
            system.tocsin("incident", "close", incident, "--verdict", "benign")
        missing = {what: expression for what, expression in missing.items()
                   if not prometheus.query(expression)}
        system.pause(1)
    assert not missing
