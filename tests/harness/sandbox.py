"""The sandbox process and its control interface (tests/sandbox/README.md)."""
import json
import pathlib
import subprocess
import urllib.request

from .process import build_dir, wait_until


class Sandbox:
    def __init__(self, folder, *options):
        self.port_file = pathlib.Path(folder) / "sandbox.port"
        self.log_path = pathlib.Path(folder) / "sandbox.log"
        self.port_file.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(build_dir() / "tocsin-sandbox"), "--port-file", str(self.port_file), *options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(lambda: self.port_file.exists() and self.port_file.read_text().strip(), 10,
                   "sandbox listens")
        self.url = f"http://127.0.0.1:{self.port_file.read_text().strip()}"

    @property
    def pid(self):
        return self.process.pid

    def call(self, method, path, body=None):
        """One request to /_sandbox/...; the decoded JSON answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body):
        return self.call("POST", path, body)

    def delete(self, path):
        return self.call("DELETE", path)

    def fault(self, **fault):
        """Adds a fault; its number."""
        return self.post("faults", fault)["ids"][0]

    def heal(self, fault=None):
        """Removes one fault, or all."""
        return self.delete("faults" if fault is None else f"faults/{fault}")

    def hits(self):
        """How often the faults that are there have struck."""
        return sum(fault["hits"] for fault in self.get("faults")["faults"])

    def secure_endpoint(self, client_id, api_key):
        self.post("accounts", {"vendor": "secure_endpoint", "account": client_id,
                               "client_id": client_id, "api_key": api_key})

    def threat_response(self, client_id, password):
        self.post("accounts", {"vendor": "threat_response", "account": client_id,
                               "client_id": client_id, "client_password": password})

    def servicenow(self, instance, user, password, records):
        """An instance with an integration user and the records tickets refer to."""
        self.post("accounts", {
            "vendor": "servicenow", "account": instance,
            "users": [{"user_name": user, "password": password, "name": "Tocsin",
                       "roles": ["itil", "email_api_send", "snc_basic_auth_api_access"]}],
            "tables": {
                "sys_user": [{"sys_id": records["caller_id"], "user_name": "soc", "name": "SOC desk"}],
                "core_company": [{"sys_id": records["company"], "name": "Customer"}],
                "sys_user_group": [{"sys_id": records["assignment_group"], "name": "SOC"}]}})

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
