"""The callback that speaks TLS itself: what it takes, and a certificate that is renewed while it runs."""
import contextlib
import http.client
import socket
import ssl
import subprocess
import time

import pytest

from harness import raw_exchange, signed_headers, wait_until

PATH = "acme/generic"
EXPIRY = "tocsin_callback_certificate_expiry_timestamp_seconds"
REFUSED = "are not used, the one before stays: TLS: "


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def make_pair(folder, name, days=2):
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate)
    openssl("x509", "-in", certificate, "-signkey", key, "-days", str(days), "-out", certificate)
    return certificate, key


def put(source, target):
    """As whoever renews certificates does it: beside it first, then in its place."""
    new = target.with_name("new")
    new.write_bytes(source.read_bytes())
    new.rename(target)


@pytest.fixture(name="shown")
def fixture_shown(system):
    """A callback with a certificate; its files are used.pem and used.key."""
    system.secret = system.pusher("acme")
    system.apply()
    system.first = make_pair(system.folder, "first")
    system.certificate, system.key = system.folder / "used.pem", system.folder / "used.key"
    put(system.first[0], system.certificate)
    put(system.first[1], system.key)
    system.process = system.callback(TOCSIN_CALLBACK_TLS_CERTIFICATE_FILE=str(system.certificate),
                                     TOCSIN_CALLBACK_TLS_KEY_FILE=str(system.key))
    return system


def caller(system, pair):
    """Believes this certificate only."""
    call = system.caller()
    call.connection = http.client.HTTPSConnection("localhost", system.callback_port, timeout=10,
                                                  context=ssl.create_default_context(cafile=str(pair[0])))
    return call


def connect(system):
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    return trusting.wrap_socket(socket.create_connection(("127.0.0.1", system.callback_port), timeout=20))


def sees(system, pair):
    """Whether a new connection is shown this certificate."""
    with connect(system) as s:
        return ssl.DER_cert_to_PEM_cert(s.getpeercert(binary_form=True)) == pair[0].read_text()


def refusals(system):
    return [line["msg"] for line in system.process.log_lines() if REFUSED in line["msg"]]


def test_tls(shown):
    call = caller(shown, shown.first)
    for n in range(3):
        assert call.push(PATH, {"n": n}, shown.secret).status == 202
    assert call.push(PATH, b"x" * (2 ** 20 + 1), shown.secret).status == 413
    call.close()
    # Nothing older than 1.2, and no plain HTTP.
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", shown.callback_port)) as s, pytest.raises(OSError):
        old.wrap_socket(s)
    assert b"HTTP/1.1 202" not in raw_exchange(shown.callback_port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", timeout=1)


def test_a_renewed_certificate_is_shown_and_no_connection_lost(shown):
    second = make_pair(shown.folder, "second", days=30)
    kept = caller(shown, shown.first)
    assert kept.push(PATH, {"n": 1}, shown.secret).status == 202
    kept_socket = kept.connection.sock
    body = b'{"n": 2}'
    head = "".join(f"{name}: {value}\r\n" for name, value in signed_headers(shown.secret, body).items())
    with contextlib.closing(connect(shown)) as slow:
        slow.sendall(f"POST /v1/events/{PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode())

        # One file after the other: what is there between is not shown, and nobody is alarmed.
        put(second[1], shown.key)
        put(second[0], shown.certificate)
        wait_until(lambda: sees(shown, second), 10, "the new certificate")
        assert refusals(shown) == []

        slow.sendall(body)
        assert slow.recv(65536).startswith(b"HTTP/1.1 202 ")
    assert kept.push(PATH, {"n": 3}, shown.secret).status == 202
    assert kept.connection.sock is kept_socket, "it was closed"
    kept.close()
    call = caller(shown, second)
    assert call.push(PATH, {"n": 4}, shown.secret).status == 202
    call.close()
    assert shown.redis.client.xlen(shown.key_name("raw")) == 4
    assert shown.process.metric(EXPIRY) > time.time() + 29 * 86400


def test_a_broken_renewal_leaves_what_was_shown(shown):
    other = make_pair(shown.folder, "other")
    until = shown.process.metric(EXPIRY)
    put(other[0], shown.certificate)
    line = wait_until(lambda: refusals(shown), 10, "it is said")[0]
    assert "certificate and key: The certificate and the given key do not match" in line
    assert str(shown.certificate) in line and str(shown.key) in line
    assert sees(shown, shown.first) and shown.process.metric(EXPIRY) == until
    put(other[1], shown.key)
    wait_until(lambda: sees(shown, other), 10, "healed by the right key")
    assert refusals(shown) == [line]


def test_half_a_tls_setting_is_refused(system):
    system.tocsin("keygen", "--missing")
    process = system.service("callback", TOCSIN_CALLBACK_PORT="0",
                             TOCSIN_CALLBACK_KEY_FILE=str(system.folder / "callback.key"),
                             TOCSIN_CALLBACK_TLS_KEY_FILE=str(system.folder / "callback.key"))
    assert process.process.wait(10) == 1 and "TLS needs both" in process.tail()
    system.services.clear()
