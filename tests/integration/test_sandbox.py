"""The sandbox behaves as the vendors do: what other tests and the demo rely on."""
import concurrent.futures
import http.client
import json
import os
import random
import signal
import socket
import time
import urllib.parse

import pytest
import requests

from harness import Sandbox, wait_until

PW = "a-password"
ROLES = {"svc": ["itil"], "boss": ["itil_admin"], "admin": ["admin"], "nobody": []}
ACME = "0" * 31 + "1"


@pytest.fixture
def sandbox(tmp_path):
    """The shared one, whose end is looked at as well: a sanitizer's complaint fails the test."""
    box = Sandbox(tmp_path)
    yield box
    box.stop()
    assert box.process.returncode == 0, box.log_path.read_text()[-4000:]


@pytest.fixture
def amp(sandbox):
    """A Secure Endpoint customer: get(path), and the control API as amp.box."""
    sandbox.post("accounts", {
        "vendor": "secure_endpoint", "account": "acme", "client_id": "acme-id", "api_key": "acme-key",
        "isolation_start_ms": 80, "isolation_stop_ms": 80,
        "groups": [{"guid": "g-1", "name": "Protect"}, {"guid": "g-2", "name": "Triage"}],
        "computers": [{"connector_guid": "c-1", "hostname": "ACME-1", "group_guid": "g-1"},
                      {"connector_guid": "c-2", "hostname": "ACME-2", "group_guid": "g-1",
                       "isolation": {"available": False, "status": "not_isolated"}}]})
    return Client(sandbox, "/amp/v1", auth=("acme-id", "acme-key"))


@pytest.fixture
def tr(sandbox):
    sandbox.post("accounts", {"vendor": "threat_response", "account": "org", "client_id": "client-1",
                              "client_password": PW, "search_delay_ms": 150})
    answer = token(sandbox)
    return Client(sandbox, "/tr", headers={"Authorization": "Bearer " + answer.json()["access_token"]})


@pytest.fixture
def snow(sandbox):
    sandbox.post("accounts", {
        "vendor": "servicenow", "account": "dev1",
        "users": [{"user_name": name, "password": PW, "name": name.title() + " User", "roles": roles}
                  for name, roles in ROLES.items()],
        "oauth": [{"client_id": "app", "client_secret": PW, "user": "svc"},
                  {"client_id": "unscoped", "client_secret": PW, "user": "svc", "scope": "other"}],
        "tables": {"core_company": [{"sys_id": ACME, "name": "Acme", "stock_symbol": "ACM"}],
                   "cmdb_ci_computer": [{"name": "ACME-1", "company": ACME}]}})
    return Client(sandbox, "/snow/dev1/api/now/v2", auth=("svc", PW))


class Client:
    def __init__(self, box, prefix, **options):
        self.box, self.prefix, self.options = box, prefix, options

    def call(self, method, path, **options):
        return requests.request(method, self.box.url + self.prefix + path,
                                **{"timeout": 20, **self.options, **options})

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, json=body, **options)

    def patch(self, path, body, **options):
        return self.call("PATCH", path, json=body, **options)

    def create(self, **fields):
        answer = self.post("/table/incident", fields)
        assert answer.status_code == 201, answer.text
        return answer.json()["result"]

    def read(self, sys_id, **params):
        return self.get(f"/table/incident/{sys_id}", params=params).json()["result"]

    def find(self, query, **params):
        return self.get("/table/incident", params={"sysparm_query": query, **params}).json()["result"]


def token(box, user="client-1", secret=PW, grant="client_credentials"):
    return requests.post(box.url + "/tr/iroh/oauth2/token", auth=(user, secret),
                         data={"grant_type": grant}, timeout=10)


def event(number, when=1_790_000_000, kind=1090519054, **fields):
    return {"id": 6533241145273614340 + number, "timestamp": when, "timestamp_nanoseconds": number,
            "date": "2026-09-21T00:00:00+00:00", "event_type": "Threat Detected", "event_type_id": kind,
            "detection_id": str(number), "connector_guid": "c-1", "group_guids": ["g-1"],
            "computer": {"hostname": "ACME-1"}, **fields}


# ---- Secure Endpoint -------------------------------------------------------------------------


def test_events_are_paged_newest_first_and_links_repeat_the_query(amp):
    amp.box.post("events/acme", [event(n, 1_790_000_000 + n // 4) for n in range(10)])
    url = amp.box.url + "/amp/v1/events?limit=4&event_type[]=1090519054&event_type[]=7"
    seen, pages = [], []
    while url:
        page = requests.get(url, auth=("acme-id", "acme-key"), timeout=10).json()
        pages.append(page["metadata"])
        seen += [e["id"] - 6533241145273614340 for e in page["data"]]
        url = page["metadata"]["links"].get("next")
    # Newest second first; inside a second as recorded, not by nanosecond.
    assert seen == [8, 9, 4, 5, 6, 7, 0, 1, 2, 3]
    assert [p["results"] for p in pages] == [
        {"total": 10, "current_item_count": n, "index": i, "items_per_page": 4}
        for i, n in ((0, 4), (4, 4), (8, 2))]
    assert "prev" not in pages[0]["links"] and "next" not in pages[2]["links"]
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(pages[1]["links"]["prev"]).query)
    assert query == {"limit": ["4"], "event_type[]": ["1090519054", "7"], "offset": ["0"]}


@pytest.mark.parametrize("query, expected", [
    ("start_date=2026-09-21T16:53:20Z", {0, 1, 2}),            # 1790009600, inclusive
    ("start_date=2026-09-21T16:53:21%2B00:00", {1, 2}),
    ("start_date=2026-09-21T18:53:21%2B02:00", {1, 2}),
    ("event_type=553648130", {2}),
    ("event_type[]=553648130&event_type[]=1090519054", {0, 1, 2}),
    ("group_guid[]=g-9", {1}),
    ("connector_guid[]=c-1&group_guid[]=g-9", {1}),
    ("detection_sha256=" + "ab" * 32, {0}),
    ("detection_sha256=" + "cd" * 32, set()),
])
def test_event_filters(amp, query, expected):
    amp.box.post("events/acme-id", [
        event(0, 1_790_009_600, file={"identity": {"sha256": "ab" * 32}}),
        event(1, 1_790_009_601, group_guids=["g-9"]),
        event(2, 1_790_009_602, kind=553648130)])
    page = amp.get("/events?" + query).json()
    assert {e["id"] - 6533241145273614340 for e in page["data"]} == expected
    assert page["metadata"]["results"]["total"] == len(expected)


@pytest.mark.parametrize("query", ["bogus=1", "start_date=yesterday", "event_type=abc", "limit=501"])
def test_event_queries_that_are_refused(amp, query):
    answer = amp.get("/events?" + query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["error_code"] == 400 and answer.json()["data"] == {}


def test_rows_drift_when_events_arrive_between_pages(amp):
    amp.box.post("events/acme", [event(n) for n in range(4)])
    first = amp.get("/events?limit=2").json()
    amp.box.post("events/acme", [event(9, 1_790_000_099)])
    second = requests.get(first["metadata"]["links"]["next"], auth=("acme-id", "acme-key"), timeout=10).json()
    assert first["data"][-1]["id"] == second["data"][0]["id"]


def test_events_are_given_back_as_they_were_put_in(amp):
    odd = {"timestamp": 1_790_000_000, "id": 9007199254740993, "z": None, "a": {"é": "\u0001 \"<>"}}
    amp.box.post("events/acme", {"version": "v1.2.0", "metadata": {}, "data": [odd]})
    answer = amp.get("/events")
    assert answer.json()["data"] == [odd] and '"id":9007199254740993' in answer.text


def test_credentials_are_one_customers_own(amp):
    amp.box.post("accounts", {"vendor": "secure_endpoint", "account": "globex", "client_id": "globex-id",
                              "api_key": "globex-key"})
    amp.box.post("events/acme", [event(1)])
    assert amp.get("/events", auth=("globex-id", "globex-key")).json()["data"] == []
    for auth in (("acme-id", "wrong"), ("acme-id", "globex-key"), ("who", "acme-key"), None):
        answer = amp.get("/version", auth=auth)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["details"] == ["Unknown API key or Client ID"]


@pytest.mark.parametrize("docs, name", [(False, "x-ratelimit-"), (True, "X-Rate-Limit-")])
def test_calls_an_hour_are_limited_per_customer(amp, docs, name):
    amp.box.post("accounts", {"vendor": "secure_endpoint", "account": "acme", "rate_limit": 2,
                              "rate_window_ms": 60000, "docs_rate_headers": docs})
    answers = [amp.get("/version") for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert [a.headers[name + "Remaining"] for a in answers] == ["1", "0", "0"]
    assert answers[2].headers[name + "Limit"] == "2" and 0 < int(answers[2].headers[name + "Reset"]) <= 60


def test_isolation_goes_through_its_states(amp):
    def status():
        return amp.get("/computers/c-1/isolation").json()["data"]["status"]

    path = "/computers/c-1/isolation"
    assert amp.call("OPTIONS", path).headers["allow"] == "OPTIONS, GET, PUT"
    assert amp.call("DELETE", path).status_code == 409
    started = amp.call("PUT", path, json={"comment": "by us"})
    assert started.json()["data"]["status"] == "pending_start"
    assert started.json()["data"]["comment"] == "by us" and len(started.json()["data"]["unlock_code"]) == 6
    assert amp.call("PUT", path).status_code == 409
    assert amp.call("OPTIONS", path).headers["allow"] == "OPTIONS, GET"
    wait_until(lambda: status() == "isolated", 5, "isolated")
    assert amp.call("PUT", path).status_code == 409
    assert amp.get("/computers/c-1").json()["data"]["isolation"]["status"] == "isolated"
    assert amp.call("DELETE", path).json()["data"]["status"] == "pending_stop"
    wait_until(lambda: status() == "not_isolated", 5, "released")
    assert amp.call("PUT", "/computers/c-2/isolation").status_code == 409
    assert amp.get("/computers/nope/isolation").status_code == 404


def test_computers_and_groups(amp):
    assert [c["hostname"] for c in amp.get("/computers?hostname[]=acme-2").json()["data"]] == ["ACME-2"]
    assert amp.get("/computers?limit=1").json()["metadata"]["results"]["total"] == 2
    moved = amp.patch("/computers/c-1", {"group_guid": "g-2"})
    assert moved.status_code == 200 and moved.json()["data"]["groups"] == [{"guid": "g-2", "name": "Triage"}]
    assert amp.call("PATCH", "/computers/c-1", data={"group_guid": "g-1"}).json()["data"]["group_guid"] == "g-1"
    assert amp.patch("/computers/c-1", {"group_guid": "g-9"}).status_code == 400
    assert [g["guid"] for g in amp.get("/groups?name=tri").json()["data"]] == ["g-2"]
    assert amp.get("/groups/g-1").json()["data"]["name"] == "Protect"
    assert {t["id"] for t in amp.get("/event_types").json()["data"]} >= {1090519054, 2164260880, 553648130}


# ---- generated events ------------------------------------------------------------------------


def test_generated_pairs_share_a_detection_id(amp):
    amp.box.post("generate", {"account": "acme", "rate": 0, "total": 20, "mix": {"quarantine_failure": 1}})
    events = wait_until(lambda: (lambda e: e if len(e) == 20 else None)(amp.get("/events").json()["data"]),
                        5, "all made")
    by_detection = {}
    for one in events:
        assert 2**53 < one["id"] < 2**63
        by_detection.setdefault(one["detection_id"], []).append(one["event_type"])
    assert len(by_detection) == 10 and len({e["id"] for e in events}) == 20
    assert all(kinds == ["Threat Detected", "Quarantine Failure"] for kinds in by_detection.values())
    assert {e["computer"]["hostname"] for e in events} == {"ACME-1", "ACME-2"}


def test_generation_keeps_its_rate_and_says_when_events_became_visible(amp):
    before = time.time() * 1000
    amp.box.post("generate", {"account": "acme", "rate": 100, "total": 50, "mix": {"threat_detected": 1},
                              "unique_hosts": True, "host_prefix": "BENCH-"})
    wait_until(lambda: amp.box.get("generate")["jobs"][0]["over"], 10, "over")
    seen = amp.box.get("events/acme")["events"]
    assert sorted(e["hostname"] for e in seen) == [f"BENCH-{n:06d}" for n in range(1, 51)]
    times = sorted(e["visible_ms"] for e in seen)
    assert before <= times[0] + 1 and 400 <= times[-1] - times[0] <= 3000
    assert amp.box.get(f"events/acme?since_ms={times[-1]}")["events"] == []


# ---- Threat Response -------------------------------------------------------------------------


NEW = {"type": "incident", "status": "New", "confidence": "High", "title": "t",
       "incident_time": {"opened": "2026-11-21T10:00:00.000Z"}}


def bundle(key="tocsin-i:x:1", **incident):
    return {"type": "bundle", "source": "us",
            "incidents": [{**NEW, "id": "transient:i", "external_ids": [key, "tocsin-g:x"], **incident}],
            "sightings": [{"type": "sighting", "id": "transient:s", "external_ids": ["tocsin-s:" + key],
                           "observed_time": {"start_time": "2026-11-21T10:00:00.000Z"},
                           "observables": [{"type": "ip", "value": "192.0.2.7"}]}],
            "relationships": [{"source_ref": "transient:s", "target_ref": "transient:i",
                               "relationship_type": "member-of"}]}


def test_token_and_its_refusals(tr):
    good = token(tr.box).json()
    assert good["token_type"] == "bearer" and good["expires_in"] == 600
    assert token(tr.box, secret="no").status_code == 401
    assert token(tr.box, grant="password").json()["error"] == "unsupported_grant_type"
    call = {"content": "x"}
    answer = tr.post("/iroh/iroh-inspect/inspect", call, headers={})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_request")
    assert tr.get("/ctia/incident/search", headers={}).json()["error"] == "not_authenticated"
    made_up = {"Authorization": "Bearer a.b.c"}
    assert tr.get("/ctia/incident/search", headers=made_up).json()["error"] == "jwt_invalid_signature"
    tr.box.post("revoke/threat_response/org", {})
    assert tr.get("/ctia/incident/search").json()["error"] == "jwt_expired"


def test_tokens_expire(tr):
    tr.box.post("accounts", {"vendor": "threat_response", "account": "org", "token_s": 1})
    short = {"Authorization": "Bearer " + token(tr.box).json()["access_token"]}
    assert tr.get("/ctia/incident/search", headers=short).status_code == 200
    wait_until(lambda: tr.get("/ctia/incident/search", headers=short).status_code == 401, 5, "expired")


def test_scopes(tr):
    tr.box.post("accounts", {"vendor": "threat_response", "account": "org", "scopes": "enrich:read"})
    answer = tr.post("/iroh/iroh-inspect/inspect", {"content": "x"})
    assert answer.status_code == 403 and answer.json()["missing-scopes"] == ["inspect:read"]
    assert tr.post("/ctia/incident", NEW).json()["error"] == "missing_capability"


def test_inspect_finds_each_observable_once(tr):
    text = ("hxxp://bad[.]example[.]com/x, 192.0.2.1 (192.0.2.1) 2001:db8::1; sha256=" + "Ab" * 32 +
            " \"a@b.example.com\" evil.example.org. 02:00:5e:00:00:01 invoice.exe plain words 1.2 Doc.Downloader.Sample")
    found = {(o["type"], o["value"]) for o in tr.post("/iroh/iroh-inspect/inspect", {"content": text}).json()}
    assert found == {("url", "http://bad.example.com/x"), ("ip", "192.0.2.1"), ("ipv6", "2001:db8::1"),
                     ("sha256", "ab" * 32), ("email", "a@b.example.com"), ("domain", "evil.example.org"),
                     ("mac_address", "02:00:5e:00:00:01"), ("file_name", "invoice.exe")}
    assert tr.post("/iroh/iroh-inspect/inspect", {}).json() == {"content": "missing-required-key"}


def test_bundle_import_creates_once_and_links(tr):
    first = tr.post("/ctia/bundle/import?external-key-prefixes=tocsin-i,tocsin-s", bundle()).json()["results"]
    assert [(r["type"], r["result"]) for r in first] == [
        ("incident", "created"), ("sighting", "created"), ("relationship", "created")]
    again = tr.post("/ctia/bundle/import?external-key-prefixes=tocsin-i,tocsin-s",
                    bundle(title="changed")).json()["results"]
    assert [r["result"] for r in again] == ["exists", "exists", "created"]
    assert again[0]["id"] == first[0]["id"] and again[0]["original_id"] == "transient:i"
    state = tr.box.get("state/threat_response/org")
    assert [i["title"] for i in state["incidents"]] == ["t"]
    assert state["relationships"][0]["target_ref"] == first[0]["id"]
    assert state["relationships"][0]["source_ref"] == first[1]["id"]
    # Another key, with only the first kind of prefix counting: the group's key is no identity.
    other = tr.post("/ctia/bundle/import?external-key-prefixes=tocsin-i", bundle("tocsin-i:x:2")).json()
    assert other["results"][0]["result"] == "created"
    assert tr.post("/ctia/bundle/import", bundle("tocsin-i:x:3")).json()["results"][0]["result"] == "exists"


def test_bundle_refusals(tr):
    loose = bundle()
    loose["relationships"][0]["source_ref"] = "transient:gone"
    assert tr.post("/ctia/bundle/import", loose).json()["results"][2]["result"] == "error"
    assert "source" in tr.post("/ctia/bundle/import", {"type": "bundle"}).json()["errors"]
    many = {"type": "bundle", "source": "us", "incidents": [NEW] * 2001}
    assert tr.post("/ctia/bundle/import", many).json() == "Bundle max nb of entities: 2000"


@pytest.mark.parametrize("change, key, why", [
    ({"status": "Bogus"}, "status", "(not (enum value))"),
    ({"status": None}, "status", None),
    ({"surprise": 1}, "surprise", "disallowed-key"),
    ({"incident_time": {}}, "incident_time", {"opened": "missing-required-key"}),
    ({"incident_time": {"opened": "yesterday"}}, "incident_time", None),
    ({"external_references": [{"url": "x"}]}, "external_references", {"source_name": "missing-required-key"}),
    ({"tlp": "AMBER"}, "tlp", None),
    ({"assignees": "me"}, "assignees", None),
])
def test_incidents_that_break_the_schema(tr, change, key, why):
    answer = tr.post("/ctia/incident", {**NEW, **change})
    assert answer.status_code == 400 and key in answer.json()["errors"]
    assert why is None or answer.json()["errors"][key] == why
    assert tr.post("/ctia/bundle/import", bundle(**change)).status_code == 400
    assert tr.box.get("summary")["threat_response"]["org"]["incidents"] == 0


def test_missing_keys_and_lengths(tr):
    assert set(tr.post("/ctia/incident", {}).json()["errors"]) == {"status", "confidence", "incident_time"}
    assert tr.post("/ctia/incident", {**NEW, "title": "é" * 1024}).status_code == 201
    long = tr.post("/ctia/incident", {**NEW, "title": "é" * 1025})
    assert long.status_code == 400 and long.json()["type"] == "Invalid Entity Error"
    assert tr.post("/ctia/incident", data="{", headers=tr.options["headers"]).json()["type"] == "json-parse-exception"
    foreign = tr.post("/ctia/incident", {**NEW, "id": "https://elsewhere.example.com/ctia/incident/incident-1"})
    assert foreign.json()["error"] == "Invalid hostname in ID"


def test_patch_merges_maps_replaces_lists_and_owns_the_times(tr):
    made = tr.post("/ctia/incident", {**NEW, "meta": {"a": "1"}, "external_references": [
        {"source_name": "one"}, {"source_name": "two"}]})
    assert made.status_code == 201 and made.headers["Location"] == made.json()["id"]
    name = made.json()["id"].rsplit("/", 1)[1]
    patched = tr.patch("/ctia/incident/" + name, {
        "status": "Closed", "meta": {"b": "2"}, "external_references": [{"source_name": "three"}],
        "incident_time": {"closed": "2020-01-01T00:00:00Z"}}).json()
    assert patched["meta"] == {"a": "1", "b": "2"}
    assert [r["source_name"] for r in patched["external_references"]] == ["three"]
    closed = patched["incident_time"]["closed"]
    assert not closed.startswith("2020") and patched["incident_time"]["opened"] == NEW["incident_time"]["opened"]
    again = tr.post(f"/ctia/incident/{name}/status", {"status": "Closed: Other"}).json()
    assert again["incident_time"]["closed"] == closed
    assert tr.post(f"/ctia/incident/{name}/status", {"status": "Nope"}).status_code == 400
    long_id = urllib.parse.quote(made.json()["id"], safe="")
    assert tr.get("/ctia/incident/" + long_id).json()["status"] == "Closed: Other"
    assert tr.call("DELETE", "/ctia/incident/" + name).status_code == 204
    gone = tr.get("/ctia/incident/" + name)
    assert (gone.status_code, gone.content) == (404, b"")


@pytest.mark.parametrize("steps, field, forced", [
    (["Open"], "opened", True), (["Open: Contained"], "contained", True), (["Rejected"], "rejected", False),
    (["Containment Achieved"], "remediated", False), (["Incident Reported"], "reported", False)])
def test_status_stamps(tr, steps, field, forced):
    name = tr.post("/ctia/incident", NEW).json()["id"].rsplit("/", 1)[1]
    given = "2001-02-03T04:05:06.000Z"
    for step in steps:
        after = tr.patch("/ctia/incident/" + name, {"status": step, "incident_time": {field: given}}).json()
    assert (after["incident_time"][field] != given) == forced


def test_search_sees_writes_late_unless_told_to_wait(tr):
    def found():
        return tr.get("/ctia/incident/external_id/" + urllib.parse.quote("k:1", safe="")).json()

    name = tr.post("/ctia/incident", {**NEW, "external_ids": ["k:1"]}).json()["id"].rsplit("/", 1)[1]
    assert found() == [] and tr.get("/ctia/incident/" + name).status_code == 200
    wait_until(found, 5, "visible")
    tr.patch("/ctia/incident/" + name, {"status": "Open"})
    assert found()[0]["status"] == "New"
    wait_until(lambda: found()[0]["status"] == "Open", 5, "update visible")
    tr.patch("/ctia/incident/" + name + "?wait_for=true", {"status": "Hold"})
    assert found()[0]["status"] == "Hold"


def test_search(tr):
    for n in range(5):
        tr.post("/ctia/incident?wait_for=true", {
            **NEW, "title": f"host {n} \"quoted\"", "severity": "High" if n % 2 else "Low", "external_ids": [f"key:{n}"]})

    def titles(query):
        answer = tr.get("/ctia/incident/search?" + query)
        assert answer.status_code == 200, answer.text
        return [int(i["title"][5]) for i in answer.json()], answer.headers

    assert titles("query=" + urllib.parse.quote('external_ids:"key:3"'))[0] == [3]
    assert titles("severity=High")[0] == [1, 3]
    assert titles("query=severity:High%20AND%20NOT%20external_ids:%22key:3%22")[0] == [1]
    assert titles("query=" + urllib.parse.quote("external_ids:key\\:1 OR external_ids:key\\:2"))[0] == [1, 2]
    page, headers = titles("sort_by=title:desc&limit=2&offset=2")
    assert page == [2, 1] and headers["X-Total-Hits"] == "5"
    assert headers["X-Next"] == "limit=2&offset=4" and headers["X-Previous"] == "limit=2&offset=0"
    assert tr.get("/ctia/incident/search/count?severity=Low").json() == 3
    assert titles("from=2999-01-01T00:00:00Z")[0] == []
    assert tr.get("/ctia/incident/search?query=%22open").json()["type"] == "ES Invalid Request"


def test_organisations_do_not_see_each_other(tr):
    tr.box.post("accounts", {"vendor": "threat_response", "account": "two", "client_id": "client-2",
                             "client_password": PW})
    other = {"Authorization": "Bearer " + token(tr.box, "client-2").json()["access_token"]}
    name = tr.post("/ctia/incident?wait_for=true", NEW).json()["id"].rsplit("/", 1)[1]
    assert tr.get("/ctia/incident/" + name, headers=other).status_code == 404
    assert tr.get("/ctia/incident/search", headers=other).json() == []


def test_threat_response_limits_calls_an_hour(tr):
    tr.box.post("accounts", {"vendor": "threat_response", "account": "org", "rate_limit": 1})
    assert tr.get("/ctia/version").status_code == 200
    refused = tr.get("/ctia/version")
    assert refused.json() == {"error": "Too Many Requests"} and int(refused.headers["Retry-After"]) > 3000


# ---- ServiceNow ------------------------------------------------------------------------------


def test_a_created_incident_is_strings_and_links(snow):
    answer = snow.post("/table/incident", {
        "short_description": "x" * 200, "impact": 2, "urgency": "1", "company": ACME, "caller_id": "svc",
        "assignment_group": "no such group", "correlation_id": "k" * 120, "u_unknown": "y", "priority": "5",
        "work_notes": "first", "cmdb_ci": "ACME-1", "knowledge": True, "sys_id": "mine"})
    made = answer.json()["result"]
    assert answer.status_code == 201 and answer.headers["Location"].endswith("/" + made["sys_id"])
    assert made["number"] == "INC0010001" and len(made["sys_id"]) == 32
    assert made["priority"] == "2" and made["state"] == made["incident_state"] == "1"
    assert made["company"] == {"link": f"{snow.box.url}/snow/dev1/api/now/table/core_company/{ACME}", "value": ACME}
    assert made["caller_id"]["value"] and made["cmdb_ci"]["value"]
    assert made["assignment_group"] == "" and "u_unknown" not in made      # dropped without a word
    assert len(made["short_description"]) == 160 and len(made["correlation_id"]) == 100
    assert made["work_notes"] == "" and made["knowledge"] == "true"
    assert all(isinstance(v, (str, dict)) for v in made.values())
    small = snow.post("/table/incident?sysparm_fields=number,company,nope&sysparm_exclude_reference_link=true",
                      {"company": ACME})
    assert small.json()["result"] == {"number": "INC0010002", "company": ACME}
    assert snow.post("/table/incident", {}, headers={"X-no-response-body": "true"}).content == b""


@pytest.mark.parametrize("impact, urgency, priority", [
    (1, 1, 1), (1, 2, 2), (1, 3, 3), (2, 1, 2), (2, 2, 3), (2, 3, 4), (3, 1, 3), (3, 2, 4), (3, 3, 5)])
def test_priority_is_looked_up(snow, impact, urgency, priority):
    assert snow.create(impact=str(impact), urgency=str(urgency))["priority"] == str(priority)


def test_journal_reads_back_empty_raw_and_newest_first_as_text(snow):
    made = snow.create(work_notes="one\nline two")
    snow.patch("/table/incident/" + made["sys_id"], {"work_notes": "two"})
    snow.patch("/table/incident/" + made["sys_id"], {"comments": "to the caller"})
    assert snow.read(made["sys_id"])["work_notes"] == ""
    text = snow.read(made["sys_id"], sysparm_display_value="true", sysparm_fields="work_notes")["work_notes"]
    first, second = text.strip().split("\n\n")
    assert first.split("\n")[1:] == ["two"] and second.split("\n")[1:] == ["one", "line two"]
    assert first.split("\n")[0].endswith(" - Svc User (Work notes)")
    both = snow.read(made["sys_id"], sysparm_display_value="all")["comments_and_work_notes"]
    assert both["display_value"].count("(Work notes)") == 2 and both["value"] == ""
    rows = snow.get("/table/sys_journal_field", params={
        "sysparm_query": f"element_id={made['sys_id']}^name=incident^elementINwork_notes,comments^ORDERBYsys_created_on"})
    assert [r["value"] for r in rows.json()["result"]] == ["one\nline two", "two", "to the caller"]
    assert snow.get("/table/sys_journal_field", auth=("nobody", PW)).json() == {"result": []}


@pytest.mark.parametrize("fields, labels", [
    ({"state": "6"}, "Resolution code, Close notes"),
    ({"state": "6", "close_code": "Solution provided"}, "Close notes"),
    ({"state": "6", "close_code": "Solved (Permanently)", "close_notes": "x"}, "Resolution code"),
    ({"incident_state": "6"}, "Resolution code, Close notes"),
    ({"state": "3", "hold_reason": "1"}, "Additional comments"),
])
def test_data_policy(snow, fields, labels):
    made = snow.create()
    answer = snow.patch("/table/incident/" + made["sys_id"], fields)
    assert answer.status_code == 403
    assert answer.json() == {"error": {"message": "Operation Failed", "detail":
                             "Data Policy Exception: \n\tThe following fields are mandatory: " + labels},
                             "status": "failure"}
    assert snow.read(made["sys_id"])["state"] == "1"


def test_roles_for_resolving_and_closing(snow):
    made = snow.create()
    path, done = "/table/incident/" + made["sys_id"], {"close_code": "Solution provided", "close_notes": "x"}
    assert snow.post("/table/incident", {}, auth=("nobody", PW)).json()["error"]["detail"] == \
        "ACL Exception Insert Failed due to security constraints"
    assert snow.get("/table/incident", auth=("nobody", PW)).json()["result"] == []
    resolved = snow.patch(path, {"state": "6", **done}).json()["result"]
    assert resolved["resolved_at"] and resolved["active"] == "true" and resolved["incident_state"] == "6"
    assert snow.patch(path, {"state": "7"}).status_code == 403
    assert snow.patch(path, {"state": "7"}, auth=("boss", PW)).json()["result"]["active"] == "false"
    aborted = snow.patch(path, {"work_notes": "late"})
    assert aborted.status_code == 403 and "aborted by Business Rule" in aborted.json()["error"]["detail"]
    reopened = snow.patch(path, {"state": "2"}, auth=("boss", PW)).json()["result"]
    assert reopened["reopen_count"] == "1" and reopened["resolved_at"] == ""
    assert snow.call("DELETE", path).status_code == 403
    assert snow.call("DELETE", path, auth=("admin", PW)).status_code == 204
    assert snow.get(path).status_code == 404


def test_resolved_becomes_closed_by_itself(snow):
    snow.box.post("accounts", {"vendor": "servicenow", "account": "dev1", "auto_close_ms": 50})
    made = snow.create(state="6", close_code="Duplicate", close_notes="x")
    wait_until(lambda: snow.read(made["sys_id"])["state"] == "7", 5, "closed")


@pytest.mark.parametrize("query, expected", [
    ("correlation_id=K-2", [2]), ("correlation_id=k-2", [2]), ("correlation_idINK-1,K-3", [1, 3]),
    ("correlation_idSTARTSWITHK-^impact=1", [0, 1]), ("impact=1^ORurgency=3", [0, 1, 3]),
    ("impact=2^urgency=2^NQimpact=1^urgency=1", [0, 2]), ("impact>1^impact<=2", [2, 3]),
    ("correlation_id!=K-1^ORDERBYDESCcorrelation_id", [3, 2, 0]), ("short_descriptionLIKEB", [1]),
    ("short_descriptionENDSWITHa", [0]), ("correlation_idNOT INK-0,K-1", [2, 3]),
    ("companyISEMPTY", [1, 2, 3]), ("company.stock_symbol=ACM", [0]), ("companyISNOTEMPTY", [0]),
    # The dangerous ones: what makes no sense is ignored, up to finding everything.
    ("corelation_id=K-2", [0, 1, 2, 3]), ("correlation_id~K-2", [0, 1, 2, 3]),
    ("bogus=1^correlation_id=K-2", [2]), ("", [0, 1, 2, 3]),
])
def test_queries(snow, query, expected):
    for n, (impact, urgency) in enumerate([(1, 1), (1, 2), (2, 2), (2, 3)]):
        snow.create(correlation_id=f"K-{n}", impact=str(impact), urgency=str(urgency),
                    short_description="abcd"[n], company=ACME if n == 0 else "")
    rows = snow.find(query)
    assert [int(r["correlation_id"][2:]) for r in rows] == expected
    if query:
        by_pair = snow.get("/table/incident", params={"correlation_id": "K-2", "sysparm_fields": "correlation_id"})
        assert by_pair.json()["result"] == [{"correlation_id": "K-2"}]


def test_an_instance_may_be_strict_about_queries(snow):
    snow.create()
    snow.box.post("accounts", {"vendor": "servicenow", "account": "dev1", "invalid_query_returns_no_rows": True})
    assert snow.find("corelation_id=x") == []


def test_no_hit_differs_between_versions(snow):
    assert snow.find("number=none") == []
    v1 = requests.get(f"{snow.box.url}/snow/dev1/api/now/v1/table/incident?sysparm_query=number=none",
                      auth=("svc", PW), timeout=10)
    assert v1.status_code == 404 and v1.json()["error"]["message"] == "No Record found"


def test_paging_headers(snow):
    for _ in range(5):
        snow.create()
    answer = snow.get("/table/incident?sysparm_limit=2&sysparm_offset=2&sysparm_fields=number")
    assert [r["number"][-1] for r in answer.json()["result"]] == ["3", "4"]
    assert answer.headers["X-Total-Count"] == "5"
    links = {link["rel"]: link["url"] for link in requests.utils.parse_header_links(answer.headers["Link"])}
    assert set(links) == {"first", "prev", "next", "last"}
    last = requests.get(links["next"], auth=("svc", PW), timeout=10)
    assert [r["number"][-1] for r in last.json()["result"]] == ["5"] and 'rel="next"' not in last.headers["Link"]


def test_display_values_follow_the_users_zone_and_format(snow):
    snow.box.post("accounts", {"vendor": "servicenow", "account": "dev1", "date_format": "dd/MM/yyyy",
                               "display_offset_minutes": 90})
    made = snow.create(company=ACME, impact="1")
    shown = snow.read(made["sys_id"], sysparm_display_value="all", sysparm_fields="opened_at,impact,company,state")
    assert shown["impact"] == {"display_value": "1 - High", "value": "1"}
    assert shown["company"]["display_value"] == "Acme" and shown["company"]["value"] == ACME
    utc = time.mktime(time.strptime(shown["opened_at"]["value"], "%Y-%m-%d %H:%M:%S"))
    local = time.mktime(time.strptime(shown["opened_at"]["display_value"], "%d/%m/%Y %H:%M:%S"))
    assert local - utc == 90 * 60
    assert snow.read(made["sys_id"], sysparm_display_value="true", sysparm_fields="state") == {"state": "New"}


def test_duplicates_are_accepted_unless_the_index_is_unique(snow):
    assert snow.create(correlation_id="d")["number"] != snow.create(correlation_id="d")["number"]
    assert snow.box.get("summary")["servicenow"]["dev1"]["duplicates"] == {"d": 2}
    snow.box.post("accounts", {"vendor": "servicenow", "account": "dev1", "unique_correlation_id": True})
    refused = snow.post("/table/incident", {"correlation_id": "d"})
    assert refused.status_code == 403 and "Unique Key violation" in refused.json()["error"]["detail"]


def test_401_in_both_wordings_and_no_hint_why(snow):
    answers = [snow.get("/table/incident", auth=auth) for auth in (("svc", "no"), ("who", PW), None)]
    assert {a.text for a in answers} == {answers[0].text} and answers[0].status_code == 401
    assert answers[0].json()["error"]["message"] == "User is not authenticated"
    assert answers[0].headers["WWW-Authenticate"] == 'BASIC realm="Service-now"'
    snow.box.post("accounts", {"vendor": "servicenow", "account": "dev1", "wording": "2021", "restrict_basic": True})
    assert snow.get("/table/incident").json()["error"]["message"] == "User Not Authenticated"


def test_oauth(snow):
    def grant(**fields):
        return requests.post(snow.box.url + "/snow/dev1/oauth_token.do", timeout=10, data=fields)

    app = {"client_id": "app", "client_secret": PW}
    by_client = grant(grant_type="client_credentials", **app).json()
    assert "refresh_token" not in by_client and 1790 <= by_client["expires_in"] <= 1799
    assert grant(grant_type="client_credentials", **app).json()["access_token"] == by_client["access_token"]
    by_user = grant(grant_type="password", username="boss", password=PW, **app).json()
    again = grant(grant_type="refresh_token", refresh_token=by_user["refresh_token"], **app).json()
    assert again["access_token"] == by_user["access_token"]
    for answer in (grant(grant_type="client_credentials", client_id="app", client_secret="no"),
                   grant(grant_type="password", username="boss", password="no", **app), grant(**app),
                   requests.post(snow.box.url + "/snow/dev1/oauth_token.do", json=app, timeout=10)):
        assert answer.status_code == 401
        assert answer.json() == {"error_description": "access_denied", "error": "server_error"}

    def with_token(text):
        return snow.get("/table/incident", auth=None, headers={"Authorization": "Bearer " + text})

    assert with_token(by_client["access_token"]).status_code == 200
    unscoped = grant(grant_type="client_credentials", client_id="unscoped", client_secret=PW).json()
    assert with_token(unscoped["access_token"]).json()["error"]["detail"] == "Access to unscoped api is not allowed"
    snow.box.post("revoke/servicenow/dev1", {})
    assert with_token(by_client["access_token"]).status_code == 401
    assert grant(grant_type="client_credentials", **app).json()["access_token"] != by_client["access_token"]


def test_email(snow):
    mail = {"to": ["SOC <soc@example.com>"], "subject": "s", "text": "t"}
    assert snow.post("/email", mail).status_code == 403
    snow.box.post("accounts", {"vendor": "servicenow", "account": "dev1", "users": [
        {"user_name": "mailer", "password": PW, "roles": ["email_api_send"]}]})
    sent = snow.post("/email", mail, auth=("mailer", PW))
    assert sent.status_code == 200
    read = snow.get("/email/" + sent.json()["result"]["id"], auth=("mailer", PW)).json()["result"]
    assert read["state"] == "processed" and read["subject"] == "s"
    for wrong in ({**mail, "to": []}, {**mail, "table_name": "incident"}, {"subject": "s"}):
        assert snow.post("/email", wrong, auth=("mailer", PW)).status_code == 400


def test_tables_and_choices_can_be_read(snow):
    codes = snow.get("/table/sys_choice?sysparm_query=name=incident^element=close_code^inactive=false"
                     "&sysparm_fields=value").json()["result"]
    assert {"value": "Solution provided"} in codes and len(codes) == 10
    assert [c["name"] for c in snow.get("/table/cmdb_ci_computer").json()["result"]] == ["ACME-1"]
    assert snow.get("/table/cmdb_ci?sysparm_query=name=ACME-1^company.name=Acme").json()["result"]
    assert snow.get("/table/cmdb_ci_server").json()["result"] == []
    roles = snow.get("/table/sys_user_has_role?sysparm_query=user.user_name=svc&sysparm_fields=role.name")
    assert roles.json()["result"] == [{"role.name": "itil"}]
    missing = snow.get("/table/sn_nope")
    assert missing.status_code == 400 and missing.json()["error"]["message"] == "Invalid table sn_nope"
    assert requests.get(snow.box.url + "/snow/other/api/now/table/incident", timeout=10).status_code == 502


def test_a_column_can_be_made_mandatory_and_optional_again(snow):
    snow.box.post("accounts", {"vendor": "servicenow", "account": "dev1", "columns": {"incident": ["u_cost_center"]},
                               "mandatory": ["u_cost_center", "caller_id"]})
    refused = snow.post("/table/incident", {"short_description": "x"})
    assert refused.json()["error"]["detail"].endswith("mandatory: Caller, Cost center")
    about = snow.get("/table/sys_dictionary?sysparm_query=name=incident^mandatory=true&sysparm_fields=element")
    assert {"element": "caller_id"} in about.json()["result"]
    assert snow.create(caller_id="svc", u_cost_center="42")["u_cost_center"] == "42"
    snow.box.post("accounts", {"vendor": "servicenow", "account": "dev1", "mandatory": []})
    assert snow.create()["number"]


def test_cookies_are_set_and_seen_when_they_come_back(snow):
    answer = snow.get("/table/sys_choice?sysparm_limit=1")
    assert {"JSESSIONID", "glide_user_route", "BIGipServerpool_sandbox"} <= set(answer.cookies.keys())
    snow.get("/table/sys_choice?sysparm_limit=1", cookies=answer.cookies)
    assert [c["cookie"] for c in snow.box.get("ledger")["calls"]] == [False, True]


# ---- faults, ledger --------------------------------------------------------------------------


def incidents(snow):
    return len(snow.box.get("state/servicenow/dev1")["incidents"])


@pytest.mark.parametrize("given, header", [(30, "30"), ("3172s", "3172s"), ("date:60", None), (None, "")])
def test_fault_429(snow, given, header):
    snow.box.fault(kind="429", count=1, **({} if given is None else {"retry_after": given}))
    answer = snow.post("/table/incident", {})
    assert answer.status_code == 429 and answer.json()["error"]["message"] == "Rate limit exceeded"
    got = answer.headers.get("Retry-After", "")
    if header is None:
        when = time.mktime(time.strptime(got, "%a, %d %b %Y %H:%M:%S GMT")) - time.timezone
        assert 55 < when - time.time() < 65
    else:
        assert got == header
    assert incidents(snow) == 0 and snow.post("/table/incident", {}).status_code == 201


@pytest.mark.parametrize("kind, status, made", [
    ("5xx_before", 500, 0), ("5xx_after", 500, 1), ("202", 202, 0), ("expired_password", 401, 0)])
def test_faults_with_an_answer(snow, kind, status, made):
    snow.box.fault(kind=kind, vendor="servicenow", account="dev1", method="POST", count=1)
    assert snow.post("/table/incident", {}).status_code == status and incidents(snow) == made
    entry = snow.box.get("ledger")["calls"][-1]
    assert (entry["fault"], entry["status"], entry["committed"]) == (kind, status, bool(made))


@pytest.mark.parametrize("kind, made", [("cut_before", 0), ("cut_after", 1), ("cut_body", 1)])
def test_faults_that_cut_the_connection(snow, kind, made):
    snow.box.fault(kind=kind, count=1)
    host = urllib.parse.urlsplit(snow.box.url).netloc
    connection = http.client.HTTPConnection(host, timeout=10)
    with pytest.raises((http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionError)):
        connection.request("POST", "/snow/dev1/api/now/v2/table/incident", "{}", {
            "Authorization": "Basic " + requests.auth._basic_auth_str("svc", PW).split()[1],
            "Content-Type": "application/json"})
        connection.getresponse().read()
    assert incidents(snow) == made
    assert snow.box.get("ledger")["calls"][-1]["status"] == (201 if kind == "cut_body" else 0)


def test_fault_truncated_json(snow):
    snow.box.fault(kind="truncated_json", count=1)
    answer = snow.post("/table/incident", {})
    assert answer.status_code == 201 and answer.headers["Content-Type"].startswith("application/json")
    with pytest.raises(ValueError):
        answer.json()
    assert incidents(snow) == 1


def test_fault_hibernation_also_hits_the_token_endpoint(snow):
    snow.box.fault(kind="hibernation", account="dev1")
    for answer in (snow.get("/table/incident"),
                   requests.post(snow.box.url + "/snow/dev1/oauth_token.do", data={}, timeout=10)):
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
        assert "Instance Hibernating page" in answer.text


def test_fault_dropped_and_mandatory_columns(snow):
    snow.box.fault(kind="dropped_columns", columns=["company", "correlation_id"], count=1)
    made = snow.create(company=ACME, correlation_id="k", short_description="s")
    assert (made["company"], made["correlation_id"], made["short_description"]) == ("", "", "s")
    fault = snow.box.fault(kind="mandatory_column", column="business_service")
    refused = snow.post("/table/incident", {})
    assert refused.status_code == 403 and refused.json()["error"]["detail"].endswith("mandatory: Business service")
    assert snow.patch("/table/incident/" + made["sys_id"], {"work_notes": "x"}).status_code == 403
    snow.box.heal(fault)
    assert snow.post("/table/incident", {}).status_code == 201


def test_fault_expired_token_ends_the_tokens_there_are(tr):
    tr.box.fault(kind="expired_token", count=1)
    assert tr.get("/ctia/version").json()["error"] == "jwt_expired"
    assert tr.get("/ctia/version").json()["error"] == "jwt_expired"
    renewed = {"Authorization": "Bearer " + token(tr.box).json()["access_token"]}
    assert tr.get("/ctia/version", headers=renewed).status_code == 200


def test_fault_slow_body_wrong_type_and_reply(snow):
    snow.box.fault(kind="slow_body", chunk_bytes=500, chunk_ms=30, count=1)
    start = time.monotonic()
    assert snow.post("/table/incident", {}).json()["result"]["number"]
    assert time.monotonic() - start > 0.08
    snow.box.fault(kind="wrong_content_type", count=1)
    assert snow.post("/table/incident", {}).headers["Content-Type"] == "text/html"
    snow.box.fault(kind="reply", status=418, content_type="x/y", body={"tea": True}, count=1)
    answer = snow.get("/table/incident")
    assert (answer.status_code, answer.headers["Content-Type"], answer.json()) == (418, "x/y", {"tea": True})


def test_faults_are_chosen_by_what_they_name(snow):
    snow.box.post("faults", [
        {"kind": "5xx_before", "path": "table/incident\\?.*x=1", "status": 503},
        {"kind": "5xx_before", "path_prefix": "/snow/dev1/api/now/v2/table/sys_user", "skip": 1, "count": 1},
        {"kind": "5xx_before", "account": "dev2"}, {"kind": "5xx_before", "vendor": "threat_response"},
        {"kind": "5xx_before", "method": "DELETE"}])
    assert snow.get("/table/incident?x=1").status_code == 503
    assert snow.get("/table/incident?y=1").status_code == 200
    assert [snow.get("/table/sys_user").status_code for _ in range(3)] == [200, 500, 200]
    assert [(f["id"], f["hits"]) for f in snow.box.get("faults")["faults"]] == [(1, 1), (2, 1), (3, 0), (4, 0), (5, 0)]
    snow.box.fault(kind="5xx_before", probability=0.3, seed=5)
    bad = sum(snow.get("/table/core_company").status_code == 500 for _ in range(100))
    assert 15 <= bad <= 45


def test_a_fault_ends_by_itself(snow):
    snow.box.fault(kind="5xx_before", for_ms=200)
    assert snow.get("/table/incident").status_code == 500
    wait_until(lambda: snow.get("/table/incident").status_code == 200, 5, "over")


@pytest.mark.parametrize("fault", [{"kind": "meteor"}, {}, {"kind": "latency", "milliseconds": 5},
                                   {"kind": "429", "path": "("}, {"kind": "429", "probability": 2},
                                   {"kind": "dropped_columns"}, {"kind": "latency", "ms": "5"}, 7])
def test_faults_that_make_no_sense_are_refused(sandbox, fault):
    answer = requests.post(sandbox.url + "/_sandbox/faults", json=[{"kind": "429"}, fault], timeout=10)
    assert answer.status_code == 400 and answer.json()["error"]
    assert sandbox.get("faults")["faults"] == []


def test_latency_blocks_nobody(snow):
    """Three hundred calls of 300 ms on two threads: far more of them at once."""
    snow.box.fault(kind="latency", ms=300, method="POST")
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        done = list(pool.map(lambda n: snow.post("/table/incident?sysparm_fields=number",
                                                 {"correlation_id": f"c{n}"}).status_code, range(300)))
    assert done == [201] * 300
    assert incidents(snow) == 300 and snow.box.get("summary")["servicenow"]["dev1"]["duplicates"] == {}
    posts = snow.box.get("ledger?vendor=servicenow&account=dev1&method=POST")["calls"]
    assert max(sum(other["time_ms"] <= post["time_ms"] < other["answer_ms"] for other in posts) for post in posts) > 10


@pytest.mark.parametrize("commit", ["early", "late"])
def test_latency_commits_before_or_after_the_wait_whoever_is_still_there(snow, commit):
    snow.box.fault(kind="latency", ms=3000, commit=commit)
    with pytest.raises(requests.exceptions.ReadTimeout):
        snow.post("/table/incident", {}, timeout=0.3)
    assert incidents(snow) == (1 if commit == "early" else 0)
    wait_until(lambda: incidents(snow) == 1, 10, "committed although the client has gone")


def test_ledger(snow):
    snow.post("/table/incident?sysparm_fields=number", {"short_description": "é"})
    snow.get("/table/incident")
    ledger = snow.box.get("ledger?vendor=servicenow&account=dev1&method=POST")
    (entry,) = ledger["calls"]
    assert json.loads(entry["body"]) == {"short_description": "é"} and entry["status"] == 201
    assert entry["path"] == "/snow/dev1/api/now/v2/table/incident" and entry["query"] == "sysparm_fields=number"
    assert entry["record"].startswith("incident:") and entry["record"].endswith(" INC0010001")
    assert entry["time_ms"] <= entry["commit_ms"] <= entry["answer_ms"] <= time.time() * 1000 + 1
    assert [c["seq"] for c in snow.box.get(f"ledger?since={entry['seq']}")["calls"]] == [2]
    snow.box.delete("ledger")
    assert snow.box.get("ledger")["calls"] == []
    snow.get("/table/incident")
    assert snow.box.get("ledger")["calls"][0]["seq"] == 3


def test_the_ledger_is_a_ring_and_bodies_can_be_left_out(tmp_path):
    box = Sandbox(tmp_path, "--ledger", "5", "--no-ledger-bodies")
    try:
        box.secure_endpoint("a", "k")
        for _ in range(12):
            requests.post(box.url + "/amp/v1/version", data="x" * 50, auth=("a", "k"), timeout=10)
        ledger = box.get("ledger?since=3")
        assert [c["seq"] for c in ledger["calls"]] == [8, 9, 10, 11, 12] and ledger["lost"] == 4
        assert {(c["body"], c["body_size"]) for c in ledger["calls"]} == {("", 50)}
    finally:
        box.stop()


# ---- control API -----------------------------------------------------------------------------


@pytest.mark.parametrize("account, part", [
    ({"account": "x"}, "vendor"), ({"vendor": "mainframe", "account": "x"}, "vendor"),
    ({"vendor": "servicenow"}, "account"), ({"vendor": "servicenow", "account": "x", "users": [{}]}, "user_name"),
    ({"vendor": "secure_endpoint", "account": "x", "rate_limit": "many"}, "rate_limit"),
    ({"vendor": "secure_endpoint", "account": "x", "computers": [{}]}, "connector_guid"),
    ({"vendor": "servicenow", "account": "n" * 300}, "account"), (7, "vendor")])
def test_accounts_that_make_no_sense_are_refused(sandbox, account, part):
    answer = requests.post(sandbox.url + "/_sandbox/accounts", json=account, timeout=10)
    assert answer.status_code == 400 and part in answer.json()["error"]


def test_two_accounts_cannot_have_one_key(sandbox):
    sandbox.secure_endpoint("one", "k")
    answer = requests.post(sandbox.url + "/_sandbox/accounts", timeout=10, json={
        "vendor": "secure_endpoint", "account": "two", "client_id": "one", "api_key": "k"})
    assert answer.status_code == 400 and "taken" in answer.json()["error"]


def test_a_password_can_be_changed(snow):
    snow.box.post("accounts", {"vendor": "servicenow", "account": "dev1",
                               "users": [{"user_name": "svc", "password": "new", "roles": ["itil"]}]})
    assert snow.get("/table/incident").status_code == 401
    assert snow.get("/table/incident", auth=("svc", "new")).status_code == 200


def test_reset_forgets_data_and_keeps_settings(snow):
    snow.create()
    snow.box.delete("state/servicenow/dev1")
    assert incidents(snow) == 0 and snow.create()["number"] == "INC0010001"
    snow.box.delete("state")
    assert incidents(snow) == 0


def test_two_thousand_customers(sandbox):
    sandbox.post("accounts", [{"vendor": "secure_endpoint", "account": f"c{n}", "client_id": f"id{n}", "api_key": "k"}
                              for n in range(2000)])
    assert len(sandbox.get("accounts")["accounts"]) == 2000
    assert requests.get(sandbox.url + "/amp/v1/version", auth=("id1999", "k"), timeout=10).status_code == 200


def test_replay_of_an_envelope(amp):
    body = {"vendor": "secure_endpoint", "account": "acme",
            "payload": {"version": "v1.2.0", "metadata": {}, "data": [event(1), event(2)]}}
    assert amp.box.post("replay", body)["added"] == 2
    assert len(amp.get("/events").json()["data"]) == 2
    wrong = requests.post(amp.box.url + "/_sandbox/replay", json={**body, "payload": [{"id": 1}]}, timeout=10)
    assert wrong.status_code == 400 and "timestamp" in wrong.json()["error"]
    assert amp.get("/events").json()["metadata"]["results"]["total"] == 2


# ---- pages -----------------------------------------------------------------------------------


def test_pages_show_tickets_escaped(snow):
    made = snow.create(short_description="<img src=x onerror=alert(1)> & co", company=ACME, impact="1", urgency="1",
                       work_notes="see https://example.com/?a=1&b=<2> \"quoted\" javascript:alert(1)")
    snow.patch("/table/incident/" + made["sys_id"], {"work_notes": "second </p><script>x</script>"})
    page = requests.get(snow.box.url + "/snow/dev1", timeout=10)
    assert page.url.endswith("/snow/dev1/") and page.headers["Content-Type"].startswith("text/html")
    for text in ("INC0010001", "&lt;img src=x onerror=alert(1)&gt; &amp; co", "1 - Critical", "Acme", "2 notes"):
        assert text in page.text
    assert "<img" not in page.text
    for url in (f"/snow/dev1/incident/{made['sys_id']}", f"/snow/dev1/incident.do?sys_id={made['sys_id']}",
                f"/snow/dev1/nav_to.do?uri=incident.do?sys_id={made['sys_id']}", "/snow/dev1/incident/INC0010001"):
        record = requests.get(snow.box.url + url, timeout=10)
        assert record.status_code == 200
        assert record.text.index("second &lt;/p&gt;&lt;script&gt;") < record.text.index("see <a ")
        assert 'href="https://example.com/?a=1&amp;b="' in record.text and "<script>x" not in record.text
        assert " - Svc User (Work notes)" in record.text
    assert requests.get(snow.box.url + "/snow/dev1/incident/nope", timeout=10).status_code == 404
    assert requests.get(snow.box.url + "/snow/nope/", timeout=10).status_code == 404
    assert snow.box.get("ledger")["last_seq"] == 2  # looking at pages is no call of a vendor's API


def test_pages_of_threat_response(tr):
    tr.post("/ctia/bundle/import", bundle(title="<b>T</b>", description="# `Head <h>`\n- **bold** `code` <i>\n- [named](https://example.com/n?a=1&b=2) [x](javascript:y)",
            severity="Critical", external_references=[{"source_name": "ServiceNow", "url": "https://example.com/i"}]))
    name = tr.box.get("state/threat_response/org")["incidents"][0]["id"].rsplit("/", 1)[1]
    assert "&lt;b&gt;T" in requests.get(tr.box.url + "/tr/org/", timeout=10).text
    page = requests.get(f"{tr.box.url}/tr/org/incident/{name}", timeout=10).text
    for text in ("<b><code>Head &lt;h&gt;</code></b>", "<b>bold</b>", "<code>code</code>", "&lt;i&gt;",
                 '<a rel="noreferrer" href="https://example.com/n?a=1&amp;b=2">named</a>', "[x](javascript:y)", "192.0.2.7", "https://example.com/i", "tocsin-i:x:1"):
        assert text in page
    assert "org" in requests.get(tr.box.url + "/", timeout=10).text
    # What links in tickets point at: the incident's id, and the search for its observables.
    followed = requests.get(f"{tr.box.url}/tr/ctia/incident/{name}", timeout=10, headers={"Accept": "text/html,*/*"})
    assert followed.url == f"{tr.box.url}/tr/org/incident/{name}" and "&lt;b&gt;T" in followed.text
    assert requests.get(f"{tr.box.url}/tr/ctia/incident/{name}", timeout=10).status_code == 401
    query = urllib.parse.quote("ip=192.0.2.7&domain=<nowhere>.example.com", safe="")
    search = requests.get(f"{tr.box.url}/tr/investigate?q={query}", timeout=10).text
    assert f"/tr/org/incident/{name}" in search and "&lt;nowhere&gt;" in search and "Nowhere." in search


def test_the_demo(tmp_path):
    box = Sandbox(tmp_path, "--demo")
    try:
        assert {a["account"] for a in box.get("accounts")["accounts"]} == {"acme", "globex", "initech", "mssp", "northwind"}
        before = box.get("summary")["secure_endpoint"]["acme"]["events"]
        wait_until(lambda: box.get("summary")["secure_endpoint"]["acme"]["events"] > max(before, 5), 15, "a trickle")
        assert requests.get(box.url + "/amp/v1/events", timeout=10,
                            auth=("5ac0ffee00000000acme", "demo-key-acme-not-a-secret")).status_code == 200
        assert requests.get(box.url + "/snow/northwind/api/now/table/incident", timeout=10,
                            auth=("tocsin", "demo-password-northwind-not-a-secret")).status_code == 200
    finally:
        box.stop()


# ---- robustness ------------------------------------------------------------------------------


def raw(box, data, wait=True):
    host, port = urllib.parse.urlsplit(box.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        return connection.recv(65536) if wait else b""


def test_garbage_is_survived(snow):
    dice = random.Random(7)
    auth = b"Authorization: " + requests.auth._basic_auth_str("svc", PW).encode() + b"\r\n"
    body = b'{"short_description":"\xff\xfe","a":[[[1]]]}'
    seeds = [b"POST /snow/dev1/api/now/v2/table/incident?sysparm_fields=number,%00,%zz HTTP/1.1\r\nHost: x\r\n" + auth +
             b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
             b"GET /snow/dev1/api/now/table/incident?sysparm_query=^^NQ^OR^ORDERBY^=^numberIN,,^a.b.c.d.e=1 HTTP/1.1\r\n"
             b"Host: x\r\n" + auth + b"\r\n",
             b"GET /amp/v1/events?event_type[]=&start_date=%ff&offset=99999999999999999999 HTTP/1.1\r\nHost: x\r\n\r\n",
             b"POST /tr/ctia/bundle/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer eyJ.eyJzdWIiOiI.x\r\n"
             b"Content-Length: 2\r\n\r\n{]",
             b"GET /_sandbox/ledger?since=-1&limit=0 HTTP/1.1\r\nHost: x\r\n\r\n"]
    for seed in seeds:
        raw(snow.box, seed)
    for _ in range(300):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(1, 12)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        raw(snow.box, bytes(data[:dice.randrange(1, len(data) + 1)]), wait=False)
    for path, body in (("accounts", "[[[["), ("faults", '{"kind":null}'), ("events/dev1", "[]"), ("generate", "{}"),
                       ("replay", "null"), ("accounts", "\xff"), ("nothing", "")):
        answer = requests.post(f"{snow.box.url}/_sandbox/{path}", data=body.encode("latin-1"), timeout=10)
        assert 400 <= answer.status_code < 500 and answer.json()["error"]
    assert snow.box.get("health") == {"status": "ok"} and snow.box.process.poll() is None


def test_bodies_over_ten_mebibytes_are_refused(snow):
    answer = snow.post("/table/incident", {"description": "x" * (10 * 1024 * 1024)})
    assert answer.status_code == 400 and "Rejected large REST payload" in answer.json()["error"]["detail"]
    assert snow.post("/table/incident", {"description": "x" * (9 * 1024 * 1024)}).status_code == 201


def test_deeply_nested_json_is_refused(tr):
    answer = tr.post("/ctia/incident", data="[" * 100000, headers=tr.options["headers"])
    assert answer.status_code == 400


def test_thousands_of_open_connections(snow):
    host, port = urllib.parse.urlsplit(snow.box.url).netloc.split(":")
    count = min(3000, os.sysconf("SC_OPEN_MAX") - 200)
    open_ones = []
    try:
        for _ in range(count):
            open_ones.append(socket.create_connection((host, int(port)), timeout=10))
        assert snow.create()["number"]
        open_ones[-1].sendall(b"GET /_sandbox/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert open_ones[-1].recv(100).startswith(b"HTTP/1.1 200")
    finally:
        for one in open_ones:
            one.close()


def test_it_stops_at_once_with_calls_waiting(snow):
    snow.box.fault(kind="latency", ms=60000)
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(snow.post, "/table/incident", {}) for _ in range(5)]
        wait_until(lambda: len(snow.box.get("ledger")["calls"]) == 5, 10, "all are waiting")
        snow.box.process.send_signal(signal.SIGTERM)
        assert snow.box.process.wait(10) == 0
        for one in waiting:
            try:
                assert one.result(10).status_code == 201
            except requests.exceptions.ConnectionError:
                pass  # closed without an answer is as good


@pytest.mark.parametrize("options", [["--port", "99999"], ["--bogus"], ["--listen", "nowhere"], ["extra"]])
def test_wrong_options_end_with_a_line(tmp_path, options):
    import subprocess
    from harness import build_dir
    done = subprocess.run([build_dir() / "tocsin-sandbox", *options], capture_output=True, text=True, timeout=10,
                          check=False)
    assert done.returncode != 0 and done.stderr.count("\n") == 1 and done.stdout == ""
