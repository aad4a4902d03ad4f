"""What the callback service may know: made by commands, kept in files, handed over by setup."""
import json

from harness import SYS_ID, wait_until


def known(system):
    return {name: value if name == "#version" else json.loads(value)
            for name, value in system.redis.client.hgetall("tocsin:callback:credentials").items()}


def test_an_instance_gets_a_client_of_its_own(system):
    system.servicenow("prod")
    system.customer("acme", instance="prod", xdr=None)
    system.tocsin("keygen", "--missing")
    env = {"TOCSIN_PUBLIC_URL": "https://tocsin.example.com"}
    made = system.tocsin("servicenow", "connect", "snow-prod", "--instance-name", "acmeprod", **env)
    assert made["token_url"] == "https://tocsin.example.com/oauth/token"
    assert made["instance_name"] == "acmeprod" and made["client_id"].startswith("tocsin-")
    system.apply()
    record = known(system)["@snow-prod"]
    assert record["owner"] == "account:snow-prod"
    assert record["callback"]["client_id"] == made["client_id"]
    assert [text[:3] for text in record["callback"]["secret"]] == ["h1."]
    assert known(system)["acme"] == {"name": "Acme", "partition": 0, "servicenow": "snow-prod"}
    assert system.redis.client.hget("tocsin:customers", "#version") == known(system)["#version"]
    # Nothing of what we need at ServiceNow goes there, and no new secret is anywhere.
    assert "v1." not in json.dumps(known(system))
    again = system.tocsin("servicenow", "rotate", "snow-prod")
    assert again["client_id"] == made["client_id"] and again["secret"] != made["secret"]
    signing = system.tocsin("servicenow", "connect", "snow-prod", "--hmac")["secret"]
    assert signing.startswith("whsec_")
    system.apply()
    record = known(system)["@snow-prod"]["callback"]
    assert len(record["secret"]) == 2 and len(record["hmac"]) == 1
    files = "".join(path.read_text() for path in system.config.rglob("*.json"))
    for secret in (made["secret"], again["secret"], signing[6:]):
        assert secret not in files and secret not in json.dumps(known(system))
    system.tocsin("servicenow", "rotate", "snow-prod", "--finish")
    system.apply()
    assert len(known(system)["@snow-prod"]["callback"]["secret"]) == 1
    # Applied again without its secrets, a file keeps them.
    body = json.loads((system.config / "accounts/snow-prod.json").read_text())
    body["callback"] = {"instance_name": "acmeprod2"}
    del body["secret"]
    (system.folder / "again.json").write_text(json.dumps(body))
    system.tocsin("account", "apply", str(system.folder / "again.json"))
    system.apply()
    assert known(system)["@snow-prod"]["callback"] == {**record, "instance_name": "acmeprod2",
                                                       "secret": record["secret"][:1]}
    system.tocsin("servicenow", "disconnect", "snow-prod")
    system.apply()
    assert "@snow-prod" not in known(system)


def test_an_account_inside_a_customers_file(system):
    system.sandbox.servicenow("own", "tocsin", "snow-secret", SYS_ID)
    (system.folder / "own.json").write_text(json.dumps({
        "id": "acme", "mode": "live", "servicenow": SYS_ID, "accounts": {"servicenow": {
            "url": f"{system.sandbox.url}/snow/own", "username": "tocsin", "secret": "snow-secret"}}}))
    system.tocsin("customer", "apply", str(system.folder / "own.json"))
    system.tocsin("keygen", "--missing")
    made = system.tocsin("servicenow", "connect", "acme.servicenow")
    assert made["instance_name"] == "127"  # the first part of its host
    system.apply()
    assert known(system)["@acme.servicenow"]["owner"] == "acme"
    assert known(system)["acme"]["servicenow"] == "acme.servicenow"


def test_resealing_reaches_what_the_callback_holds(system):
    secret = system.pusher("acme")
    system.apply()
    system.callback()
    call = system.caller()
    assert call.push("acme/generic", {"n": 1}, secret).status == 202
    system.tocsin("keygen", "--callback")
    assert system.tocsin("customer", "reseal")["resealed"] == 1
    newest = (system.folder / "callback.key").read_text().split()[0]
    system.apply()
    assert known(system)["acme"]["push"]["hmac"][0].split(".")[1] == newest
    # The key is read at the start of the process; then the secret is what it was.
    system.services[-1].stop()
    system.callback()
    wait_until(lambda: call.push("acme/generic", {"n": 2}, secret).status == 202, 5, "the secret again")
    call.close()


def test_a_record_that_cannot_be_read_shuts_out_nobody_else(system):
    secret = system.pusher("acme")
    system.pusher("globex")
    system.apply()
    process = system.callback()
    call = system.caller()
    key = "tocsin:callback:credentials"
    for name, value in (("globex", "{"), ("initech", '{"partition":0,"unknown":1}'), ("@x", "[]"),
                        ("BAD", '{"partition":0}')):
        system.redis.client.hset(key, name, value)
    moved = known_record(system, "acme")
    system.redis.client.hset(key, "globex2", json.dumps(moved))  # sealed for another customer
    system.redis.client.hincrby(key, "#version", 1)
    wait_until(lambda: any("globex2" in line["msg"] for line in process.log_lines()), 5, "read again")
    assert call.push("acme/generic", {"n": 1}, secret).status == 202
    assert call.push("globex2/generic", {"n": 1}, secret).status == 401
    call.close()


def test_what_is_shown_holds_no_secret(system):
    system.pusher("acme")
    shown = system.tocsin("customer", "show", "acme")
    assert "generic" in json.dumps(shown) and "v1." not in json.dumps(shown) and "h1." not in json.dumps(shown)
    system.servicenow("prod")
    system.tocsin("servicenow", "connect", "snow-prod")
    system.apply()
    shown = json.dumps(system.tocsin("account", "show", "snow-prod"))
    assert "snow-prod" in shown and "h1." not in shown


def known_record(system, name):
    return json.loads(system.redis.client.hget("tocsin:callback:credentials", name))
