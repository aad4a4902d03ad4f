"""The manifests, as `kubectl apply -k` would send them: every overlay renders, every pod is restricted,
and nothing refers to what is not there."""
import pathlib
import re
import shutil
import subprocess

import pytest

yaml = pytest.importorskip("yaml")

ROOT = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
WORKLOADS = ("Deployment", "StatefulSet")
SERVICES = {"collector", "normalizer", "incident", "callback"}


def renders():
    """Whether there is a kubectl whose kustomize knows components (kubectl 1.21)."""
    if not shutil.which("kubectl"):
        return False
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES / "base"], capture_output=True, check=False)
    return done.returncode == 0 or b"omponent" not in done.stderr


pytestmark = pytest.mark.skipif(not renders(), reason="no kubectl 1.21 or newer")


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request):
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES / "overlays" / request.param],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return request.param, [each for each in yaml.safe_load_all(done.stdout) if each]


def of_kind(overlay, *kinds):
    return [each for each in overlay[1] if each["kind"] in kinds]


def names(overlay, kind):
    return {each["metadata"]["name"] for each in of_kind(overlay, kind)}


def pods(overlay):
    for workload in of_kind(overlay, *WORKLOADS):
        yield workload["metadata"]["name"], workload["spec"]["template"]


def containers(overlay):
    for name, pod in pods(overlay):
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            yield f"{name}/{container['name']}", container


def selected(labels, selector):
    exact = (selector.get("matchLabels") or {}).items() <= labels.items()
    for rule in selector.get("matchExpressions") or []:
        inside = labels.get(rule["key"]) in rule["values"]
        exact = exact and inside == (rule["operator"] == "In")
    return exact


def test_every_service_is_there(overlay):
    there = names(overlay, "Deployment")
    assert SERVICES | {"setup", "client"} <= there
    assert "redis" in names(overlay, "StatefulSet")
    assert all(each["metadata"]["namespace"] == "tocsin" for each in overlay[1]
               if each["kind"] != "Namespace")


def test_namespace_enforces_the_restricted_standard(overlay):
    (namespace,) = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_pod_is_restricted(overlay):
    for name, pod in pods(overlay):
        spec = pod["spec"]
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] == 65532, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            assert not spec.get(key), name
        assert not any("hostPath" in volume for volume in spec.get("volumes", [])), name


def test_every_container_is_restricted_and_bounded(overlay):
    for name, container in containers(overlay):
        context = container["securityContext"]
        assert context == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                           "capabilities": {"drop": ["ALL"]}}, name
        assert container["resources"]["limits"]["memory"], name
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
        tag = container["image"].rpartition(":")[2]
        assert tag and tag != "latest" and "/" not in tag, f"{name}: {container['image']} has no tag"


def test_every_service_is_probed_on_a_port_it_has(overlay):
    for name, pod in pods(overlay):
        if name == "client":
            continue
        (container,) = pod["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            action = container[probe].get("httpGet") or container[probe].get("tcpSocket")
            assert not action or action["port"] in ports, f"{name}: {probe}"


def test_services_that_scale_have_a_budget_and_spread(overlay):
    budgets = {each["spec"]["selector"]["matchLabels"]["app"]: each["spec"]
               for each in of_kind(overlay, "PodDisruptionBudget")}
    for name, pod in pods(overlay):
        if pod["metadata"]["labels"].get("app.kubernetes.io/component") != "worker":
            continue
        assert budgets[pod["metadata"]["labels"]["app"]]["maxUnavailable"] == 1
        assert pod["spec"]["topologySpreadConstraints"], name
        assert pod["spec"]["terminationGracePeriodSeconds"] == 30, name


def test_selectors_find_their_own_pods_only(overlay):
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(overlay)}
    for workload in of_kind(overlay, *WORKLOADS):
        found = {name for name, have in labels.items() if selected(have, workload["spec"]["selector"])}
        assert found == {workload["metadata"]["name"]}
    for service in of_kind(overlay, "Service"):
        found = {name for name, have in labels.items()
                 if service["spec"]["selector"].items() <= have.items()}
        assert found == {service["metadata"]["name"]}


def allowed(overlay, pod_labels, direction):
    """The policies that open a direction for a pod; it is shut when any selects it and none opens."""
    for policy in of_kind(overlay, "NetworkPolicy"):
        spec = policy["spec"]
        if direction in spec["policyTypes"] and selected(pod_labels, spec.get("podSelector") or {}):
            yield policy["metadata"]["name"], spec.get(direction.lower()) or []


def test_nothing_is_open_but_what_must_be(overlay):
    ingress, outside = {}, set()
    for name, pod in pods(overlay):
        labels = pod["metadata"]["labels"]
        opened = dict(allowed(overlay, labels, "Ingress"))
        assert "default-deny" in opened, name
        ingress[name] = {policy for policy, rules in opened.items() if rules}
        if "vendors" in dict(allowed(overlay, labels, "Egress")):
            outside.add(name)
    assert {name for name, by in ingress.items() if "callback" in by} == {"callback"}
    assert {name for name, by in ingress.items() if "redis" in by} == {"redis"}
    assert ingress["client"] == set()
    assert {name.split("-")[0] for name in outside} == {"collector", "incident", "client"}


def test_only_callback_is_reached_by_an_ingress(overlay):
    for each in of_kind(overlay, "Ingress"):
        assert each["spec"]["tls"]
        for rule in each["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                assert path["backend"]["service"]["name"] == "callback"
    assert all(each["spec"].get("type", "ClusterIP") == "ClusterIP" for each in of_kind(overlay, "Service"))


def test_everything_referred_to_exists(overlay):
    made = subprocess.run([KUBERNETES / "make-secrets", "--list"], capture_output=True, text=True, check=True)
    secrets = {}
    for line in made.stdout.split("\n")[:-1]:
        name, key = line.split()
        secrets.setdefault(name, set()).add(key)
    claims = names(overlay, "PersistentVolumeClaim")
    for name, pod in pods(overlay):
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        for volume in volumes.values():
            if "secret" in volume:
                secret = volume["secret"]
                keys = {item["key"] for item in secret.get("items", [])}
                assert keys <= secrets[secret["secretName"]], f"{name}: {secret}"
            assert mounted(volume) - {None} <= set(secrets), name
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims, name
        for container in pod["spec"]["containers"]:
            for source in container.get("envFrom", []):
                assert source["configMapRef"]["name"] in names(overlay, "ConfigMap"), name
    for each in of_kind(overlay, "TriggerAuthentication"):
        for target in each["spec"]["secretTargetRef"]:
            assert target["key"] in secrets[target["name"]]


def test_settings_and_redis_users_are_known(overlay):
    known = set(re.findall(r"`(TOCSIN_[A-Z_]+)`", (ROOT / "docs/configuration.md").read_text()))
    users = set(re.findall(r"^user (\S+)", (ROOT / "deploy/redis/users.acl").read_text(), re.M))
    settings = [pair for each in of_kind(overlay, "ConfigMap") for pair in each["data"].items()]
    for _, container in containers(overlay):
        settings += [(each["name"], each.get("value")) for each in container.get("env", [])]
    for name, value in settings:
        if name.startswith("TOCSIN_"):
            assert name.removesuffix("_FILE") in known or name in known, name
        if name == "TOCSIN_REDIS_USER":
            assert value in users


def mounted(volume):
    """Names of the secrets in a volume."""
    sources = volume.get("projected", {}).get("sources", [])
    return {volume.get("secret", {}).get("secretName")} | {each.get("secret", {}).get("name") for each in sources}


def test_who_has_which_keys(overlay):
    holders = {}
    for name, pod in pods(overlay):
        for volume in pod["spec"].get("volumes", []):
            for secret in mounted(volume) - {None}:
                holders.setdefault(secret, set()).add(name.split("-")[0])
    demo = {"setup"} if overlay[0] == "demo" else set()
    assert holders["keys"] == {"collector", "incident", "client"} | demo
    assert holders["link-keys"] == {"incident", "client"}
    assert holders["callback-keys"] == {"callback", "client"}


def test_scaling_is_by_length_of_streams_that_exist_and_never_to_nothing(overlay):
    streams = set(re.findall(r"^\| `([a-z]+)` \|", (ROOT / "docs/streams.md").read_text(), re.M))
    scaled = of_kind(overlay, "ScaledObject")
    assert (overlay[0] == "demo") == (not scaled)
    for each in scaled:
        assert each["spec"]["minReplicaCount"] >= 1
        assert each["spec"]["scaleTargetRef"]["name"] in names(overlay, "Deployment")
        for trigger in each["spec"]["triggers"]:
            metadata = trigger["metadata"]
            assert re.fullmatch(r"tocsin:\{p0\}:(\w+)", metadata["stream"])[1] in streams
            assert int(metadata["streamLength"]) > 0
            assert "consumerGroup" not in metadata and "lagCount" not in metadata


def test_a_pinned_collector_is_one_of_its_own():
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES / "overlays/per-customer"],
                          capture_output=True, text=True, check=True)
    (pinned,) = [each for each in yaml.safe_load_all(done.stdout)
                 if each["kind"] == "Deployment" and each["metadata"]["name"] == "collector-acme"]
    (container,) = pinned["spec"]["template"]["spec"]["containers"]
    assert {"name": "TOCSIN_CUSTOMERS", "value": "acme"} in container["env"]
