"""What a ServiceNow instance may tell the callback service, and what it may not."""
import base64
import concurrent.futures
import json
import time
import urllib.parse

import pytest

from harness import signed_headers, wait_until
from harness.linked import INCIDENT, SYS_ID, Callback

HMAC = "whsec_" + base64.b64encode(b"k" * 32).decode()
GROUP = "aaaabbbbccccdddd"
KEY = f"tocsin-i:test:acme:{GROUP}:{INCIDENT}"
CLIENT = {"client_id": "tocsin-main", "client_secret": "client-secret"}
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def callback(system):
    outside = Callback(system)
    outside.servicenow("main", client_id="tocsin-main", hmac_secret=HMAC)
    outside.servicenow("other", client_id="tocsin-other", secret="other-secret")
    system.threat_response()
    system.customer("acme", name="Acme & Söhne")
    system.customer("globex", instance="other")
    system.apply()
    outside.start()
    yield outside
    system.done()


def said(**fields):
    """As our business rule says it."""
    return {"instance_name": "main", "table": "incident", "sys_id": SYS_ID, "number": "INC0010001",
            "correlation_id": KEY, "state": "6", "close_code": "Solved (Permanently)",
            "sys_updated_by": "jdoe", "sys_updated_on": "2026-11-21 21:00:00", **fields}


def bearer(callback, **client):
    return {"Authorization": "Bearer " + callback.access_token(**client)}


# -- POST /oauth/token

@pytest.mark.parametrize("path", ["/oauth/token", "/iroh/oauth2/token"])
@pytest.mark.parametrize("how", ["basic", "body", "both ids"])
def test_an_instance_gets_a_token(callback, path, how):
    data = {**GRANT, **(CLIENT if how == "body" else {})}
    if how == "both ids":
        data["client_id"] = "tocsin-main"
    auth = None if how == "body" else ("tocsin-main", "client-secret")
    answer = callback.post(path, data=data, auth=auth)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["token_type"] == "Bearer" and body["expires_in"] == 900
    closed = callback.post("/v1/servicenow/closed", json=said(),
                           headers={"Authorization": "Bearer " + body["access_token"]})
    assert closed.status_code == 202


@pytest.mark.parametrize("data, auth, status, error", [
    ({**GRANT, "client_id": "tocsin-main", "client_secret": "wrong"}, None, 401, "invalid_client"),
    ({**GRANT, "client_id": "nobody", "client_secret": "client-secret"}, None, 401,
     "invalid_client"),
    ({**GRANT, "client_id": "tocsin-other", "client_secret": "client-secret"}, None, 401,
     "invalid_client"),
    ({**GRANT}, ("tocsin-main", ""), 401, "invalid_client"),
    ({**GRANT}, None, 401, "invalid_client"),
    ({**GRANT, **CLIENT}, ("tocsin-main", "client-secret"), 400, "invalid_request"),
    ({**GRANT, "client_id": "tocsin-other"}, ("tocsin-main", "client-secret"), 400,
     "invalid_request"),
    (CLIENT, None, 400, "invalid_request"),
    ({**CLIENT, "grant_type": "password"}, None, 400, "unsupported_grant_type"),
    ("grant_type=client_credentials&grant_type=x", None, 400, "invalid_request"),
    ("grant_type=%zz", None, 400, "invalid_request"),
])
def test_the_token_endpoint_refuses(callback, data, auth, status, error):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = callback.post("/oauth/token", data=data, auth=auth, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_unknown_clients_and_wrong_secrets_look_the_same(callback):
    answers = [callback.post("/oauth/token", data={**GRANT, "client_id": client,
                                                   "client_secret": "wrong"})
               for client in ("tocsin-main", "nobody")]
    assert answers[0].text == answers[1].text
    names = [sorted(answer.headers) for answer in answers]
    assert names[0] == names[1]


def test_json_is_no_form(callback):
    answer = callback.post("/oauth/token", json={**GRANT, **CLIENT})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_who_fails_too_often_waits_and_nobody_else(callback):
    def fail():
        return callback.post("/oauth/token", data={**GRANT, "client_id": "tocsin-main",
                                                   "client_secret": "wrong"})
    answers = [fail() for _ in range(25)]
    assert answers[0].status_code == 401
    late = answers[-1]
    assert late.status_code == 429 and int(late.headers["Retry-After"]) >= 1
    assert late.json()["error"] == "temporarily_unavailable"
    # What was issued before is good, and a signature needs no token.
    body = json.dumps(said()).encode()
    signed = callback.post("/v1/servicenow/closed?account=snow-main", data=body,
                           headers=signed_headers(HMAC, body))
    assert signed.status_code == 202


# -- POST /v1/servicenow/closed

def test_a_closing_is_a_durable_hint(callback):
    answer = callback.post("/v1/servicenow/closed", json=said(), headers=bearer(callback))
    assert answer.status_code == 202 and answer.json() == {"accepted": 1, "duplicate": 0}
    entry, = callback.closures()
    assert {name: entry.get(name) for name in ("v", "op", "via", "incident", "customer", "instance",
                                               "instance_name", "sys_id", "number", "key", "actor")
            } == {"v": "1", "op": "closed", "via": "servicenow", "incident": INCIDENT,
                  "customer": "acme", "instance": "snow-main", "instance_name": "main",
                  "sys_id": SYS_ID, "number": "INC0010001", "key": KEY, "actor": "jdoe"}
    assert abs(int(entry["received_ms"]) - time.time() * 1000) < 60000
    assert entry["trace"].startswith("00-")


@pytest.mark.parametrize("table, state, op", [
    ("incident", "6", "closed"), ("incident", "7", "closed"), ("incident", "8", "closed"),
    ("incident", "2", "reopen"), ("incident", "3", "reopen"), ("sn_si_incident", "3", "closed"),
    ("incident", "", "closed"),
])
def test_what_a_state_means(callback, table, state, op):
    answer = callback.post("/v1/servicenow/closed", json=said(table=table, state=state),
                           headers=bearer(callback))
    assert answer.status_code == 202
    assert [entry["op"] for entry in callback.closures()] == [op]


def test_a_signed_closing_counts_once(callback):
    def send(webhook_id="msg-1", **fields):
        body = json.dumps(said(**fields)).encode()
        return callback.post("/v1/servicenow/closed?account=snow-main", data=body,
                             headers=signed_headers(HMAC, body, webhook_id))

    assert [send().json() for _ in range(2)] == [{"accepted": 1, "duplicate": 0},
                                                  {"accepted": 0, "duplicate": 1}]
    assert callback.problem(send(state="7")) == (409, "conflict")
    assert send("msg-2", state="7").status_code == 202
    assert len(callback.closures()) == 2


def test_a_test_ticket_is_told_as_one(callback):
    answer = callback.post("/v1/servicenow/closed", json=said(correlation_id="tocsin-t:test:1"),
                           headers=bearer(callback))
    assert answer.status_code == 202
    entry, = callback.closures()
    assert entry["via"] == "test" and entry["key"] == "tocsin-t:test:1"
    assert not entry.get("incident") and not entry.get("customer")


def test_who_is_nobody_is_told_nothing(callback):
    body = json.dumps(said()).encode()
    good = signed_headers(HMAC, body)
    token = callback.access_token()
    shown = [
        ({}, ""),
        ({"Authorization": "Bearer x"}, ""),
        ({"Authorization": "Bearer " + token[:-1]}, ""),
        ({"Authorization": "Bearer " + token.replace("snow-main", "snow-other")}, ""),
        ({"Authorization": "Basic dG9jc2luLW1haW46Y2xpZW50LXNlY3JldA=="}, ""),
        (good, ""),
        (good, "?account=snow-other"),
        (good, "?account=nobody"),
        ({**good, "webhook-id": "msg-2"}, "?account=snow-main"),
        (signed_headers(HMAC, body + b" "), "?account=snow-main"),
        (signed_headers(HMAC, body, timestamp=int(time.time()) - 3600), "?account=snow-main"),
        (signed_headers(HMAC, body, timestamp=int(time.time()) + 3600), "?account=snow-main"),
    ]
    answers = [callback.post("/v1/servicenow/closed" + query, data=body, headers=headers)
               for headers, query in shown]
    assert {callback.problem(answer) for answer in answers} == {(401, "unauthorized")}
    assert len({answer.text for answer in answers}) == 1
    assert callback.closures() == []


@pytest.mark.parametrize("fields", [
    {"correlation_id": ""},
    {"correlation_id": "INC-77"},
    {"correlation_id": KEY.replace(":test:", ":prod:")},
    {"correlation_id": KEY.replace(":acme:", ":globex:")},
    {"correlation_id": KEY.replace(":acme:", ":nobody:")},
    {"correlation_id": KEY + "0"},
    {"correlation_id": KEY + ":x"},
    {"correlation_id": KEY[:-1] + "G"},
])
def test_only_tickets_of_ones_own_customers(callback, fields):
    answer = callback.post("/v1/servicenow/closed", json=said(**fields), headers=bearer(callback))
    assert callback.problem(answer) == (403, "forbidden")
    assert callback.closures() == []


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", json.dumps(said(sys_id="x")).encode(),
    json.dumps(said(sys_id=SYS_ID.upper())).encode(), json.dumps(said(instance_name="")).encode(),
    json.dumps(said(number="a\nb")).encode(), json.dumps(said(state=[6])).encode(),
    json.dumps(said(close_code="x" * 201)).encode(), b"\xff", b"[" * 5000,
])
def test_a_body_that_is_none(callback, body):
    answer = callback.post("/v1/servicenow/closed", data=body, headers=bearer(callback))
    assert callback.problem(answer) == (400, "malformed-body")
    assert callback.closures() == []


def test_a_large_body(callback):
    answer = callback.post("/v1/servicenow/closed", data=b" " * 20000, headers=bearer(callback))
    assert callback.problem(answer) == (413, "too-large")


def test_a_clone_is_refused_and_named(callback):
    headers = bearer(callback)
    for _ in range(3):
        answer = callback.post("/v1/servicenow/closed", json=said(instance_name="maindev"),
                               headers=headers)
        assert callback.problem(answer) == (403, "wrong-instance")
        assert "main" not in answer.text.replace("wrong-instance", "")
    assert callback.closures() == []
    # One alarm an hour, in the feed and in the log.
    feed = callback.system.redis.client.xrange(callback.system.key_name("activity"))
    assert [(entry["kind"], entry["instance_name"], entry["account"]) for _, entry in feed] == [
        ("alarm", "maindev", "snow-main")]
    assert callback.process.log_path.read_text().count("alarm: maindev calls") == 1
    callback.process.counts(3, "tocsin_callback_clone_requests_total", account="snow-main")


# -- the ancestors' closing URL

def trigger(callback, value, client=None, module="tocsin/close", **headers):
    text = value if isinstance(value, str) else json.dumps(value)
    return callback.post(f"/iroh/iroh-response/respond/trigger/{module}?observable_type=ip&"
                         f"observable_value={urllib.parse.quote(text, safe='')}&workflow_id=close",
                         headers=headers or bearer(callback, **(client or {})))


def ours(callback, **fields):
    return {"snow-incident-id": SYS_ID, "securex-incident-id": "https://x/ctia/incident/incident-1",
            "customer-name": "Acme & Söhne", "tocsin-incident-id": INCIDENT,
            "tocsin-link": callback.links.token("close", expires_in=None, **fields)}


def test_our_note_closes_by_the_ancestors_rule(callback):
    answer = trigger(callback, ours(callback))
    assert answer.status_code == 200 and answer.json() == {"data": {"status": "success"}}
    entry, = callback.closures()
    assert (entry["op"], entry["via"], entry["incident"], entry["customer"], entry["instance"],
            entry["sys_id"]) == ("closed", "ancestors", INCIDENT, "acme", "snow-main", SYS_ID)
    assert entry["ctim_id"] == "https://x/ctia/incident/incident-1"
    assert entry["token"].startswith("test.")


@pytest.mark.parametrize("value", [
    {"snow-incident-id": SYS_ID, "securex-incident-id": "https://x/incident-1",
     "customer-name": "Acme & Söhne"},
    {"servicenow-incident-id": SYS_ID, "securex-incident-id": "https://x/incident-1",
     "amp-connector-guid": "c", "amp-group-guid": "g"},
])
def test_tickets_of_the_ancestors_are_handed_on(callback, value):
    answer = trigger(callback, value, module="01AB-CD/02EF-GH")
    assert answer.status_code == 200
    entry, = callback.closures()
    assert (entry["via"], entry["customer"], entry["instance"], entry["sys_id"], entry["ctim_id"]
            ) == ("ancestors", "acme", "snow-main", SYS_ID, "https://x/incident-1")
    assert not entry.get("incident") and not entry.get("token")


def test_the_closing_url_refuses(callback):
    old = {"snow-incident-id": SYS_ID, "customer-name": "Globex"}
    for answer, wanted in (
            (trigger(callback, old), (403, "forbidden")),
            (trigger(callback, ours(callback), {"client_id": "tocsin-other",
                                                "secret": "other-secret"}), (403, "forbidden")),
            (trigger(callback, ours(callback, installation="prod")), (403, "forbidden")),
            (trigger(callback, ours(callback, sys_id="f" * 32)), (403, "forbidden")),
            (trigger(callback, {**old, "tocsin-link": callback.links.token("verdict")}),
             (403, "forbidden")),
            (trigger(callback, {**old, "tocsin-link": "x"}), (403, "forbidden")),
            (trigger(callback, "192.168.1.1"), (400, "malformed-query")),
            (trigger(callback, {}), (400, "malformed-query")),
            (trigger(callback, ours(callback), module="close"), (404, "not-found")),
            (trigger(callback, ours(callback), module="a/b/c"), (404, "not-found")),
            (trigger(callback, ours(callback), Authorization="Bearer x"), (401, "unauthorized")),
            (callback.post("/iroh/iroh-response/respond/trigger/a/b", headers=bearer(callback)),
             (400, "malformed-query"))):
        assert callback.problem(answer) == wanted
    assert callback.closures() == []


# -- many at once, and a Redis that is away

def test_many_at_once_are_all_stored(callback):
    headers = bearer(callback)

    def send(i):
        return callback.post("/v1/servicenow/closed", json=said(number=f"INC{i}"),
                             headers=headers).status_code

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, range(200))) == {202}
    assert len({entry["number"] for entry in callback.closures()}) == 200


def test_nothing_is_promised_without_redis(callback):
    headers = bearer(callback)
    callback.system.redis.stop()
    answer = callback.post("/v1/servicenow/closed", json=said(), headers=headers)
    assert callback.problem(answer) == (503, "unavailable")
    assert "may or may not" in answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    callback.system.redis.start()
    wait_until(lambda: callback.post("/v1/servicenow/closed", json=said(), headers=headers
                                     ).status_code == 202, what="stored again")
