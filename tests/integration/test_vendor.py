"""The vendors' clients against the sandbox and a real Redis: what they ask, what they make of answers."""
import json
import os
import pathlib
import subprocess
import time

import pytest

from harness.process import build_dir

CALLER = "0" * 31 + "1"
COMPANY = "0" * 31 + "2"
GROUP = "0" * 31 + "3"
GUID = "7dd00000-1a2b-4c3d-8e4f-0123456789ab"
AMP_GROUP = "11111111-2222-4333-8444-555555555555"
OTHER_GROUP = "99999999-2222-4333-8444-555555555555"

SHARED = pathlib.Path(__file__).parents[3] / "shared"


class Clients:
    """tests/tools/vendor_call.c"""

    def __init__(self, redis_url, **settings):
        env = {"PATH": os.environ["PATH"], "TOCSIN_REDIS_URL": redis_url, **settings}
        self.process = subprocess.Popen([str(build_dir() / "vendor-call")], env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, call, account, args=None, repeat=1, **session):
        self.process.stdin.write(json.dumps({"call": call, "account": account, "args": args or {},
                                             "session": session, "repeat": repeat}) + "\n")
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def __call__(self, *args, **kwargs):
        self.send(*args, **kwargs)
        return self.answer()

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0, "clients leak or crash"


@pytest.fixture
def clients(redis_server):
    # The breaker has its own test; elsewhere it would only hide what an answer means.
    tool = Clients(redis_server.url, TOCSIN_BREAKER_FAILURES="1000")
    yield tool
    tool.stop()


@pytest.fixture
def snow(sandbox):
    sandbox.servicenow("dev1", "robot", "pw-secret", {"caller_id": CALLER, "company": COMPANY,
                                                      "assignment_group": GROUP})
    sandbox.post("accounts", {"vendor": "servicenow", "account": "dev1", "oauth": [
        {"client_id": "app", "client_secret": "app&secret", "user": "robot", "scope": "useraccount"}]})
    return {"id": "snow.dev1", "kind": "servicenow", "url": f"{sandbox.url}/snow/dev1",
            "username": "robot", "secret": "pw-secret"}


@pytest.fixture
def amp(sandbox):
    sandbox.secure_endpoint("acme", "key-secret")
    sandbox.post("accounts", {
        "vendor": "secure_endpoint", "account": "acme",
        "groups": [{"guid": AMP_GROUP, "name": "Triage"}, {"guid": OTHER_GROUP, "name": "All"}],
        "computers": [{"connector_guid": GUID, "hostname": "WS-1", "group_guid": OTHER_GROUP,
                       "operating_system": "Windows 10",
                       "isolation": {"available": True, "status": "not_isolated"}}],
        "isolation_start_ms": 0, "isolation_stop_ms": 0})
    return {"id": "acme.secure_endpoint", "kind": "secure_endpoint", "url": f"{sandbox.url}/amp",
            "client_id": "acme", "secret": "key-secret"}


@pytest.fixture
def tr(sandbox):
    sandbox.threat_response("org", "tr-secret")
    return {"id": "org.threat_response", "kind": "threat_response", "url": f"{sandbox.url}/tr/iroh",
            "intel_url": f"{sandbox.url}/tr/ctia", "client_id": "org", "secret": "tr-secret",
            "auth": "oauth"}


def ticket(**more):
    return {"table": "incident", "columns": {
        "short_description": "Threat Detected on WS-1 [SecureX]", "description": "first\nsecond",
        "impact": "2", "urgency": "2", "caller_id": CALLER, "company": COMPANY,
        "assignment_group": GROUP, "correlation_id": "tocsin-i:t:acme:g:1",
        "work_notes": "note [tocsin 1]", **more}}


def incidents(sandbox):
    return sandbox.get("state/servicenow/dev1")["incidents"]


# ---- ServiceNow ----

def test_a_ticket_is_created_read_changed_and_found(clients, sandbox, snow):
    made = clients("servicenow.create", snow, ticket())
    assert made["ok"] and made["mismatches"] == {}, made
    assert made["number"].startswith("INC")
    note = {"table": "incident", "sys_id": made["sys_id"], "columns": {"work_notes": "later [tocsin 2]"}}
    assert clients("servicenow.patch", snow, note)["ok"]
    stored, = incidents(sandbox)
    assert [note["value"] for note in stored["work_notes"]] == ["note [tocsin 1]", "later [tocsin 2]"]
    where = {"table": "incident", "sys_id": made["sys_id"]}
    read = clients("servicenow.get", snow, {**where, "fields": "state,company"})
    assert read["records"][0]["state"] == "1" and read["records"][0]["company"] == COMPANY
    assert clients("servicenow.get", snow, {**where, "sys_id": "f" * 32, "fields": "state"})["found"] is False
    for key, prefix, count in (("tocsin-i:t:acme:g:1", False, 1), ("tocsin-i:t:acme:g", False, 0),
                               ("tocsin-i:t:acme", True, 1), ("tocsin-i:t:other", True, 0)):
        found = clients("servicenow.find", snow, {"table": "incident", "correlation_id": key, "prefix": prefix})
        assert found["ok"] and len(found["records"]) == count, (key, found)
    for marker, there in (("[tocsin 2]", True), ("[tocsin 3]", False)):
        note = clients("servicenow.note", snow, {**where, "marker": marker})
        assert note["found"] == there
    assert not any(call["cookie"] for call in sandbox.get("ledger")["calls"])


def test_a_note_is_found_without_rights_to_the_journal(clients, sandbox, snow):
    sandbox.post("accounts", {"vendor": "servicenow", "account": "dev1", "journal_roles": "admin"})
    made = clients("servicenow.create", snow, ticket())
    where = {"table": "incident", "sys_id": made["sys_id"]}
    note = clients("servicenow.note", snow, {**where, "marker": "[tocsin 1]"})
    assert (note["ok"], note["found"]) == (True, True)


def test_what_the_instance_does_not_take_is_named(clients, sandbox, snow):
    made = clients("servicenow.create", snow, ticket(company="f" * 32, u_nonsense="x"))
    assert made["ok"]
    assert made["mismatches"] == {"company": "emptied", "u_nonsense": "dropped"}
    sandbox.fault(kind="dropped_columns", vendor="servicenow", columns=["assignment_group", "correlation_id"])
    made = clients("servicenow.create", snow, ticket())
    assert set(made["mismatches"]) == {"assignment_group", "correlation_id"}


def test_an_ignored_search_is_not_an_empty_one(clients, sandbox, snow):
    """An instance that does not know correlation_id returns everything."""
    clients("servicenow.create", snow, ticket())
    sandbox.fault(kind="reply", vendor="servicenow", method="GET", count=1,
                  body={"result": [{"sys_id": "a" * 32, "number": "INC1", "state": "1"}]})
    found = clients("servicenow.find", snow, {"table": "incident", "correlation_id": "tocsin-i:none"})
    assert (found["ok"], found["kind"], found["change"]) == (False, "account", "parked")


ANSWERS = [
    # fault, outcome, kind, ambiguous, records left behind
    ({"kind": "hibernation"}, "hibernating", "transient", False, 0),
    ({"kind": "truncated_json"}, "truncated", "transient", True, 1),
    ({"kind": "202"}, "accepted", "transient", True, 0),
    ({"kind": "429", "retry_after": 7}, "throttled", "transient", False, 0),
    ({"kind": "429", "retry_after": "3172s"}, "throttled", "transient", False, 0),
    ({"kind": "429", "retry_after": "date:60"}, "throttled", "transient", False, 0),
    ({"kind": "5xx_before", "status": 503}, None, "transient", True, 0),
    ({"kind": "5xx_after", "status": 500}, None, "transient", True, 1),
    ({"kind": "cut_before"}, "no answer", "transient", True, 0),
    ({"kind": "cut_after"}, "no answer", "transient", True, 1),
    ({"kind": "cut_body"}, "no answer", "transient", True, 1),
    ({"kind": "wrong_content_type"}, "unexpected", "transient", True, 1),
    ({"kind": "mandatory_column", "column": "u_service"}, "data policy", "account", False, 0),
    ({"kind": "expired_password"}, "unauthorized", "account", False, 0),
]


@pytest.mark.parametrize("fault,outcome,kind,ambiguous,left", ANSWERS,
                         ids=lambda value: value["kind"] if isinstance(value, dict) else "")
def test_answers_are_told_apart(clients, sandbox, snow, fault, outcome, kind, ambiguous, left):
    sandbox.fault(vendor="servicenow", method="POST", count=1, **fault)
    made = clients("servicenow.create", snow, ticket())
    assert (made["ok"], made["kind"], made["ambiguous"]) == (False, kind, ambiguous), made
    assert outcome in (None, made["outcome"]), made
    assert len(incidents(sandbox)) == left
    assert made["change"] == ("parked" if kind == "account" else None)
    if fault["kind"] == "mandatory_column":
        assert made["labels"]
    wait = {7: 7000, "3172s": 3172000}.get(fault.get("retry_after"))
    assert wait is None or made["retry_after_ms"] == wait
    if fault.get("retry_after") == "date:60":
        assert 55000 <= made["retry_after_ms"] <= 61000
    # Nobody calls before the time that the vendor named.
    if made["retry_after_ms"]:
        again = clients("servicenow.create", snow, ticket())
        assert again["refusal"] == "budget" and again["wait_ms"] > 0
        assert len(incidents(sandbox)) == left


def test_a_slow_body_ends_at_the_deadline(clients, sandbox, snow):
    sandbox.fault(kind="slow_body", vendor="servicenow", chunk_bytes=1, chunk_ms=100)
    made = clients("servicenow.create", snow, ticket(), deadline_ms=500)
    assert (made["outcome"], made["ambiguous"]) == ("no answer", True)
    assert len(incidents(sandbox)) == 1


def test_a_configuration_item_of_that_name(clients, sandbox, snow):
    items = [{"sys_id": "a" * 32, "name": "WS-1"}, {"sys_id": "b" * 32, "name": "WS-2"},
             {"sys_id": "c" * 32, "name": "WS-2"}]
    sandbox.post("accounts", {"vendor": "servicenow", "account": "dev1", "tables": {"cmdb_ci_computer": items}})
    for name, want in (("ws-1", "a" * 32), ("WS-2", None), ("WS-3", None), ("a^ORname=WS-1", None)):
        assert clients("servicenow.ci", snow, {"name": name})["sys_id"] == want


def test_verify_sees_references_choices_and_roles(clients, snow):
    seen = clients("servicenow.verify", snow, {"table": "core_company", "sys_id": COMPANY})
    assert seen["ok"] and seen["exists"], seen
    assert clients("servicenow.verify", snow, {"table": "core_company", "sys_id": "e" * 32})["exists"] is False


def test_a_parked_account_waits_and_is_resumed_by_a_create(redis_server, sandbox, snow):
    clients = Clients(redis_server.url, TOCSIN_PROBE_INTERVAL="2s")
    fault = sandbox.fault(kind="mandatory_column", vendor="servicenow", column="u_service")
    assert clients("servicenow.create", snow, ticket())["change"] == "parked"
    refused = clients("servicenow.create", snow, ticket())
    assert (refused["refusal"], refused["outcome"]) == ("parked", "not sent")
    assert 0 < refused["wait_ms"] <= 2000
    changes = []
    search = {"table": "incident", "correlation_id": "tocsin-i:none"}

    def until(call, args, done):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            answer = clients(call, snow, args)
            changes.append(answer["change"])
            if done(answer):
                return answer
        raise AssertionError("not in time")

    # Searches work, and prove nothing about creating; a create that fails is no second alarm.
    until("servicenow.find", search, lambda answer: answer["ok"])
    until("servicenow.create", ticket(), lambda answer: answer["outcome"] == "data policy")
    assert set(changes) == {None}
    sandbox.heal(fault)
    assert until("servicenow.create", ticket(), lambda answer: answer["ok"])["change"] == "resumed"
    assert len(incidents(sandbox)) == 1
    clients.stop()


def test_a_probe_passes_a_parked_account(clients, sandbox, snow):
    sandbox.fault(kind="expired_password", vendor="servicenow", count=1)
    assert clients("servicenow.create", snow, ticket())["change"] == "parked"
    assert clients("servicenow.verify", snow, {"table": "core_company", "sys_id": COMPANY})["refusal"] == "parked"
    seen = clients("servicenow.verify", snow, {"table": "core_company", "sys_id": COMPANY}, probe=True)
    assert seen["ok"] and "itil" in seen["roles"], seen


def test_the_breaker_opens_and_lets_one_try(redis_server, sandbox, snow):
    clients = Clients(redis_server.url, TOCSIN_BREAKER_FAILURES="3", TOCSIN_BREAKER_MIN="200ms",
                      TOCSIN_BREAKER_MAX="400ms", TOCSIN_PROBE_INTERVAL="100ms")
    fault = sandbox.fault(kind="5xx_before", vendor="servicenow")
    changes = [clients("servicenow.create", snow, ticket())["change"] for _ in range(3)]
    assert changes == [None, None, "breaker opened"]
    assert clients("servicenow.create", snow, ticket())["refusal"] == "breaker"
    sandbox.heal(fault)
    end = time.monotonic() + 20
    while not (answer := clients("servicenow.create", snow, ticket()))["ok"]:
        assert answer["refusal"] == "breaker" and time.monotonic() < end
    assert answer["change"] == "breaker closed"
    clients.stop()


def test_calls_in_flight_are_counted_over_processes(redis_server, clients, sandbox, snow):
    other = Clients(redis_server.url)
    limited = {**snow, "in_flight": 1}
    fault = sandbox.fault(kind="latency", vendor="servicenow", ms=60000)
    clients.send("servicenow.create", limited, ticket(), deadline_ms=3000)
    end = time.monotonic() + 10
    while not redis_server.client.exists("tocsin:account:snow.dev1"):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert other("servicenow.create", limited, ticket())["refusal"] == "slots"
    # Not healed before it has failed: the slot is taken before the call has reached the sandbox.
    assert clients.answer()["outcome"] == "no answer"
    sandbox.heal(fault)
    assert other("servicenow.create", limited, ticket())["ok"]
    other.stop()


def test_oauth_takes_a_fresh_token_once(clients, sandbox, snow):
    oauth = {**snow, "id": "oauth.dev1", "auth": "oauth", "client_id": "app", "secret": "app&secret",
             "username": None}
    assert clients("servicenow.create", oauth, ticket())["ok"]
    assert clients("servicenow.create", oauth, ticket())["ok"]
    sandbox.post("revoke/servicenow/dev1", {})
    assert clients("servicenow.create", oauth, ticket())["ok"]
    paths = [call["path"].rsplit("/", 1)[-1] for call in sandbox.get("ledger")["calls"]]
    assert paths == ["oauth_token.do", "incident", "incident", "incident", "oauth_token.do", "incident"]
    wrong = clients("servicenow.create", {**oauth, "secret": "wrong"}, ticket())
    assert (wrong["kind"], wrong["outcome"], wrong["change"]) == ("account", "unauthorized", "parked")


def test_oauth_of_a_sleeping_instance(clients, sandbox, snow):
    sandbox.fault(kind="hibernation", vendor="servicenow")
    oauth = {**snow, "id": "oauth.dev1", "auth": "oauth", "client_id": "app", "secret": "app&secret",
             "username": None}
    made = clients("servicenow.create", oauth, ticket())
    assert (made["kind"], made["ambiguous"]) == ("transient", False) and "hibernating" in made["text"]


def test_a_create_costs_little(clients, snow):
    """The client's own work: well below a tenth of a millisecond here, five times that allowed, for
    sanitizers and loaded machines do not measure."""
    if "asan" in str(build_dir()) or "tsan" in str(build_dir()):
        pytest.skip("a sanitizer's cost is not ours")
    clients("servicenow.create", snow, ticket())
    made = clients("servicenow.create", snow, ticket(), repeat=500)
    assert made["ok"], made
    assert made["cpu_ms"] / 500 < 0.5, made["cpu_ms"] / 500


# ---- Secure Endpoint ----

def test_events_are_read_page_by_page_with_their_ids(clients, sandbox, amp):
    base = 1700000000
    events = [{"id": 6533241145273614340 + i, "timestamp": base + i, "timestamp_nanoseconds": 5000000,
               "date": "2023-11-14T22:13:20+00:00", "event_type": "Threat Detected",
               "event_type_id": 1090519054, "connector_guid": GUID, "note": "\u00e9\"}]"}
              for i in range(25)]
    sandbox.post("events/acme", events)
    read = clients("secure_endpoint.events", amp, {"start_ms": base * 1000, "limit": 10})
    assert read["ok"], read
    assert sorted(int(event["id"]) for event in read["events"]) == [event["id"] for event in events]
    assert {event["ms"] for event in read["events"]} == {(base + i) * 1000 + 5 for i in range(25)}
    assert all(json.loads(event["json"])["id"] == int(event["id"]) for event in read["events"])
    assert len(sandbox.get("ledger")["calls"]) == 3


@pytest.mark.parametrize("fault,kind,parked", [
    ({"kind": "truncated_json"}, "transient", False),
    ({"kind": "cut_body"}, "transient", False),
    ({"kind": "5xx_before"}, "transient", False),
    ({"kind": "429"}, "transient", False),
    ({"kind": "wrong_content_type"}, "transient", False),
    ({"kind": "expired_password"}, "account", True),
    ({"kind": "reply", "status": 403, "body": {"errors": []}}, "account", True),
], ids=lambda value: value["kind"] if isinstance(value, dict) else "")
def test_a_page_is_whole_or_an_error(clients, sandbox, amp, fault, kind, parked):
    sandbox.post("events/acme", [{"id": 1, "timestamp": 1700000000, "event_type_id": 1}])
    sandbox.fault(vendor="secure_endpoint", **fault)
    read = clients("secure_endpoint.events", amp, {"start_ms": 1})
    assert (read["ok"], read["kind"], read["ambiguous"]) == (False, kind, False)
    assert read["events"] == [] and (read["change"] == "parked") == parked


@pytest.mark.parametrize("docs", [False, True])
def test_the_vendors_own_count_stops_us_in_time(clients, sandbox, amp, docs):
    """Both spellings of the headers; the last call allowed pauses everyone, no 429 is needed."""
    sandbox.post("accounts", {"vendor": "secure_endpoint", "account": "acme", "rate_limit": 2,
                              "rate_window_ms": 60000, "docs_rate_headers": docs})
    assert clients("secure_endpoint.events", amp, {"start_ms": 1})["ok"]
    assert clients("secure_endpoint.events", amp, {"start_ms": 1})["ok"]
    third = clients("secure_endpoint.events", amp, {"start_ms": 1})
    assert third["refusal"] == "budget" and 1000 < third["wait_ms"] <= 60000
    assert {call["status"] for call in sandbox.get("ledger")["calls"]} == {200}


def test_our_budget_is_kept_over_processes(redis_server, clients, sandbox, amp):
    other = Clients(redis_server.url)
    limited = {**amp, "calls_per_hour": 60}
    answers = [tool("secure_endpoint.events", limited, {"start_ms": 1}) for _ in range(20)
               for tool in (clients, other)]
    refused = [answer for answer in answers if answer["refusal"] == "budget"]
    assert refused and all(answer["wait_ms"] > 0 for answer in refused)
    assert len(sandbox.get("ledger")["calls"]) == 40 - len(refused) <= 5
    other.stop()


def test_a_host_is_isolated_released_and_moved(clients, sandbox, amp):
    def host(act, **args):
        return clients("secure_endpoint.host", amp, {"guid": GUID, "act": act, **args})

    assert host("get")["hostname"] == "WS-1"
    assert clients("secure_endpoint.host", amp, {"guid": AMP_GROUP, "act": "get"})["found"] is False
    assert host("allowed")["allowed"] is True
    started = host("isolate", comment="ours")
    assert started["ok"] and started["state"] in ("pending_start", "isolated"), started
    end = time.monotonic() + 10
    while (now := host("state"))["state"] != "isolated":
        assert time.monotonic() < end, now
    assert now["comment"] == "ours"
    again = host("isolate")
    assert (again["ok"], again["status"], again["kind"], again["change"]) == (False, 409, "permanent", None)
    assert host("release")["ok"]
    assert host("move", group=AMP_GROUP)["ok"] and host("get")["group"] == AMP_GROUP
    lost = sandbox.fault(kind="cut_after", vendor="secure_endpoint", method="PATCH")
    moved = host("move", group=OTHER_GROUP)
    assert (moved["ok"], moved["ambiguous"]) == (False, True)
    sandbox.heal(lost)
    assert host("get")["group"] == OTHER_GROUP
    seen = clients("secure_endpoint.verify", amp, {"hostname": "WS-1"})
    assert seen["ok"] and seen["types"] > 36 and seen["groups"] == 2 and seen["computers"] == 1


# ---- Threat Response ----

def bundle(number=1):
    incident, sighting = f"transient:i{number}", f"transient:s{number}"
    key = f"tocsin-i:t:acme:g:{number}"
    return {"type": "bundle", "source": "Tocsin", "incidents": [{
        "id": incident, "type": "incident", "external_ids": [key], "title": "Threat", "status": "New",
        "confidence": "High", "severity": "High", "tlp": "amber", "source": "Tocsin",
        "incident_time": {"opened": "2026-01-01T00:00:00.000Z"}}], "sightings": [{
            "id": sighting, "type": "sighting", "external_ids": [f"tocsin-i:s:{number}"], "count": 1,
            "confidence": "High", "observed_time": {"start_time": "2026-01-01T00:00:00.000Z"},
            "observables": [{"type": "domain", "value": "bad.example"}]}], "relationships": [{
                "id": f"transient:r{number}", "type": "relationship",
                "external_ids": [f"tocsin-i:r:{number}"], "relationship_type": "member-of",
                "source_ref": sighting, "target_ref": incident}]}


def test_an_incident_is_imported_found_and_changed(clients, sandbox, tr):
    args = {"bundle": bundle(), "prefixes": "tocsin-i"}
    made = clients("threat_response.import", tr, args)
    assert made["ok"] and [row["existed"] for row in made["results"]] == [False] * 3, made
    again = clients("threat_response.import", tr, args)
    assert again["ok"] and [row["existed"] for row in again["results"]] == [True] * 3, again
    assert [row["id"] for row in again["results"]] == [row["id"] for row in made["results"]]
    key = bundle()["incidents"][0]["external_ids"][0]
    found = clients("threat_response.find", tr, {"external_id": key})
    assert found["count"] == 1 and found["id"] == made["results"][0]["id"]
    assert clients("threat_response.find", tr, {"external_id": "none"})["count"] == 0
    change = {"id": found["id"], "set_status": "Open: Investigating", "add_reference": "INC1"}
    for _ in range(2):
        changed = clients("threat_response.incident", tr, change)
        assert changed["incident_status"] == "Open: Investigating" and changed["references"] == ["INC1"]
    assert clients("threat_response.incident", tr, {**change, "add_reference": "INC2"})["references"] == [
        "INC1", "INC2"]
    assert clients("threat_response.incident", tr, {"id": "incident-none"})["found"] is False


def test_text_is_inspected(clients, tr):
    seen = clients("threat_response.inspect", tr, {"content": "see bad.example and 192.0.2.7 \u00e9\n"})
    assert ["domain", "bad.example"] in seen["observables"] and ["ip", "192.0.2.7"] in seen["observables"]


@pytest.mark.parametrize("fault,kind,ambiguous,left", [
    ({"kind": "5xx_after"}, "transient", True, 1),
    ({"kind": "cut_after"}, "transient", True, 1),
    ({"kind": "truncated_json"}, "transient", True, 1),
    ({"kind": "202"}, "transient", True, 0),
    ({"kind": "429", "retry_after": 3}, "transient", False, 0),
    ({"kind": "reply", "body": {"results": [{"type": "incident", "result": "error",
                                             "error": "Entity validation Error", "msg": "invalid"}]}},
     "transient", True, 0),
    ({"kind": "reply", "status": 403, "body": {"error": "missing_scope", "error_description": "x"}},
     "account", False, 0),
    ({"kind": "reply", "status": 404, "content_type": "text/html", "body": "HTTP ERROR: 404"},
     "account", False, 0),
], ids=lambda value: value["kind"] if isinstance(value, dict) else "")
def test_an_import_that_went_wrong(clients, sandbox, tr, fault, kind, ambiguous, left):
    sandbox.fault(vendor="threat_response", path_prefix="/tr/ctia/bundle", count=1, **fault)
    made = clients("threat_response.import", tr, {"bundle": bundle(), "prefixes": "tocsin-i"})
    assert (made["ok"], made["kind"], made["ambiguous"]) == (False, kind, ambiguous), made
    assert len(sandbox.get("state/threat_response/org")["incidents"]) == left


def test_an_entity_that_the_vendor_refuses(clients, sandbox, tr):
    wrong = bundle()
    wrong["incidents"][0]["status"] = "Bogus"
    made = clients("threat_response.import", tr, {"bundle": wrong, "prefixes": "tocsin-i"})
    assert (made["ok"], made["kind"], made["change"]) == (False, "permanent", None), made


def test_tokens_of_threat_response(clients, sandbox, tr):
    assert clients("threat_response.verify", tr)["ok"]
    sandbox.post("revoke/threat_response/org", {})
    seen = clients("threat_response.verify", tr)
    assert seen["ok"] and "private-intel" in seen["scopes"]
    wrong = clients("threat_response.verify", {**tr, "secret": "wrong"})
    assert (wrong["ok"], wrong["kind"], wrong["change"]) == (False, "account", "parked")


@pytest.mark.skipif(not SHARED.exists(), reason="the vendors' specifications are not on this machine")
def test_what_we_send_is_what_the_specifications_say(clients, sandbox, tr):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(bundle(), json.loads((SHARED / "schema/ctim/strict/bundle.schema.json").read_text()))
    made = clients("threat_response.import", tr, {"bundle": bundle(), "prefixes": "tocsin-i"})
    change = {"id": made["results"][0]["id"], "set_status": "Closed: Other", "add_reference": "INC1"}
    assert clients("threat_response.incident", tr, change)["ok"]
    name = "ctia-incident-sighting-relationship-note.swagger.json"
    definitions = json.loads((SHARED / "reference/specs" / name).read_text())["definitions"]
    checked = 0
    for call in sandbox.get("ledger?method=PATCH")["calls"] + sandbox.get("ledger?method=POST")["calls"]:
        what = "PartialNewIncident" if call["method"] == "PATCH" else \
            "IncidentStatusUpdate" if call["path"].endswith("/status") else None
        if what:
            schema = {"$ref": f"#/definitions/{what}", "definitions": definitions}
            jsonschema.Draft4Validator(schema).validate(json.loads(call["body"]))
            checked += 1
    assert checked == 2
