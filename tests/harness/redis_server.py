"""A private Redis on a unix socket, in a folder of its own; with TOCSIN_TEST_TLS in the environment our processes
reach it with TLS."""
import os
import pathlib
import signal
import subprocess

import redis

from .process import ROOT, free_port, wait_until


class RedisServer:
    def __init__(self, folder, *options, fsync="always"):
        self.folder = pathlib.Path(folder)
        self.socket = self.folder / "redis.sock"
        self.url = f"unix:{self.socket}"
        self.env = {"TOCSIN_REDIS_URL": self.url}
        if os.environ.get("TOCSIN_TEST_TLS"):
            options += self.with_tls()
        self.options = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder),
                        "--save", "", "--appendonly", "yes" if fsync else "no",
                        "--appendfsync", fsync or "no", "--maxmemory-policy", "noeviction",
                        "--daemonize", "no", "--loglevel", "notice", *options]
        self.process = None
        self.client = redis.Redis(unix_socket_path=str(self.socket), decode_responses=True)
        self.start()

    def with_tls(self):
        """A new certificate, and the options for it."""
        subprocess.run([ROOT / "deploy/redis/make-certificate", self.folder, "localhost"], check=True,
                       stdin=subprocess.DEVNULL)
        port, pem = str(free_port()), str(self.folder / "redis.pem")
        self.url = f"rediss://localhost:{port}"
        self.env = {"TOCSIN_REDIS_URL": self.url, "TOCSIN_REDIS_CA_FILE": str(self.folder / "redis-ca.pem")}
        return "--tls-port", port, "--tls-cert-file", pem, "--tls-key-file", pem, "--tls-auth-clients", "no"

    def start(self):
        with open(self.folder / "redis.log", "ab") as log:
            self.process = subprocess.Popen(["redis-server", *self.options], stdout=log, stderr=log)
        wait_until(self._ping, 10, "redis answers")

    def _ping(self):
        try:
            return self.client.ping()
        except redis.RedisError:
            return False

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def stop(self):
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
