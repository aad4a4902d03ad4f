"""The pods of a rendered overlay in plain containers: image, command, settings, user, volumes and probes as the
manifests say, with owners and modes as the kubelet makes them. What needs a cluster is left out: scheduling,
network policies, the Ingress."""
import base64
import os
import pathlib
import shutil
import subprocess
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
USER = 65532


def docker(*args, check=True, seconds=120, **options):
    done = subprocess.run(["docker", *map(str, args)], text=True, timeout=seconds, capture_output=True, check=False,
                          **options)
    assert done.returncode == 0 or not check, f"docker {' '.join(map(str, args))}: {done.stderr[-3000:]}"
    return done.stdout if check else done


def mebibytes(quantity):
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]


class Pod:
    """One of a workload's pods: its containers run one after another, the last one stays."""

    def __init__(self, cluster, template, claims):
        self.cluster, self.spec, self.claims = cluster, template["spec"], claims
        self.app = template["metadata"]["labels"]["app"]
        self.name = f"{cluster.name}-{self.app}"
        self.container = self.spec["containers"][0]

    def volume(self, name):
        """The folder that stands for a volume."""
        for volume in self.spec.get("volumes", []):
            if volume["name"] == name:
                return self.cluster.folder_of(self.app, volume)
        assert name in self.claims
        return self.cluster.writable(f"{self.app}-{name}")

    def options(self, container):
        env = {}
        for source in container.get("envFrom", []):
            env |= self.cluster.named("ConfigMap", source["configMapRef"]["name"])["data"]
        for each in container.get("env", []):
            env[each["name"]] = each.get("value", self.name)
        context = self.spec["securityContext"] | container["securityContext"]
        assert context["readOnlyRootFilesystem"] and context["runAsNonRoot"]
        words = ["--user", f"{context['runAsUser']}:{context['runAsGroup']}", "--read-only", "--cap-drop", "ALL",
                 "--security-opt", "no-new-privileges", "--network", self.cluster.name,
                 "--memory", f"{mebibytes(container['resources']['limits']['memory'])}m"]
        if "fsGroup" in context:
            words += ["--group-add", context["fsGroup"]]
        for key, value in env.items():
            words += ["--env", f"{key}={value}"]
        for mount in container.get("volumeMounts", []):
            words += ["--volume", f"{self.volume(mount['name'])}:{mount['mountPath']}"
                      + (":ro" if mount.get("readOnly") else "")]
        if "command" in container:
            words += ["--entrypoint", container["command"][0]]
        return words + [self.cluster.image(container["image"]), *container.get("command", [])[1:],
                        *container.get("args", [])]

    def start(self):
        for container in self.spec.get("initContainers", []):
            docker("run", "--rm", *self.options(container))
        docker("run", "-d", "--name", self.name, "--hostname", self.name, "--network-alias", self.app,
               *self.options(self.container))
        return self

    def run_once(self):
        """Runs a job's pod to its end: (exit status, what it said)."""
        done = docker("run", "--rm", *self.options(self.container), check=False)
        return done.returncode, done.stdout + done.stderr

    def exec(self, *words, check=True, **options):
        return docker("exec", *(["-i"] if "input" in options else []), self.name, *words, check=check, **options)

    def address(self):
        return docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name).strip()

    def probe(self, which="readinessProbe"):
        """What the kubelet would find."""
        probe = self.container.get(which)
        if not probe:
            return docker("inspect", "-f", "{{.State.Running}}", self.name).strip() == "true"
        if "exec" in probe:
            try:
                return self.exec(*probe["exec"]["command"], check=False, seconds=5).returncode == 0
            except subprocess.TimeoutExpired:
                return False
        action = probe.get("httpGet") or probe["tcpSocket"]
        port = next(p["containerPort"] for p in self.container["ports"] if p["name"] == action["port"])
        words = ["curl", "-fsS", "-m", "5", "-o", os.devnull, f"http://{self.address()}:{port}{action.get('path', '/')}"]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def logs(self):
        done = docker("logs", self.name, check=False)
        return done.stdout + done.stderr

    def stop(self):
        """As a deleted pod is: SIGTERM and its grace. The exit status."""
        docker("stop", "-t", self.spec.get("terminationGracePeriodSeconds", 30), self.name)
        status = int(docker("inspect", "-f", "{{.State.ExitCode}}", self.name))
        docker("rm", "-f", self.name)
        return status


class Cluster:
    """All objects of an overlay. folder: where volumes live; images: from the manifests' names to those here."""

    def __init__(self, overlay, folder, image_tag, image_prefix="tocsin/"):
        self.folder = pathlib.Path(folder)
        self.tag, self.prefix = image_tag, image_prefix
        self.name = f"pods-{os.getpid()}"
        rendered = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True, check=True).stdout
        self.objects = [each for each in yaml.safe_load_all(rendered) if each]
        self.secrets = {}
        self.pods = {}
        docker("network", "create", self.name)

    def image(self, name):
        return f"{self.prefix}{name.rpartition('/')[2].rpartition(':')[0]}:{self.tag}"

    def make_secrets(self, given=None):
        """Those of make-secrets, or those of another one."""
        if given:
            self.secrets = given
            return
        env = os.environ | {"TOCSIN": str(ROOT / os.environ.get("TOCSIN_BUILD", "build/release") / "tocsin")}
        made = subprocess.run([ROOT / "deploy/kubernetes/make-secrets"], env=env, capture_output=True, text=True,
                              check=True).stdout
        for each in yaml.safe_load_all(made):
            if each:
                self.secrets[each["metadata"]["name"]] = {
                    key: base64.b64decode(value) for key, value in each["data"].items()}

    def named(self, kind, name):
        return next(each for each in self.objects if each["kind"] == kind and each["metadata"]["name"] == name)

    def writable(self, name):
        """An empty volume, as fsGroup leaves it."""
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir(parents=True)
            os.chown(folder, 0, USER)
            folder.chmod(0o2775)
        return folder

    def written(self, name, files, mode):
        """Secrets and ConfigMaps: each file is a link to one in a folder that is replaced as a whole."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        data = folder / f"..{time.time_ns()}"
        data.mkdir(parents=True)
        (folder / "..data").symlink_to(data.name)
        for file, content in files.items():
            (data / file).write_bytes(content)
            (data / file).chmod(mode)
            os.chown(data / file, 0, USER)
            (folder / file).symlink_to(f"..data/{file}")
        return folder

    def forget(self, *volumes):
        """Volumes that are lost."""
        for name in volumes:
            shutil.rmtree(self.folder / name)

    def secret(self, source):
        have = self.secrets[source.get("secretName") or source["name"]]
        items = source.get("items") or [{"key": key, "path": key} for key in have]
        return {item["path"]: have[item["key"]] for item in items}

    def folder_of(self, app, volume):
        name = f"{app}-{volume['name']}"
        if "secret" in volume:
            return self.written(name, self.secret(volume["secret"]), volume["secret"]["defaultMode"])
        if "projected" in volume:
            files = {}
            for source in volume["projected"]["sources"]:
                files |= self.secret(source["secret"])
            return self.written(name, files, volume["projected"]["defaultMode"])
        if "configMap" in volume:
            data = self.named("ConfigMap", volume["configMap"]["name"])["data"]
            return self.written(name, {key: text.encode() for key, text in data.items()}, 0o644)
        if "persistentVolumeClaim" in volume:
            return self.writable(f"claim-{volume['persistentVolumeClaim']['claimName']}")
        assert "emptyDir" in volume, volume
        return self.writable(name)

    def make(self, kind, name):
        spec = self.named(kind, name)["spec"]
        if kind == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        claims = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
        return Pod(self, spec["template"], claims)

    def start(self):
        """One pod of each workload that is to have any, all at once as a cluster does."""
        for each in self.objects:
            if each["kind"] in ("Deployment", "StatefulSet") and each["spec"].get("replicas", 1) > 0:
                pod = self.make(each["kind"], each["metadata"]["name"])
                self.pods[each["metadata"]["name"]] = pod.start()

    def done(self):
        for pod in self.pods.values():
            docker("rm", "-f", pod.name, check=False)
        docker("network", "rm", self.name, check=False)
