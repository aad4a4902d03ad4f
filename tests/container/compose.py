"""docker compose, driven as a person would drive it, under a project name of its own."""
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
SERVICES = ("redis", "setup", "collector", "normalizer", "incident", "callback", "sandbox")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    """The first true answer of condition()."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.3)


class Compose:
    def __init__(self):
        self.project = f"tocsin-test-{os.getpid()}"
        port = free_port()
        self.sandbox = f"http://127.0.0.1:{port}"
        self.callback_port = free_port()
        self.prometheus_port = free_port()
        self.env = {**os.environ, "SANDBOX_PORT": str(port), "TAG": "test",
                    "PROMETHEUS_PORT": str(self.prometheus_port),
                    "CALLBACK_LISTEN": f"127.0.0.1:{self.callback_port}"}

    def docker(self, *args, check=True, seconds=300):
        done = subprocess.run(["docker", *map(str, args)], cwd=ROOT, env=self.env, text=True, timeout=seconds,
                              capture_output=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0 or not check, f"docker {' '.join(map(str, args))}: {(done.stdout + done.stderr)[-3000:]}"
        return done.stdout

    def compose(self, *args, **options):
        return self.docker("compose", "-p", self.project, "-f", "docker-compose.yml", "-f",
                           HERE / "fast.yml", *args, **options)

    def up(self, *args):
        self.compose(*args[:-1], "up", "-d", *args[-1])

    def down(self):
        self.compose("--profile", "demo", "--profile", "client", "--profile", "observe", "down", "-v", "--timeout", "20", check=False)

    def tocsin(self, *args):
        """The client's --json answer. Exit status 4 says that something is not well, with a document."""
        return json.loads(self.compose("run", "--rm", "--no-deps", "-T", "tocsin", "--json", *args, check=False))

    def trace(self, event_ids):
        """What the client tells about each event, all from one container. The client's own image has no shell."""
        script = 'for id; do tocsin --json trace --customer acme "$id" || true; done'
        text = self.docker("run", "--rm", "--network", f"{self.project}_redis", "--entrypoint", "sh",
                           "-v", f"{self.project}_password-operator:/run/tocsin/password:ro",
                           "-v", f"{self.project}_redis-ca:/run/tocsin/redis-ca:ro",
                           "-e", "TOCSIN_REDIS_URL=rediss://redis:6379", "-e", "TOCSIN_REDIS_USER=operator",
                           "-e", "TOCSIN_REDIS_CA_FILE=/run/tocsin/redis-ca/redis-ca.pem",
                           "-e", "TOCSIN_REDIS_PASSWORD_FILE=/run/tocsin/password/redis-password",
                           "tocsin/prepare:test", "-c", script, "sh", *event_ids)
        decoder, answers, at = json.JSONDecoder(), [], 0
        while at < len(text.rstrip()):
            answer, at = decoder.raw_decode(text, at)
            answers.append(answer)
            at += len(text[at:]) - len(text[at:].lstrip())
        return answers

    def containers(self, service):
        return self.compose("ps", "-q", "-a", service).split()

    def inspect(self, container):
        return json.loads(self.docker("inspect", container))[0]

    def healthy(self, *services):
        states = [self.inspect(container)["State"] for service in services
                  for container in self.containers(service)]
        return states and all(state.get("Health", {}).get("Status") == "healthy" for state in states)

    def logs(self, *services):
        return self.compose("logs", "--no-color", "--no-log-prefix", *services)

    def prometheus(self, path, **query):
        """What it answers; None while it is not there yet."""
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def ask(self, path, body=None, method=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.sandbox}/_sandbox/{path}", data, method=method,
                                         headers={"Content-Type": "application/json"} if data else {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
            return json.loads(text) if text else None
