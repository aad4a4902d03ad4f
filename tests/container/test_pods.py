"""The pods of the overlays, as containers: each starts with what its manifest gives it, and what docs/kubernetes.md
has a person type works in the client."""
import json
import pathlib
import subprocess

import pytest

from compose import Compose, wait_until
from pods import Cluster

OVERLAYS = pathlib.Path(__file__).resolve().parents[2] / "deploy/kubernetes/overlays"


def renders():
    try:
        done = subprocess.run(["kubectl", "kustomize", OVERLAYS / "production"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


pytestmark = pytest.mark.skipif(not renders(), reason="no kubectl 1.21 or newer")


@pytest.fixture(scope="module", autouse=True)
def fixture_images():
    Compose().compose("--profile", "demo", "--profile", "client", "build", "-q", seconds=900)


@pytest.fixture(name="cluster")
def fixture_cluster(tmp_path):
    """cluster(overlay) starts one; the next one of a test has the secrets and volumes of the one before."""
    running = []

    def start(overlay):
        secrets = running[-1].secrets if running else None
        for old in running:
            old.done()
        running.append(Cluster(OVERLAYS / overlay, tmp_path, "test"))
        running[-1].make_secrets(secrets)
        running[-1].start()
        for name, pod in running[-1].pods.items():
            wait_until(pod.probe, 60, f"{name} is ready: {pod.logs()[-500:]}")
        return running[-1]

    yield start
    for each in running:
        each.done()


def client(cluster, *words, **options):
    return json.loads(cluster.pods["client"].exec("tocsin", "--json", *words, **options))


def test_the_demo_opens_tickets(cluster):
    demo = cluster("demo")
    wait_until(lambda: client(demo, "status")["incidents"]["open"] >= 3, 60, "tickets")


def test_production_its_stop_and_a_restored_backup(cluster):
    production = cluster("production")
    client(production, "customer", "add", "acme", "--name", "Acme Manufacturing", "--umbrella-client-id", "key-1",
           "--secrets-stdin", input='{"umbrella": "a-secret"}')
    wait_until(lambda: client(production, "status")["sources"], 20, "setup has applied it")
    backup = production.pods["client"].exec("sh", "-c", "tocsin backup /tmp/b >&2 && cat /tmp/b && rm /tmp/b")
    assert '"end":true' in backup
    for name, pod in production.pods.items():
        assert pod.stop() == 0 or name == "client", name
    production.forget("redis-data", "claim-config")
    stopped = cluster("maintenance")
    assert set(stopped.pods) == {"redis", "client"}
    stopped.pods["client"].exec("sh", "-c", "cat > /tmp/b", input=backup)
    assert client(stopped, "restore", "/tmp/b")["files"] == 1
    again = cluster("production")
    assert [row["id"] for row in client(again, "customer", "list")["customers"]] == ["acme"]
    wait_until(lambda: client(again, "status")["sources"], 20, "setup has applied it again")
