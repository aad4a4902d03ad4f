"""Tickets that people close, and what is said about it on the stream `closures`."""
import base64
import json
import time
import urllib.request

ANALYST = ("analyst", "analyst-secret")
FRESH = {"grace": "0s"}


def analysts(system, instance="main"):
    """People of the instance who are not us: one may do everything."""
    system.sandbox.post("accounts", {
        "vendor": "servicenow", "account": instance,
        "users": [{"user_name": ANALYST[0], "password": ANALYST[1], "name": "Ann Alyst",
                   "roles": ["itil", "itil_admin", "admin", "snc_basic_auth_api_access"]}]})


def table(system, method, path, body=None, instance="main"):
    """A call of the Table API as the analyst."""
    token = base64.b64encode(":".join(ANALYST).encode()).decode()
    request = urllib.request.Request(
        f"{system.sandbox.url}/snow/{instance}/api/now/table/{path}", method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text)["result"] if text else None


def intel(system, method, path, body=None, client=("client-xdr", "xdr-secret")):
    """A call of Threat Response that an analyst makes there."""
    basic = base64.b64encode(":".join(client).encode()).decode()
    with urllib.request.urlopen(urllib.request.Request(
            f"{system.sandbox.url}/tr/iroh/oauth2/token", data=b"grant_type=client_credentials",
            headers={"Authorization": f"Basic {basic}"}), timeout=30) as answer:
        token = json.loads(answer.read())["access_token"]
    request = urllib.request.Request(
        f"{system.sandbox.url}/tr/ctia/{path}?wait_for=true", method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def entity_create(system, body):
    return intel(system, "POST", "incident", body)


def entity_call(system, method, entity, body, tail=""):
    return intel(system, method, "incident/" + entity["id"].rsplit("/", 1)[-1] + tail, body)


def change(system, ticket, instance="main", **columns):
    return table(system, "PATCH", f"incident/{ticket['sys_id']}", columns, instance)


def resolve(system, ticket, code="Solution provided", **columns):
    return change(system, ticket, state="6", close_code=code, close_notes="done", **columns)


def close(system, ticket, code="Solution provided", **columns):
    return change(system, ticket, state="7", close_code=code, close_notes="done", **columns)


def cancel(system, ticket):
    return change(system, ticket, state="8")


def open_again(system, ticket):
    return change(system, ticket, state="2", close_code="", close_notes="")


def say(system, op="closed", via="servicenow", **fields):
    """An entry as the callback, the reconciler or the client append it."""
    stream = "orders" if via == "cli" else "closures"
    return system.redis.client.xadd(system.key_name(stream), {
        "v": "1", "op": op, "via": via, "received_ms": str(int(time.time() * 1000)), "trace": "",
        **fields})


def said(system, ticket, **fields):
    """As our business rule says it."""
    return say(system, **{"instance": "snow-main", "sys_id": ticket["sys_id"],
                          "number": ticket["number"], "key": ticket["correlation_id"], **fields})

