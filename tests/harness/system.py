"""The whole system as a customer of it sees it: files, setup, services, vendors."""
import base64
import ctypes
import ctypes.util
import json
import os
import pathlib
import time

from .callback import Caller
from .documented import undocumented
from .process import Process, free_port
from .redis_server import RedisServer
from .sandbox import Sandbox

KEY_ID = "test"
SYS_ID = {"caller_id": "c" * 32, "company": "d" * 32, "assignment_group": "e" * 32}

# Times of the services, so small that what takes hours in life takes seconds here.
FAST = {
    "TOCSIN_CALL_DEADLINE": "2s",
    "TOCSIN_REMOTE_MAX": "1s",
    "TOCSIN_QUARANTINE_MARGIN": "200ms",
    "TOCSIN_QUARANTINE": "3500ms",
    "TOCSIN_HEARTBEAT": "200ms",
    "TOCSIN_CLAIM_IDLE": "1s",
    "TOCSIN_SCAN": "100ms",
    "TOCSIN_LEASE": "3s",
    "TOCSIN_LEASE_RENEW": "1s",
    "TOCSIN_BACKOFF_BASE": "100ms",
    "TOCSIN_BACKOFF_CAP": "2s",
    "TOCSIN_PROBE_INTERVAL": "1s",
    "TOCSIN_BREAKER_MIN": "500ms",
    "TOCSIN_BREAKER_MAX": "2s",
    "TOCSIN_RELEASE_WAIT": "0",
}


def seal(key: bytes, owner: str, field: str, secret: str) -> str:
    """What `tocsin` writes into files (common/model/vault.h), by another hand."""
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
    nonce = os.urandom(24)
    aad = b"".join(part.encode() + b"\0" for part in ("v1.", KEY_ID, owner, field))
    sealed = ctypes.create_string_buffer(len(secret.encode()) + 16)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        sealed, None, secret.encode(), ctypes.c_ulonglong(len(secret.encode())), aad,
        ctypes.c_ulonglong(len(aad)), None, nonce, key)
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (nonce, sealed.raw)]
    return f"v1.{KEY_ID}." + ".".join(parts)


class System:
    """Redis, sandbox, files and services in one folder. Customers and accounts are added before
    or after start(); apply() has setup take over what the files say."""

    def __init__(self, folder, *sandbox_options, redis_options=(), fsync="always", **env):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "config"
        for name in ("customers", "accounts"):
            (self.config / name).mkdir(parents=True, exist_ok=True)
        self.key = os.urandom(32)
        self.key_file = self.folder / "key"
        self.key_file.write_text(f"{KEY_ID} {base64.b64encode(self.key).decode()}\n")
        self.key_file.chmod(0o600)
        self.redis = RedisServer(self.folder, *redis_options, fsync=fsync)
        self.sandbox = Sandbox(self.folder, *sandbox_options)
        self.env = {**self.redis.env, "TOCSIN_KEY_FILE": str(self.key_file),
                    "TOCSIN_CONFIG_DIR": str(self.config), "TOCSIN_INSTALLATION": "test",
                    "TOCSIN_LOG_LEVEL": "info", **FAST, **env}
        self.services = []
        self.callback_port = None

    # -- files

    def account(self, account_id, kind, secret, **fields):
        """A shared account's file."""
        body = {"id": account_id, "kind": kind, **fields,
                "secret": seal(self.key, f"account:{account_id}", f"{kind}.secret", secret)}
        (self.config / "accounts" / f"{account_id}.json").write_text(json.dumps(body, indent=2))

    def servicenow(self, instance="main", **fields):
        """A ServiceNow instance in the sandbox and its account."""
        self.sandbox.servicenow(instance, "tocsin", "snow-secret", SYS_ID)
        self.account(f"snow-{instance}", "servicenow", "snow-secret", username="tocsin",
                     url=f"{self.sandbox.url}/snow/{instance}", **fields)

    def threat_response(self, name="xdr", **fields):
        self.sandbox.threat_response(f"client-{name}", "xdr-secret")
        self.account(name, "threat_response", "xdr-secret", client_id=f"client-{name}",
                     url=f"{self.sandbox.url}/tr/iroh", intel_url=f"{self.sandbox.url}/tr/ctia",
                     **fields)

    def customer(self, customer_id, instance="main", xdr="xdr", source=None, **fields):
        """A customer's file with a Secure Endpoint account of its own, live unless said."""
        client = f"amp-{customer_id}"
        self.sandbox.secure_endpoint(client, "amp-secret")
        body = {
            "id": customer_id, "name": customer_id.title(), "mode": "live",
            "minimum_severity": "medium",
            "accounts": {"secure_endpoint": {
                "url": f"{self.sandbox.url}/amp", "client_id": client,
                "secret": seal(self.key, customer_id, "secure_endpoint.secret", "amp-secret")}},
            "sources": {"secure_endpoint": {"interval": "10s", "first_look_back": "24h",
                                            **(source or {})}},
            **fields}
        if instance:
            body.setdefault("servicenow", {"account": f"snow-{instance}", **SYS_ID})
        if xdr:
            body.setdefault("threat_response", {"account": xdr, "mode": "create"})
        (self.config / "customers" / f"{customer_id}.json").write_text(json.dumps(body, indent=2))
        return client

    def defender(self, customer_id, instance="main", source=None, vendor=None, **fields):
        """A customer's file with a Defender tenant of its own, that may isolate machines."""
        tenant = f"tenant-{customer_id}.example"
        self.sandbox.post("accounts", {
            "vendor": "defender", "account": tenant, "tenant_id": tenant, "client_id": "app-1",
            "client_secret": "mde-secret", "per_minute": 100000, "per_hour": 1000000,
            "roles": ["Alert.ReadWrite.All", "Machine.Read.All", "Machine.Isolate"], **(vendor or {})})
        body = {
            "id": customer_id, "mode": "live", "minimum_severity": "medium",
            "accounts": {"defender": {
                "url": f"{self.sandbox.url}/defender", "login_url": f"{self.sandbox.url}/defender/login",
                "tenant_id": tenant, "client_id": "app-1",
                "secret": seal(self.key, customer_id, "defender.secret", "mde-secret")}},
            "sources": {"defender": {"interval": "10s", "first_look_back": "24h", **(source or {})}},
            **fields}
        if instance:
            body["servicenow"] = {"account": f"snow-{instance}", **SYS_ID}
        (self.config / "customers" / f"{customer_id}.json").write_text(json.dumps(body, indent=2))
        return tenant

    def umbrella(self, customer_id, source=None, instance=None, account=None, vendor=None, **fields):
        """A customer's file with an Umbrella key of its own. vendor: settings of the key in the
        sandbox; account: members of accounts.umbrella."""
        client = f"umb-{customer_id}"
        self.sandbox.post("accounts", {"vendor": "umbrella", "account": client, "client_id": client,
                                       "secret": "umb-secret", **(vendor or {})})
        body = {
            "id": customer_id, "mode": "live",
            "accounts": {"umbrella": {
                "url": f"{self.sandbox.url}/umbrella", "client_id": client, **(account or {}),
                "secret": seal(self.key, customer_id, "umbrella.secret", "umb-secret")}},
            "sources": {"umbrella": {"interval": "10s", "first_look_back": "24h", **(source or {})}},
            **fields}
        if instance:
            body["servicenow"] = {"account": f"snow-{instance}", **SYS_ID}
        (self.config / "customers" / f"{customer_id}.json").write_text(json.dumps(body, indent=2))
        return client

    def write_customer(self, body):
        """A customer's file as it is."""
        (self.config / "customers" / f"{body['id']}.json").write_text(json.dumps(body, indent=2))

    def emit_umbrella(self, customer, records):
        self.sandbox.post(f"events/umb-{customer}?vendor=umbrella", records)

    # -- processes

    def tocsin(self, *args, expect=0, text=False, **env):
        """Runs the client once; its decoded --json answer, or its text."""
        process = Process("tocsin", args if text else ("--json", *args), {**self.env, **env},
                          self.folder / "tocsin.log", health=False)
        out, err, status = process.run()
        assert status == expect, f"tocsin {args}: exit {status}: {err}{out}"
        return out if text else (json.loads(out) if out.strip() else None)

    def apply(self):
        self.tocsin("setup", text=True)

    def service(self, name, *args, **env):
        process = Process(f"tocsin-{name}" if name != "setup" else "tocsin",
                          args if name != "setup" else ("setup", "--watch"), {**self.env, **env},
                          self.folder / f"{name}-{len(self.services)}.log")
        self.services.append(process)
        return process.start()

    def start(self, *names, **env):
        """Starts services ("collector" ...; all of them without names) and waits for each."""
        started = [self.service(name, **env)
                   for name in names or ("collector", "normalizer", "incident")]
        for process in started:
            process.ready()
        return started if len(started) > 1 else started[0]

    def callback(self, **env):
        """Starts the callback service, with its key; again on the port it had. Waits until it is ready."""
        self.tocsin("keygen", "--missing")
        if not self.callback_port:
            self.callback_port = free_port()
        return self.start("callback", TOCSIN_CALLBACK_PORT=str(self.callback_port),
                          TOCSIN_CALLBACK_KEY_FILE=str(self.folder / "callback.key"),
                          TOCSIN_LINK_PUBLIC_KEY_FILE=str(self.folder / "link.pub"), **env)

    def caller(self):
        return Caller(self.callback_port)

    def pusher(self, customer_id, *sources, bearer=False, **fields):
        """A customer that pushes (its file is made if need be): the secret."""
        self.tocsin("keygen", "--missing")
        file = self.config / "customers" / f"{customer_id}.json"
        if not file.exists():
            file.write_text(json.dumps({"id": customer_id, "mode": "live", **fields}))
        given = [word for source in sources or ("generic",) for word in ("--source", source)]
        return self.tocsin("push", "add", customer_id, *given, *(["--bearer"] if bearer else []))["secret"]

    def stop(self):
        for process in self.services:
            process.stop()
        self.services.clear()

    def done(self):
        """The end of a test: services must stop cleanly."""
        try:
            self.stop()
            unknown = undocumented(self.redis.client) if self.redis.process.poll() is None else []
            assert not unknown, f"docs/streams.md does not tell of {unknown}"
        finally:
            for process in self.services:
                process.kill()
            self.sandbox.stop()
            self.redis.stop()

    # -- what is there

    def key_name(self, kind):
        return f"tocsin:{{p0}}:{kind}"

    def length(self, stream):
        return self.redis.client.xlen(self.key_name(stream))

    def fate(self, customer, event_id, source="secure_endpoint"):
        return self.redis.client.get(self.key_name(f"seen:{customer}:{source}:{event_id}"))

    def drained(self):
        """Nothing left to do anywhere; read in one step, for work moves from place to place."""
        with self.redis.client.pipeline(transaction=True) as all_at_once:
            for stream in ("raw", "findings", "actions", "closures", "orders"):
                all_at_once.xlen(self.key_name(stream))
            all_at_once.zcard(self.key_name("deferred"))
            return not any(all_at_once.execute())

    def emit(self, customer, events):
        """Events become visible at the customer's vendor, now."""
        self.sandbox.post(f"events/amp-{customer}", events)

    def summary(self):
        return self.sandbox.get("summary")

    def settled(self, customer, events):
        """Every one of these events belongs to an incident whose opening is over."""
        return all(self.incident_of(customer, event).get("state") == "open" for event in events)

    def incident_of(self, customer, event):
        fate = self.fate(customer, event["id"]) or ""
        if not fate.startswith("incident:"):
            return {}
        return self.redis.client.hgetall(self.key_name(fate))

    def check_exactly_once(self, groups, tickets=True, threat_response=True):
        """groups: {customer: [[event of one problem, ...], ...]}. One incident per problem here, in
        ServiceNow and in Threat Response; every event has a fate; nothing is dead."""
        dead = self.redis.client.xrange(self.key_name("dead"))
        assert not dead, f"dead: {dead[:3]}"
        ids = []
        for customer, problems in groups.items():
            for problem in problems:
                fates = {self.fate(customer, event["id"]) for event in problem}
                assert len(fates) == 1 and next(iter(fates)).startswith("incident:"), (problem, fates)
                ids.append(fates.pop())
        assert len(ids) == len(set(ids)), "two problems share an incident"
        for vendor, wanted in (("servicenow", tickets), ("threat_response", threat_response)):
            counts = self.summary()[vendor].values() if wanted else []
            assert not wanted or sum(c["incidents"] for c in counts) == len(ids), counts
            assert not any(c["duplicates"] for c in counts), counts

    def ticket(self, instance, sys_id):
        """A ServiceNow record as the sandbox holds it."""
        records = self.sandbox.get(f"state/servicenow/{instance}")["incidents"]
        return next(record for record in records if record["sys_id"] == sys_id)

    def pending(self, stream):
        return self.redis.client.xpending(self.key_name(stream), "tocsin")["pending"]

    def fates(self):
        """How many events have one that is final."""
        keys = self.redis.client.keys(self.key_name("seen:*"))
        return sum(1 for fate in self.redis.client.mget(keys) if fate != "queued") if keys else 0

    def pause(self, seconds):
        """Lets time pass where the passing of time is the case, as in an outage; never to wait for
        a result: that is wait_until()."""
        time.sleep(seconds)
