"""What is pushed becomes a ticket, like what is polled."""
import json
import time

from harness import SYS_ID, wait_until

OBSERVABLES = "203.0.113.9 , hxxps://c2[.]bad[.]example/gate, invoice.exe " + "5f" * 32


def customer(system, customer_id="acme"):
    system.servicenow()
    system.threat_response()
    (system.config / "customers" / f"{customer_id}.json").write_text(json.dumps({
        "id": customer_id, "name": customer_id.title(), "mode": "live",
        "servicenow": {"account": "snow-main", **SYS_ID},
        "threat_response": {"account": "xdr", "mode": "create"}}))


def event(device, kind="Threat Detected"):
    return {"customer_name": "Acme", "event_type": kind, "target_device": device,
            "datetime_event": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "raw_observables_string": OBSERVABLES}


def incidents(system):
    return system.tocsin("incident", "list", "--limit", "100")["incidents"]


def test_a_pushed_event_becomes_a_ticket_on_both_sides(system):
    customer(system)
    secret = system.pusher("acme")
    system.apply()
    system.callback()
    system.start("normalizer", "incident")
    call = system.caller()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = [event("pc-17"), event("pc-17"), event("pc-18"), event("pc-17", "Phishing")]
    started = time.monotonic()
    assert call.push("acme/generic", body, secret, webhook_id="msg_1",
                     headers={"traceparent": trace}).json["accepted"] == 4
    # Twice the same kind on one device is one problem; another device, another kind are others.
    rows = wait_until(lambda: (found := incidents(system)) and len(found) == 3 and
                      all(row["state"] == "open" and row["ctim_id"] for row in found) and found, 40, "three incidents")
    print(f"pushed to ticket in {time.monotonic() - started:.2f} s")
    wait_until(system.drained, 20, "nothing is left to do")
    assert sorted(row["findings"] for row in rows) == [1, 1, 2]
    assert not system.redis.client.xlen(system.key_name("dead"))
    # Sent again after a lost answer: no event, no note, no ticket more.
    assert call.push("acme/generic", body, secret, webhook_id="msg_1").json == {"accepted": 0, "duplicate": 4}
    call.close()


def test_the_ticket_says_what_was_pushed(system):
    customer(system)
    secret = system.pusher("acme")
    system.apply()
    system.callback()
    system.start("normalizer", "incident")
    call = system.caller()
    body = event("pc-17")
    for _ in range(3):  # as a sender does who hears nothing
        assert call.push("acme/generic", body, secret, webhook_id="msg_1").status == 202
    call.close()
    rows = wait_until(lambda: [row for row in incidents(system) if row["state"] == "open"], 40, "the incident")
    assert len(rows) == 1 and rows[0]["findings"] == 1
    shown = system.tocsin("incident", "show", rows[0]["id"])
    ticket = system.redis.client.hget(system.key_name(f"incident:{rows[0]['id']}"), "servicenow.sys_id")
    text = json.dumps(system.ticket("main", ticket))
    for piece in ("Threat Detected", "pc-17", "203.0.113.9", "c2.bad.example", "invoice.exe", "5f" * 32):
        assert piece in text, piece
    assert shown["host"] == "pc-17"
    # Its way is told like that of a polled one.
    (event_id,) = [key.rsplit(":", 1)[1] for key in system.redis.client.keys(system.key_name("seen:acme:generic:*"))]
    traced = json.dumps(system.tocsin("trace", event_id))
    assert rows[0]["number"] in traced and "generic" in traced
