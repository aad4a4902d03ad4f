"""The manifests, as `kubectl apply -k` would send them: every overlay renders, every pod is restricted,
and nothing refers to what is not there."""
import base64
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from harness import build_dir

yaml = pytest.importorskip("yaml")

ROOT = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
EXTERNAL = "external-redis"
COMPONENTS = "components"  # production with those that no overlay has
STOPPED = "stopped"  # all that there can be, under maintenance
WORKLOADS = ("Deployment", "StatefulSet", "CronJob")
SERVICES = {"collector", "normalizer", "incident", "callback"}


def renders():
    """Whether there is a kubectl whose kustomize knows components (kubectl 1.21)."""
    if not shutil.which("kubectl"):
        return False
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES / "base"], capture_output=True, check=False)
    return done.returncode == 0 or b"omponent" not in done.stderr


pytestmark = pytest.mark.skipif(not renders(), reason="no kubectl 1.21 or newer")


def written(folder, resource, *components):
    """An overlay as an operator writes one."""
    here = os.path.relpath(KUBERNETES, folder)
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: tocsin\n"
        f"resources: [{here}/overlays/{resource}]\n"
        f"components: [{', '.join(f'{here}/components/{each}' for each in components)}]\n")
    return folder


@pytest.fixture(scope="module", params=[*OVERLAYS, COMPONENTS, STOPPED])
def overlay(request, tmp_path_factory):
    folder = KUBERNETES / "overlays" / request.param
    if request.param == COMPONENTS:
        folder = written(tmp_path_factory.mktemp("overlay"), "production", "canary", "monitoring")
    if request.param == STOPPED:
        folder = written(tmp_path_factory.mktemp("overlay"), "per-customer", "canary", "maintenance")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return request.param, [each for each in yaml.safe_load_all(done.stdout) if each]


def of_kind(overlay, *kinds):
    return [each for each in overlay[1] if each["kind"] in kinds]


def names(overlay, kind):
    return {each["metadata"]["name"] for each in of_kind(overlay, kind)}


def pods(overlay):
    for workload in of_kind(overlay, *WORKLOADS):
        spec = workload["spec"]
        yield workload["metadata"]["name"], spec.get("jobTemplate", {}).get("spec", spec)["template"]


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
    assert names(overlay, "StatefulSet") == (set() if overlay[0] == EXTERNAL else {"redis"})
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
        if name in ("client", "canary"):
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
        for spread in pod["spec"]["topologySpreadConstraints"]:
            selector = spread["labelSelector"]
            assert selected(pod["metadata"]["labels"], selector), name
            # A label in both is refused by the API server (Kubernetes 1.27).
            assert not set(spread["matchLabelKeys"]) & set(selector["matchLabels"]), name
        assert pod["spec"]["terminationGracePeriodSeconds"] == 30, name
        away = {each["key"]: each["tolerationSeconds"] for each in pod["spec"]["tolerations"]}
        assert away == {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}, name


def test_selectors_find_their_own_pods_only(overlay):
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(overlay)}
    for workload in of_kind(overlay, "Deployment", "StatefulSet"):
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
    assert {name for name, by in ingress.items() if "redis" in by} == names(overlay, "StatefulSet")
    assert ingress["client"] == set()
    assert {name.split("-")[0] for name in outside} - {"canary"} == {"collector", "incident", "client"}


def ports_of(rules):
    return sorted(str(port["port"]) for rule in rules for port in rule.get("ports", ["none"]))


def test_each_flow_has_its_port_and_no_more(overlay):
    """Who may be reached at which port by whom, and what may go out: all of the policies together."""
    for name, pod in pods(overlay):
        labels = pod["metadata"]["labels"]
        ingress = [rule for _, rules in allowed(overlay, labels, "Ingress") for rule in rules]
        egress = [rule for _, rules in allowed(overlay, labels, "Egress") for rule in rules]
        kind = name.split("-")[0]
        vendors = ["8080"] if overlay[0] == "demo" else ["443", "465", "587"]
        wanted_in = {"redis": ["redis"], "client": [], "callback": ["health", "public"],
                     "sandbox": ["health", "http"]}.get(kind, ["health"])
        redis = [] if kind in ("redis", "sandbox") else ["6380" if overlay[0] == EXTERNAL else "6379"]
        wanted_out = ["53", "53"] + redis + (
            vendors if kind in ("collector", "incident", "client", "canary") else [])
        assert ports_of(ingress) == sorted(wanted_in), name
        assert ports_of(egress) == sorted(wanted_out), name
        assert all(rule.get("from") for rule in ingress) and all(rule.get("to") for rule in egress), name


def towards(overlay, pod, direction, peer):
    """The ports, as numbers, that a pod's policies open for another pod of the namespace."""
    server = peer if direction == "Egress" else pod
    numbers = {port["name"]: port["containerPort"] for port in server["spec"]["containers"][0].get("ports", [])}
    for _, rules in allowed(overlay, pod["metadata"]["labels"], direction):
        for rule in rules:
            for each in rule.get("to") or rule.get("from"):
                if "podSelector" in each and "namespaceSelector" not in each and selected(
                        peer["metadata"]["labels"], each["podSelector"]):
                    yield from (numbers.get(port["port"], port["port"]) for port in rule["ports"])


def test_what_one_side_opens_the_other_does_too(overlay):
    for name, pod in pods(overlay):
        for peer, other in pods(overlay):
            assert set(towards(overlay, pod, "Egress", other)) == set(towards(overlay, other, "Ingress", pod)), (
                f"{name} to {peer}")


def test_no_vendor_is_inside_the_cluster(overlay):
    """Private networks, those of the carriers and the metadata service are not the internet."""
    for policy in of_kind(overlay, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for to in rule["to"]:
                if to.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                    assert {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12",
                            "192.168.0.0/16"} <= set(to["ipBlock"]["except"])


def test_who_shares_a_volume_is_on_one_node(overlay):
    """Whichever of them is placed again, it goes where the other is; else it waits for the volume for ever."""
    sharing = {}
    for name, pod in pods(overlay):
        for volume in pod["spec"].get("volumes", []):
            if "persistentVolumeClaim" in volume:
                sharing.setdefault(volume["persistentVolumeClaim"]["claimName"], []).append(pod)
    assert len(sharing["config"]) == 2
    for pods_of_claim in sharing.values():
        for one in pods_of_claim if len(pods_of_claim) > 1 else []:
            (term,) = one["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            assert term["topologyKey"] == "kubernetes.io/hostname"
            assert all(selected(other["metadata"]["labels"], term["labelSelector"]) for other in pods_of_claim)


def test_callback_goes_on_until_the_ingress_knows(overlay):
    spec = dict(pods(overlay))["callback"]["spec"]
    wait = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert wait > 0 and wait + 10 < spec["terminationGracePeriodSeconds"]  # a service needs at most 10 s


def test_maintenance_stops_all_that_works(overlay):
    stopped = {each["metadata"]["name"] for each in of_kind(overlay, "Deployment") if each["spec"].get("replicas") == 0}
    if overlay[0] not in ("maintenance", STOPPED):
        assert not stopped
        return
    assert stopped == names(overlay, "Deployment") - {"client"}
    assert all(each["spec"]["suspend"] for each in of_kind(overlay, "CronJob"))
    for each in of_kind(overlay, "ScaledObject"):
        assert each["metadata"]["annotations"]["autoscaling.keda.sh/paused-replicas"] == "0"
    client = dict(pods(overlay))["client"]["spec"]
    (user,) = [each for each in client["containers"][0]["env"] if each["name"] == "TOCSIN_REDIS_USER"]
    assert user["value"] == "setup"
    assert [v["secret"]["items"] for v in client["volumes"] if v["name"] == "password"] == [
        [{"key": "setup", "path": "redis-password"}]]


def test_every_process_is_scraped(overlay):
    for monitor in of_kind(overlay, "PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        found = {name for name, pod in pods(overlay) if selected(pod["metadata"]["labels"], monitor["spec"]["selector"])
                 and any(port["name"] == endpoint["port"] for port in pod["spec"]["containers"][0].get("ports", []))}
        assert found == SERVICES | {"setup"}


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
    assert holders.get("redis-tls", set()) == names(overlay, "StatefulSet")
    assert holders["keys"] - {"canary"} == {"collector", "incident", "client"} | demo
    assert holders["link-keys"] == {"incident", "client"}
    assert holders["callback-keys"] == {"callback", "client"}


CA = "/run/tocsin/redis-ca"


def test_redis_is_reached_with_tls_only(overlay):
    (settings,) = [each["data"] for each in of_kind(overlay, "ConfigMap")]
    assert settings["TOCSIN_REDIS_URL"].startswith("rediss://")
    assert settings["TOCSIN_REDIS_CA_FILE"] == f"{CA}/redis-ca.pem"
    for name, pod in pods(overlay):
        if "redis" not in pod["metadata"]["labels"] and name != "redis":
            continue
        (volume,) = [each for each in pod["spec"]["volumes"] if mounted(each) == {"redis-ca"}]
        for container in pod["spec"]["containers"]:
            assert {"name": volume["name"], "mountPath": CA, "readOnly": True} in container["volumeMounts"], name
    conf = (ROOT / "deploy/redis/redis.conf").read_text().split("\n")
    assert {"port 0", "tls-port 6379"} <= set(conf)
    for redis in [pod for name, pod in pods(overlay) if name == "redis"]:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            command = redis["spec"]["containers"][0][probe]["exec"]["command"]
            assert command[:4] == ["redis-cli", "--tls", "--cacert", f"{CA}/redis-ca.pem"]
    for each in of_kind(overlay, "TriggerAuthentication"):
        assert {"password", "tls", "ca"} == {target["parameter"] for target in each["spec"]["secretTargetRef"]}


def decoded(manifests, secret, key):
    (found,) = [each for each in yaml.safe_load_all(manifests) if each["metadata"]["name"] == secret]
    return base64.b64decode(found["data"][key])


def test_a_new_certificate_is_believed_beside_the_old_one(tmp_path):
    def make(*args):
        # Not the suite's own settings: a TOCSIN_ one that no process knows is refused.
        env = {"PATH": os.environ["PATH"], "TOCSIN": str(build_dir() / "tocsin")}
        return subprocess.run([KUBERNETES / "make-secrets", *args], capture_output=True, text=True, check=True,
                              env=env).stdout

    def verified(ca, certificate, name):
        (tmp_path / "ca").write_bytes(ca)
        (tmp_path / "pem").write_bytes(certificate)
        return subprocess.run(["openssl", "verify", "-verify_hostname", name, "-CAfile", tmp_path / "ca",
                               tmp_path / "pem"], capture_output=True, check=False).returncode == 0

    first = make()
    old, old_ca = decoded(first, "redis-tls", "redis.pem"), decoded(first, "redis-ca", "redis-ca.pem")
    (tmp_path / "old-ca").write_bytes(old_ca)
    second = make("--certificate", tmp_path / "old-ca")
    assert {each["metadata"]["name"] for each in yaml.safe_load_all(second)} == {"redis-tls", "redis-ca"}
    new, new_ca = decoded(second, "redis-tls", "redis.pem"), decoded(second, "redis-ca", "redis-ca.pem")
    for name in ("redis", "redis.tocsin.svc", "localhost"):
        assert verified(old_ca, old, name) and verified(new_ca, old, name) and verified(new_ca, new, name)
    assert not verified(old_ca, new, "redis") and not verified(new_ca, new, "elsewhere")
    assert b"PRIVATE" not in new_ca and new.count(b"BEGIN PRIVATE") == 1


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


def test_everybody_goes_to_the_same_redis(overlay):
    """Services, the scaler, and the policies that let them."""
    (settings,) = [each for each in of_kind(overlay, "ConfigMap") if each["metadata"]["name"].startswith("settings")]
    host, port = re.fullmatch(r"rediss://([a-z.]+):(\d+)", settings["data"]["TOCSIN_REDIS_URL"]).groups()
    (policy,) = [each for each in of_kind(overlay, "NetworkPolicy") if each["metadata"]["name"] == "redis-clients"]
    assert [rule["ports"] for rule in policy["spec"]["egress"]] == [[{"port": int(port)}]]
    inside = host in names(overlay, "Service")
    assert inside == (overlay[0] != EXTERNAL)
    assert all("ipBlock" in to for rule in policy["spec"]["egress"] for to in rule["to"]) != inside
    for each in of_kind(overlay, "ScaledObject"):
        for trigger in each["spec"]["triggers"]:
            assert trigger["metadata"]["address"] == (f"{host}.tocsin.svc:{port}" if inside else f"{host}:{port}")


def test_a_pinned_collector_is_one_of_its_own():
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES / "overlays/per-customer"],
                          capture_output=True, text=True, check=True)
    (pinned,) = [each for each in yaml.safe_load_all(done.stdout)
                 if each["kind"] == "Deployment" and each["metadata"]["name"] == "collector-acme"]
    (container,) = pinned["spec"]["template"]["spec"]["containers"]
    assert {"name": "TOCSIN_CUSTOMERS", "value": "acme"} in container["env"]
