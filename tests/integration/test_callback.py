"""Pushed events, as their senders see it: who is let in, what is taken, and what is said."""
import json
import time

import pytest

from harness import Caller, raw_exchange, signed_headers, wait_until

PATH = "acme/generic"
EVENT = {"customer_name": "Acme", "event_type": "test", "target_device": "pc1"}


@pytest.fixture
def push(system):
    """A running callback service and the secret of its one customer."""
    system.secret = system.pusher("acme", "generic", "wazuh=rule.id")
    system.apply()
    system.process = system.callback()
    system.call = system.caller()
    yield system
    system.call.close()


def raw(system):
    return [fields for _, fields in system.redis.client.xrange(system.key_name("raw"))]


def payloads(system):
    return [json.loads(fields["payload"]) for fields in raw(system)]


def check_problem(answer, status, name):
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json) == {"type", "title", "status", "detail"}
    assert (answer.json["status"], answer.json["type"]) == (status, f"urn:tocsin:problem:{name}")
    return answer


# ---- who


def test_an_accepted_event_is_in_raw(push):
    before = time.time() * 1000
    answer = push.call.push(PATH, EVENT, push.secret)
    assert (answer.status, answer.json) == (202, {"accepted": 1, "duplicate": 0})
    (entry,) = raw(push)
    assert (entry["v"], entry["customer"], entry["source"]) == ("1", "acme", "generic")
    assert json.loads(entry["payload"]) == EVENT
    assert before - 1000 < int(entry["observed_ms"]) < time.time() * 1000 + 1000
    assert len(entry["trace"]) == 55 and len(entry["event_id"]) == 32
    assert push.fate("acme", entry["event_id"], "generic") == "queued"
    push.process.counts(1, "tocsin_callback_requests_total", status="202")


def test_the_client_sends_as_others_do(push, tmp_path):
    """tocsin push send, signed and with a token; a wrong secret is refused."""
    secret, event = tmp_path / "secret", tmp_path / "event.json"
    secret.write_text(push.secret + "\n")
    event.write_text(json.dumps(EVENT))
    env = {"TOCSIN_PUBLIC_URL": f"http://127.0.0.1:{push.callback_port}"}
    send = ("push", "send", "acme", "generic", str(event), "--secret-file", str(secret))
    assert push.tocsin(*send, **env)["status"] == 202
    assert json.loads(raw(push)[0]["payload"]) == EVENT
    secret.write_text("not one to sign with")
    push.tocsin(*send, expect=2, **env)
    push.tocsin(*send, "--bearer", expect=1, **env)
    secret.write_text(push.secret)
    push.tocsin(*send, "--url", "http://127.0.0.1:1", expect=5, **env)


def test_the_senders_trace_goes_on(push):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    push.call.push(PATH, EVENT, push.secret, headers={"traceparent": trace})
    onward = raw(push)[0]["trace"]
    assert onward[:36] == trace[:36] and onward[52:] == trace[52:] and onward != trace
    push.call.push(PATH, EVENT, push.secret, headers={"traceparent": "rubbish"})
    assert raw(push)[1]["trace"][:36] != trace[:36]


def test_what_is_not_signed_by_a_known_customer_looks_alike(push):
    """Unknown customers, known ones that do not push, and everything wrong with a signature: one answer."""
    body = json.dumps(EVENT).encode()
    (push.config / "customers" / "quiet.json").write_text(json.dumps({"id": "quiet", "mode": "live"}))
    push.apply()
    good = signed_headers(push.secret, body)
    stranger = "whsec_" + "A" * 43 + "="
    wrong = [
        ("acme/generic", {}),
        ("acme/generic", signed_headers(stranger, body)),
        ("acme/generic", signed_headers(push.secret, body + b" ")),
        ("acme/generic", signed_headers(push.secret, body, timestamp=int(time.time()) - 302)),
        ("acme/generic", signed_headers(push.secret, body, timestamp=int(time.time()) + 302)),
        ("acme/generic", signed_headers(push.secret, body, webhook_id="x" * 65)),
        ("acme/generic", {**good, "webhook-id": "other"}),
        ("acme/generic", {**good, "webhook-timestamp": good["webhook-timestamp"] + " "}),
        ("acme/generic", {**good, "webhook-signature": good["webhook-signature"][:-2]}),
        ("acme/generic", {**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v1a,")}),
        ("acme/generic", {"webhook-id": good["webhook-id"]}),
        ("acme/generic", {"Authorization": "Bearer rubbish"}),
        ("acme/generic", {"Authorization": "Basic YTpi"}),
        ("nobody/generic", signed_headers(push.secret, body)),
        ("nobody/generic", {"Authorization": "Bearer rubbish"}),
        ("nobody/nothing", {}),
        ("quiet/generic", signed_headers(push.secret, body)),
        ("ACME/generic", signed_headers(push.secret, body)),
    ]
    answers = [push.call.push(path, body, headers=headers) for path, headers in wrong]
    for answer in answers:
        check_problem(answer, 401, "unauthorized")
    shown = {(a.text, tuple(sorted(set(a.headers.items()) - {("date", a.headers["date"])}))) for a in answers}
    assert len(shown) == 1
    assert not raw(push)
    push.process.counts(len(wrong), "tocsin_callback_refusals_total", problem="unauthorized")
    # The last moment within the tolerance is good.
    for offset in (-298, 298):
        assert push.call.push(PATH, EVENT, push.secret, timestamp=int(time.time()) + offset).status == 202


def test_unknown_customer_and_bad_signature_cost_the_same(push):
    """Medians of many, side by side, of the processor's time: they differ by less than what one signature costs."""
    body = b"{" + b" " * 200_000 + b"}"
    times = {"acme/generic": [], "nobody/generic": []}
    for _ in range(60):
        for path, taken in times.items():
            headers = signed_headers("whsec_" + "A" * 43 + "=", body)
            start = push.process.cpu_ns()
            assert push.call.push(path, body, headers=headers).status == 401
            taken.append(push.process.cpu_ns() - start)
    known, unknown = (sorted(taken)[len(taken) // 2] for taken in times.values())
    print(f"medians: known {known / 1000:.0f} us, unknown {unknown / 1000:.0f} us")
    assert abs(known - unknown) < 0.25 * max(known, unknown)


def test_a_list_of_signatures_needs_one_that_is_right(push):
    more = ["v1," + "A" * 43 + "=", "v2,whatever", "v1a,AAAA"]
    assert push.call.push(PATH, EVENT, push.secret, more=more).status == 202
    # No more than eight are looked at.
    assert push.call.push(PATH, EVENT, push.secret, more=more * 3).status == 401


def test_two_secrets_are_valid_while_they_are_rotated(push):
    newer = push.tocsin("push", "rotate", "acme")["secret"]
    push.apply()
    wait_until(lambda: push.call.push(PATH, EVENT, newer).status == 202, 6, "the newer secret")
    assert push.call.push(PATH, EVENT, push.secret).status == 202
    push.tocsin("push", "rotate", "acme", "--finish")
    push.apply()
    wait_until(lambda: push.call.push(PATH, EVENT, push.secret).status == 401, 6, "the end of the older")
    assert push.call.push(PATH, EVENT, newer).status == 202
    push.tocsin("push", "remove", "acme")
    push.apply()
    wait_until(lambda: push.call.push(PATH, EVENT, newer).status == 401, 6, "the end of pushing")


def test_a_bearer_token_lets_in_and_is_nowhere_to_be_read(push):
    token = push.tocsin("push", "rotate", "acme", "--bearer")["secret"]
    push.apply()
    wait_until(lambda: push.call.push(PATH, EVENT, bearer=token).status == 202, 6, "the token")
    assert push.call.push(PATH, EVENT, bearer=token + "x").status == 401
    # Of one customer only.
    push.pusher("globex", "generic")
    push.apply()
    assert push.call.push("globex/generic", EVENT, bearer=token).status == 401
    stored = json.dumps(push.redis.client.hgetall("tocsin:callback:credentials")) + \
        json.dumps(push.redis.client.hgetall("tocsin:customers"))
    files = "".join(file.read_text() for file in push.config.rglob("*.json"))
    logs = "".join(file.read_text() for file in push.folder.glob("*.log"))
    for place in (stored, files, logs):
        assert token not in place and push.secret not in place and push.secret[6:] not in place
    assert "h1." in stored and "v1." in stored


# ---- what


@pytest.mark.parametrize("body, count", [
    (b'{"a":1}', 1), (b' \n{"a":\n[1,{"b":"}"}]}\n ', 1), (b'[{"a":1},{"a":1} , {"a":1}]', 3),
    (b'{"a":1}\n{"a":2}\r\n\n{"a":3}', 3), (b'{"a":1}\n{"a":1}\n', 2), (b'[ {"a":"]"} ]\n', 1),
])
def test_forms_of_the_body(push, body, count):
    answer = push.call.push(PATH, body, push.secret)
    assert (answer.status, answer.json) == (202, {"accepted": count, "duplicate": 0})
    assert len({fields["event_id"] for fields in raw(push)}) == count
    # Untouched: as it was sent, to the byte.
    assert all(fields["payload"].encode() in body for fields in raw(push))


@pytest.mark.parametrize("body", [
    b"", b"  \n", b"[]", b"{", b"[{}", b"[{},]", b"[{}{}]", b"{}{}", b"{} {}", b"[{}] []", b"[[]]", b"1",
    b'"text"', b"null", b'{"a":1}\n{"a":', b'{"a":01}', b'{"a":"\xff"}', b'{"a":1}\n[{"a":1}]', b"{a:1}",
    b"[" * 5000, b'{"a":' * 5000, b"[{}]x", b'{"a":1},{"a":2}',
])
def test_what_is_not_json_is_refused_whole(push, body):
    check_problem(push.call.push(PATH, body, push.secret), 400, "malformed-body")
    assert not raw(push)


def test_bounds(push):
    assert push.call.push(PATH, [EVENT] * 500, push.secret).json == {"accepted": 500, "duplicate": 0}
    many = check_problem(push.call.push(PATH, [EVENT] * 501, push.secret), 400, "malformed-body")
    assert "500" in many.json["detail"]
    # One byte more than is taken, and much more; the sender hears of it.
    largest = b'{"a":"' + b"x" * (2 ** 20 - 8) + b'"}'
    assert push.call.push(PATH, largest, push.secret).status == 202
    check_problem(push.call.push(PATH, largest + b" ", push.secret), 413, "too-large")
    check_problem(push.call.push(PATH, largest * 3, push.secret), 413, "too-large")
    head = b"POST /v1/events/acme/generic HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % 2 ** 40
    assert raw_exchange(push.callback_port, head).startswith(b"HTTP/1.1 413 ")


def test_ids_of_events(push):
    # Where the path leads; numbers beyond 2^53 as they were written.
    body = b'[{"rule":{"id":"a b"}},{"rule":{"id":12345678901234567890}},{"rule":{}},{"rule":{"id":"a b"}}]'
    answer = push.call.push("acme/wazuh", body, push.secret)
    assert answer.json == {"accepted": 3, "duplicate": 1}
    ids = [fields["event_id"] for fields in raw(push)]
    assert ids[:2] == ["a b", "12345678901234567890"] and len(ids[2]) == 32
    # An id is the event's own, whoever sends it, however often.
    assert push.call.push("acme/wazuh", body, push.secret).json["accepted"] == 1
    # With a bearer token and without an id, an event is what it says; equal ones in a request are several.
    token = push.tocsin("push", "rotate", "acme", "--bearer")["secret"]
    push.apply()
    wait_until(lambda: push.call.push(PATH, {"n": 0}, bearer=token).status == 202, 6, "the token")
    twins = b'[{"a":1,"b":2},{"b":2,"a":1},{"a":1,"b":2}]'
    assert push.call.push(PATH, twins, bearer=token).json == {"accepted": 2, "duplicate": 1}
    assert push.call.push(PATH, twins, bearer=token).json == {"accepted": 0, "duplicate": 3}


def test_the_same_webhook_is_taken_once(push):
    body = json.dumps([EVENT] * 3).encode()
    first = signed_headers(push.secret, body, webhook_id="msg_1")
    assert push.call.push(PATH, body, headers=first).json == {"accepted": 3, "duplicate": 0}
    # The very same bytes, and a later attempt as a sender makes it: accepted as what they are.
    assert push.call.push(PATH, body, headers=first).json == {"accepted": 0, "duplicate": 3}
    later = signed_headers(push.secret, body, webhook_id="msg_1", timestamp=int(time.time()) + 5)
    assert push.call.push(PATH, body, headers=later).json == {"accepted": 0, "duplicate": 3}
    # Its id for something else, or for another source, is a mistake.
    other = push.call.push(PATH, {"other": 1}, push.secret, webhook_id="msg_1")
    check_problem(other, 409, "conflict")
    check_problem(push.call.push("acme/wazuh", body, push.secret, webhook_id="msg_1"), 409, "conflict")
    assert len(raw(push)) == 3
    # After the nonce is forgotten the events still are what they were.
    for nonce in push.redis.client.keys(push.key_name("nonce:*")):
        assert 0 < push.redis.client.pttl(nonce) <= 15 * 60 * 1000
        push.redis.client.delete(nonce)
    assert push.call.push(PATH, body, headers=later).json == {"accepted": 0, "duplicate": 3}
    # Of another customer the id says nothing.
    secret = push.pusher("globex", "generic")
    push.apply()
    wait_until(lambda: push.call.push("globex/generic", EVENT, secret, webhook_id="msg_1").status == 202, 6,
               "the other customer")


def test_a_source_that_was_not_agreed_on_is_refused(push):
    check_problem(push.call.push("acme/secure_endpoint", EVENT, push.secret), 403, "forbidden")
    check_problem(push.call.push("acme/", EVENT, push.secret), 404, "not-found")
    check_problem(push.call.push("acme/generic/more", EVENT, push.secret), 404, "not-found")
    check_problem(push.call.request("POST", "/v1/elsewhere", b"{}"), 404, "not-found")
    answer = check_problem(push.call.request("GET", "/v1/events/acme/generic"), 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


# ---- how much


def test_each_customer_has_a_rate(system):
    secret = system.pusher("acme")
    other = system.pusher("globex")
    system.tocsin("push", "add", "acme", "--events-per-minute", "6")
    system.apply()
    system.callback()
    call = system.caller()
    for _ in range(6):
        assert call.push(PATH, EVENT, secret).status == 202
    late = check_problem(call.push(PATH, EVENT, secret), 429, "too-many-requests")
    assert 1 <= int(late.headers["retry-after"]) <= 10
    assert call.push("globex/generic", EVENT, other).status == 202
    # What is more than a minute's worth is taken as a whole, once.
    assert call.push("globex/generic", [EVENT] * 500, other).json["accepted"] == 500
    call.close()


def test_a_full_redis_takes_nothing(push):
    memory = push.redis.client.info("memory")["used_memory"]
    push.redis.client.config_set("maxmemory", int(memory / 0.81))
    answer = check_problem(push.call.push(PATH, EVENT, push.secret, webhook_id="msg_f"), 503, "full")
    assert int(answer.headers["retry-after"]) >= 1
    assert not raw(push) and not push.redis.client.keys(push.key_name("nonce:*"))
    push.redis.client.config_set("maxmemory", 0)
    assert push.call.push(PATH, EVENT, push.secret, webhook_id="msg_f").json == {"accepted": 1, "duplicate": 0}


def test_not_ready_without_credentials_and_then_ready(system):
    process = system.service("callback", TOCSIN_CALLBACK_PORT="0",
                             TOCSIN_CALLBACK_KEY_FILE=str(system.folder / "callback.key"))
    assert process.process.wait(10) == 1  # without a key it does not start, and says how to make one
    assert "keygen" in process.tail()
    system.services.clear()
    secret = system.pusher("acme")
    system.callback_port = None
    process = system.service("callback", TOCSIN_CALLBACK_PORT="0",
                             TOCSIN_CALLBACK_KEY_FILE=str(system.folder / "callback.key"))
    line = wait_until(lambda: next((l for l in process.log_lines() if "listening" in l["msg"]), None), 10,
                      "the port")
    call = Caller(int(line["msg"].split()[-1]))
    wait_until(lambda: process.get("/healthz")[0] == 200, 10, "alive")
    assert process.get("/readyz")[0] == 503
    check_problem(call.push(PATH, EVENT, secret), 503, "unavailable")
    system.apply()
    process.ready()
    assert call.push(PATH, EVENT, secret).status == 202
    call.close()
