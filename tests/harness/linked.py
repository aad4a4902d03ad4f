"""The callback service as ServiceNow and people see it: its keys, credentials, signed links.
Made here by another hand than the project's, so that formats are tested and not repeated."""
import base64
import ctypes
import ctypes.util
import hashlib
import os
import socket
import struct
import time

import requests

from .process import free_port, wait_until

KEY_ID = "test"
PURPOSES = {"verdict": 0, "approve": 1, "close": 2}
SYS_ID = "0123456789abcdef0123456789abcdef"
INCIDENT = "00112233445566ff"


def url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def vault_hash(key: bytes, owner: str, field: str, secret: str) -> str:
    """common/model/vault.h: what proves a secret without keeping it."""
    derived = hashlib.blake2b(b"", digest_size=32, key=key, salt=struct.pack("<QQ", 1, 0),
                              person=b"tocsinh1".ljust(16, b"\0")).digest()
    said = owner.encode() + b"\0" + field.encode() + b"\0" + secret.encode()
    return f"h1.{KEY_ID}." + url64(hashlib.blake2b(said, digest_size=32, key=derived).digest())


class LinkKeys:
    """A pair of key files, and tokens signed with it (common/model/link.h)."""

    def __init__(self, folder, key_id=KEY_ID):
        self.sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
        self.key_id = key_id
        self.private_file, self.public_file = folder / "link.key", folder / "link.pub"
        public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        assert self.sodium.crypto_sign_keypair(public, secret) == 0
        self.secret = secret.raw
        for file, key, mode in ((self.private_file, secret.raw, 0o600),
                                (self.public_file, public.raw, 0o644)):
            file.write_text(f"{key_id} {base64.b64encode(key).decode()}\n")
            file.chmod(mode)

    def sign(self, payload: bytes) -> str:
        said = b"tocsin link v1\0" + self.key_id.encode() + b"\0" + payload
        signature = ctypes.create_string_buffer(64)
        self.sodium.crypto_sign_detached(signature, None, said, ctypes.c_ulonglong(len(said)),
                                         self.secret)
        return f"{self.key_id}." + url64(payload + signature.raw)

    def token(self, purpose="verdict", customer="acme", incident=INCIDENT, instance="snow-main",
              sys_id=SYS_ID, number="INC0010001", installation="test", partition=0,
              expires_in=3600.0, needs_code=False) -> str:
        expires = int((time.time() + expires_in) * 1000) if expires_in else 0
        payload = struct.pack(">BBBHQ", 1, PURPOSES[purpose], needs_code, partition, expires)
        payload += bytes.fromhex(incident)
        payload += bytes([len(sys_id) // 2]) + bytes.fromhex(sys_id)
        for text in (installation, customer, instance, number):
            payload += bytes([len(text)]) + text.encode()
        return self.sign(payload)


class Callback:
    """The process beside a System. Accounts and customers are added before start()."""

    def __init__(self, system):
        self.system = system
        self.key = os.urandom(32)
        self.key_file = system.folder / "callback.key"
        self.key_file.write_text(f"{KEY_ID} {base64.b64encode(self.key).decode()}\n")
        self.key_file.chmod(0o600)
        self.links = LinkKeys(system.folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        system.env.update({"TOCSIN_CALLBACK_KEY_FILE": str(self.key_file),
                           "TOCSIN_LINK_KEY_FILE": str(self.links.private_file),
                           "TOCSIN_LINK_PUBLIC_KEY_FILE": str(self.links.public_file),
                           "TOCSIN_PUBLIC_URL": self.url})

    @classmethod
    def of_acme(cls, system):
        """Its instance is `main`, its incidents are in Threat Response, and what is closed is closed at once."""
        outside = cls(system)
        outside.servicenow("main", client_id="tocsin-main")
        system.threat_response()
        system.customer("acme", closing={"grace": "0s"})
        return outside

    def servicenow(self, instance="main", client_id=None, secret="client-secret", hmac_secret=None,
                   **fields):
        """A ServiceNow instance in the sandbox whose account may call us."""
        from .system import seal
        account = f"account:snow-{instance}"
        link = {"instance_name": fields.pop("instance_name", instance)}
        if client_id:
            link.update(client_id=client_id, secret=[vault_hash(self.key, account, "callback.secret",
                                                                secret)])
        if hmac_secret:
            link["hmac"] = [seal(self.key, account, "callback.hmac", hmac_secret)]
        self.system.servicenow(instance, callback=link, **fields)

    def start(self, **env):
        process = self.system.start("callback", TOCSIN_CALLBACK_PORT=str(self.port), **env)
        self.process = process
        wait_until(lambda: socket.create_connection(("127.0.0.1", self.port)).close() or True,
                   what="the callback service listens")
        return process

    def post(self, path, *args, **kwargs):
        return requests.post(self.url + path, *args, timeout=10, **kwargs)

    def get(self, path, *args, **kwargs):
        return requests.get(self.url + path, *args, timeout=10, **kwargs)

    def access_token(self, client_id="tocsin-main", secret="client-secret"):
        answer = self.post("/oauth/token", data={"grant_type": "client_credentials"},
                           auth=(client_id, secret))
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def closures(self, partition=0):
        entries = self.system.redis.client.xrange(f"tocsin:{{p{partition}}}:closures")
        return [fields for _, fields in entries]

    def problem(self, answer):
        """The refusal in an answer: its status and its type's last part."""
        assert answer.headers["Content-Type"] == "application/problem+json", answer.text
        body = answer.json()
        assert body["status"] == answer.status_code and body["title"] and body["detail"]
        return answer.status_code, body["type"].removeprefix("urn:tocsin:problem:")
