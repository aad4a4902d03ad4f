"""Callers of the callback service: signatures, raw sockets."""
import base64
import hashlib
import hmac
import http.client
import json
import socket
import time
import uuid


def sign(secret, webhook_id, timestamp, body):
    """The value of webhook-signature for one secret ("whsec_..."): Standard Webhooks, by another hand."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    message = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def signed_headers(secret, body, webhook_id=None, timestamp=None, more=()):
    """Headers of a signed request; more: further entries of the list of signatures, before ours."""
    webhook_id = webhook_id or f"msg_{uuid.uuid4().hex}"
    timestamp = int(time.time()) if timestamp is None else timestamp
    return {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join([*more, sign(secret, webhook_id, timestamp, body)])}


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"<{self.status} {self.text!r}>"


class Caller:
    """One connection to the public port, kept while it can be."""

    def __init__(self, port, host="127.0.0.1", timeout=20):
        self.port, self.host, self.timeout = port, host, timeout
        self.connection = http.client.HTTPConnection(host, port, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        body = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        for fresh in (False, True):
            try:
                self.connection.request(method, path, body=body, headers=dict(headers or {}))
                return Answer(self.connection.getresponse())
            except (http.client.RemoteDisconnected, BrokenPipeError):
                # The server may close what it kept; what it began to answer is not repeated.
                self.connection.close()
                if fresh:
                    raise
        return None

    def push(self, path, body, secret=None, bearer=None, headers=None, **signing):
        """POST /v1/events/<path>, signed with the secret or with a bearer token."""
        raw = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        every = dict(headers or {})
        if secret:
            every |= signed_headers(secret, raw, **signing)
        if bearer:
            every["Authorization"] = f"Bearer {bearer}"
        return self.request("POST", f"/v1/events/{path}", raw, every)

    def close(self):
        self.connection.close()


def raw_exchange(port, data, timeout=5.0):
    """Sends these bytes; all that came back until the server closed, or the timeout."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.sendall(data)
        try:
            while piece := s.recv(65536):
                got += piece
        except (TimeoutError, ConnectionResetError):
            pass
    return got
