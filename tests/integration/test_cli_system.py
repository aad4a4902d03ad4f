"""The client and the running system: setup and its watch, status, incidents, fates, dead entries,
and what credentials can do."""
import json
import signal
import subprocess

import pytest

from harness import Process, build_dir, wait_until
from harness.events import policy_update, quarantine_failure, raw_fields, threat_detected
from harness.system import SYS_ID, seal

VERSION = "#version"


def run(system, *args, expect=0, **env):
    """(stdout, stderr) for people."""
    process = Process("tocsin", args, {**system.env, **env}, system.folder / "tocsin.log", health=False)
    out, err, status = process.run()
    assert status == expect, (args, status, out, err)
    return out, err


def applied(system):
    return system.redis.client.hgetall("tocsin:customers")


@pytest.fixture
def ready(system):
    """One customer, everything set up, nothing running."""
    system.servicenow()
    system.threat_response()
    system.customer("acme")
    system.apply()
    return system


# ---- setup


def test_setup_writes_only_what_changed(ready):
    before = applied(ready)
    assert set(before) == {"acme", "@snow-main", "@xdr", VERSION}
    assert ready.tocsin("setup")["set"] == 0
    assert applied(ready) == before
    ready.customer("acme", minimum_severity="high")
    ready.customer("beta")
    assert ready.tocsin("setup")["set"] == 2
    after = applied(ready)
    assert int(after[VERSION]) > int(before[VERSION])
    assert json.loads(after["acme"])["minimum_severity"] == "high"
    (ready.config / "customers" / "beta.json").unlink()
    assert ready.tocsin("setup")["removed"] == 1
    assert "beta" not in applied(ready)


def test_setup_makes_streams_groups_and_functions(ready):
    client = ready.redis.client
    for stream in ("raw", "findings", "actions", "closures"):
        assert client.xinfo_groups(ready.key_name(stream))[0]["name"] == "tocsin"
    assert client.execute_command("FUNCTION", "LIST")
    assert ready.tocsin("status", expect=4)["streams"][0]["length"] == 0  # nobody polls yet


def test_a_malformed_file_leaves_that_customer_as_it_was(ready):
    before = applied(ready)
    (ready.config / "customers" / "acme.json").write_text('{\n  "id": "acme",\n  "mode": }\n')
    ready.customer("beta")
    out, err = run(ready, "setup", expect=4)
    assert "customers/acme.json:3" in err
    after = applied(ready)
    assert after["acme"] == before["acme"] and "beta" in after


def test_an_unmounted_folder_does_not_remove_everybody(ready):
    before = applied(ready)
    (ready.config / "customers").rename(ready.folder / "elsewhere")
    out, err = run(ready, "setup", expect=1)
    assert "customers" in err and applied(ready) == before
    out, err = run(ready, "setup", expect=1, TOCSIN_CONFIG_DIR="/nonexistent")
    assert applied(ready) == before


def test_watch_applies_changes_and_heals_an_empty_redis(ready):
    watch = ready.service("setup").ready()
    ready.customer("beta")
    wait_until(lambda: "beta" in applied(ready), 5, "the new customer is applied")
    version = int(applied(ready)[VERSION])
    (ready.config / "customers" / "acme.json").unlink()
    wait_until(lambda: "acme" not in applied(ready), 5, "the removed customer is gone")

    ready.redis.client.flushall()
    ready.redis.client.execute_command("FUNCTION", "FLUSH")
    wait_until(lambda: set(applied(ready)) == {"beta", "@snow-main", "@xdr", VERSION}, 8,
               "customers are back")
    assert int(applied(ready)[VERSION]) > version
    wait_until(lambda: not any("run tocsin setup" in why for why in ready.tocsin("status", expect=4)["why"]), 5,
               "setup is whole again")
    assert watch.get("/readyz")[0] == 200 and watch.get("/healthz")[0] == 200
    watch.counts(1, "tocsin_setup_customers")

    # Someone else's hand in the hash is undone as well.
    ready.redis.client.delete("tocsin:customers")
    wait_until(lambda: "beta" in applied(ready), 8, "the hash is back")


def test_watch_is_not_ready_until_it_has_applied(system):
    system.redis.kill()
    watch = system.service("setup")
    wait_until(lambda: watch.get("/readyz")[0] == 503, 10, "not ready without Redis")
    system.redis.start()
    watch.ready()
    system.redis.kill()
    wait_until(lambda: watch.get("/readyz")[0] == 503, 10, "not ready when Redis has gone")
    system.redis.start()
    watch.ready()


def test_watch_complains_once_about_a_bad_file(ready):
    watch = ready.service("setup").ready()

    def complaints():
        return [line for line in watch.log_lines() if "acme.json" in line.get("msg", "")]
    (ready.config / "customers" / "acme.json").write_text("{")
    wait_until(complaints, 5, "a complaint")
    ready.customer("beta")
    wait_until(lambda: "beta" in applied(ready), 5, "the other is applied")
    ready.redis.client.delete("tocsin:customers")
    wait_until(lambda: "beta" in applied(ready), 8, "applied again")
    assert len(complaints()) == 1
    assert complaints()[0]["level"] == "error"
    watch.counts(1, "tocsin_setup_bad_files")
    watch.signal(signal.SIGTERM)
    assert watch.process.wait(10) == 0


# ---- status and accounts


def test_status_says_what_is_wrong(ready):
    status = ready.tocsin("status", expect=4)
    assert "nobody polls acme: no collector is alive" in status["why"][0] and "never polled yet" in status["why"][1]
    ready.start("collector")
    wait_until(lambda: ready.tocsin("status")["health"] == "ok", 20, "ok once polled")
    out, _ = run(ready, "status")
    assert out.startswith("Tocsin:  ok\n") and "\033" not in out
    row = ready.tocsin("status")["sources"][0]
    assert row["customer"] == "acme" and row["last_poll_ms"] and row["last_error"] is None

    ready.redis.client.execute_command("FUNCTION", "FLUSH")
    status = ready.tocsin("status", expect=4)
    assert status["health"] == "broken" and "tocsin setup" in status["why"][0]


def test_a_parked_account_breaks_the_status_until_it_is_resumed(ready):
    ready.sandbox.fault(vendor="secure_endpoint", kind="expired_password")
    ready.start("collector")

    def parked():
        return {row["id"] for row in ready.tocsin("account", "list")["accounts"] if row["parked"]}
    wait_until(lambda: parked() == {"acme.secure_endpoint"}, 20, "the account is parked")
    status = ready.tocsin("status", expect=4)
    assert any("acme.secure_endpoint is parked" in line for line in status["why"])
    out, _ = run(ready, "status", expect=4)
    assert "parked" in out and "acme.secure_endpoint" in out
    shown = ready.tocsin("account", "show", "acme.secure_endpoint")
    assert shown["state"] == "parked" and shown["parked_ms"] and shown["reason"]
    assert shown["customers"] == ["acme"] and shown["next_ms"] >= shown["parked_ms"]
    ready.sandbox.heal()
    assert ready.tocsin("account", "resume", "acme.secure_endpoint")["accounts"][0]["changed"] in (
        True, False)  # a probe may have been first
    wait_until(lambda: not parked(), 20, "it works again")
    run(ready, "account", "resume", "nobody", expect=3)


# ---- incidents and fates


def test_incidents_and_fates_are_told(ready):
    ready.customer("quiet", mode="shadow")
    ready.customer("asked", source={"event_types": [1090519054, 553648130]})
    ready.apply()
    ready.start()
    first = threat_detected(1)
    joined, asked = quarantine_failure(first, 2), policy_update(3)
    ready.emit("acme", [first, joined])
    ready.emit("quiet", [threat_detected(4)])
    ready.emit("asked", [asked])
    wait_until(lambda: ready.settled("acme", [first, joined]), 40, "acme's ticket")
    wait_until(lambda: ready.incident_of("quiet", threat_detected(4)).get("shadow"), 40,
               "quiet's incident")
    wait_until(lambda: (ready.fate("asked", asked["id"]) or "queued") != "queued", 40, "a fate")

    listed = ready.tocsin("incident", "list", "--customer", "acme")
    row = listed["incidents"][0]
    assert listed["count"] == 1 and row["state"] == "open" and row["number"].startswith("INC")
    assert row["severity"] == "High" and row["ticket_ms"] >= row["observed_ms"]
    assert ready.tocsin("incident", "list", "--state", "closed")["count"] == 0
    assert ready.tocsin("incident", "list", "--state", "shadow")["incidents"][0]["customer"] == "quiet"
    limited = ready.tocsin("incident", "list", "--limit", "1")
    assert len(limited["incidents"]) == 1 and limited["count"] >= 2
    table, _ = run(ready, "incident", "list")
    assert row["number"] in table and row["id"] in table

    for name in (row["id"], row["number"], row["number"].lower()):
        shown = ready.tocsin("incident", "show", name)
        assert shown["id"] == row["id"]
    steps = {step["step"]: step["status"] for step in shown["steps"]}
    assert steps["servicenow.create"] == steps["threat_response.create"] == "done"
    assert shown["timeline"] and len(shown["entries"]) == 2 and shown["ctim_id"]
    page, _ = run(ready, "incident", "show", row["number"])
    assert "open a ticket in ServiceNow: done" in page and "Timeline" in page

    story, _ = run(ready, "trace", joined["id"])
    assert row["number"] in story and row["id"] in story
    traced = ready.tocsin("trace", str(first["id"]), "--customer", "acme")["events"][0]
    assert traced["fate"] == f"incident:{row['id']}" and traced["incident"]["number"] == row["number"]
    story, _ = run(ready, "trace", threat_detected(4)["id"])
    assert "shadow mode" in story
    story, _ = run(ready, "trace", asked["id"])
    assert "recorded only: below the customer's minimum severity" in story
    _, err = run(ready, "trace", "1", expect=3)
    assert "older than kept" in err
    run(ready, "trace", first["id"], "--customer", "nobody", expect=3)
    run(ready, "incident", "show", "INC9999999", expect=3)

    for host in (row["host"].lower(), row["host"].split(".")[0]):
        assert row["id"] in [one["id"] for one in ready.tocsin("incident", "list", "--host", host)["incidents"]]
    assert ready.tocsin("incident", "list", "--host", "0" + row["host"])["incidents"] == []
    for command in (["incident", "list"], ["containment", "list"], ["trace", "1"]):
        _, err = run(ready, *command, "--customer", "nobody", expect=3)
        assert "no customer nobody" in err
    # What makes no sense is refused, and then nothing is said of the others either.
    for command, why in (("reopen", "not closed"), ("release", "nothing of it waits")):
        _, err = run(ready, "incident", command, row["id"], expect=1)
        assert why in err
    run(ready, "incident", "close", row["id"], "INC9999999", expect=3)
    assert ready.length("orders") == 0 and ready.tocsin("incident", "show", row["id"])["state"] == "open"


def test_who_reads_may_stop(ready):
    """As in `tocsin help | head`: no complaint, and no failure."""
    with subprocess.Popen([build_dir() / "tocsin", "help", "--markdown"], env=ready.env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait(20) == 0


def test_trace_of_what_is_on_its_way(ready):
    fields = raw_fields(7)
    event_id = fields["event_id"]
    ready.redis.client.xadd(ready.key_name("raw"), fields)
    ready.redis.client.set(ready.key_name(f"seen:acme:secure_endpoint:{event_id}"), "queued")
    story, _ = run(ready, "trace", event_id)
    assert "waiting for the normalizer" in story
    for fate, says in (("skipped:not a detection", "not a detection"), ("recorded", "recorded only"),
                       ("suppressed:noise", "rule 'noise'"), ("incident:" + "0" * 16, "older than kept"),
                       ("dead:1-1", "was dropped")):
        ready.redis.client.set(ready.key_name(f"seen:acme:secure_endpoint:{event_id}"), fate)
        story, _ = run(ready, "trace", event_id)
        assert says in story, (fate, story)


def test_what_waits_for_a_vendor_is_told(ready):
    ready.sandbox.fault(vendor="servicenow", kind="5xx_before")
    ready.start()
    event = threat_detected(1)
    ready.emit("acme", [event])
    wait_until(lambda: ready.fate("acme", event["id"]), 30, "the event is seen")

    def failing():
        traced = ready.tocsin("trace", str(event["id"]))["events"][0]
        return any("open a ticket in ServiceNow" in line for line in traced["story"])
    wait_until(failing, 30, "trace names the step that is not done")
    story, _ = run(ready, "trace", event["id"])
    assert "There is no ticket yet" in story
    ready.sandbox.heal()
    wait_until(lambda: ready.settled("acme", [event]), 40, "the ticket after all")


def test_failed_steps_are_retried(ready):
    ready.start()
    event = threat_detected(1)
    ready.emit("acme", [event])
    wait_until(lambda: ready.settled("acme", [event]), 40, "the ticket")
    row = ready.tocsin("incident", "list")["incidents"][0]
    assert ready.tocsin("incident", "retry", row["id"])["incidents"] == [
        {"id": row["id"], "retried": False}]
    key = ready.key_name(f"incident:{row['id']}")
    step = ready.redis.client.hget(key, "step.servicenow.link")
    assert step.startswith("done ")
    ready.redis.client.hset(key, mapping={"state": "failed", "reason": "made up",
                                          "step.servicenow.link": "failed" + step[4:]})
    status = ready.tocsin("status", expect=4)
    assert status["incidents"]["failed"] == 1
    assert any("incident list --state failed" in line for line in status["why"])
    assert ready.tocsin("incident", "list", "--state", "failed")["count"] == 1
    assert ready.tocsin("incident", "retry", row["number"])["incidents"][0]["retried"]
    wait_until(lambda: ready.settled("acme", [event]), 20, "it is open again")
    run(ready, "incident", "retry", "INC9999999", expect=3)


# ---- dead entries


def test_dead_entries_are_listed_replayed_and_dropped(ready, tmp_path):
    for number in (1, 2):
        fields = raw_fields(number)
        ready.redis.client.xadd(ready.key_name("raw"), {**fields, "payload": "{"})
    ready.start("normalizer")
    wait_until(lambda: ready.length("dead") == 2, 20, "both are dead")
    listed = ready.tocsin("dead", "list")
    assert listed["count"] == 2
    first, second = listed["dead"]
    assert first["stream"] == "raw" and first["customer"] == "acme" and first["reason"]
    assert first["id"] in run(ready, "dead", "list", "--limit", "1")[0]
    assert ready.tocsin("dead", "list", "--customer", "nobody")["dead"] == []
    assert ready.tocsin("dead", "show", first["id"])["fields"]["payload"] == "{"
    assert "acme" in run(ready, "dead", "show", first["id"])[0]
    assert "dead entries" in " ".join(ready.tocsin("status", expect=4)["why"])
    story, _ = run(ready, "trace", first["event_id"])
    assert "could not be processed" in story and first["id"] in story

    # Replayed, it dies again under another id.
    assert ready.tocsin("dead", "replay", first["id"])["replayed"] == 1
    wait_until(lambda: {row["id"] for row in ready.tocsin("dead", "list")["dead"]} not in (
        {first["id"], second["id"]}, {second["id"]}), 20, "it was tried again")

    ready.stop()
    ids = {row["id"] for row in ready.tocsin("dead", "list")["dead"]}
    assert len(ids) == 2
    run(ready, "dead", "drop", "--all", expect=1)
    export = tmp_path / "export.jsonl"
    export.write_text("")
    run(ready, "dead", "drop", "--all", "--yes", "--export", export, expect=1)  # never overwritten
    assert ready.length("dead") == 2
    export.unlink()
    out, _ = run(ready, "dead", "drop", "--all", "--yes", "--export", export)
    for text in (out, export.read_text()):
        assert {json.loads(line)["id"] for line in text.splitlines()} == ids
    assert ready.length("dead") == 0
    assert run(ready, "dead", "list")[0] == "Nothing is dead.\n"
    for command in ("show", "replay", "drop"):
        run(ready, "dead", command, "1-1", *(["--yes"] if command == "drop" else []), expect=3)


def test_what_cannot_be_printed_is_not_dropped(ready, tmp_path):
    ready.redis.client.xadd(ready.key_name("raw"), {**raw_fields(1), "payload": "{"})
    ready.start("normalizer")
    wait_until(lambda: ready.length("dead") == 1, 20, "it is dead")
    with open("/dev/full", "w") as full:
        process = Process("tocsin", (), ready.env, tmp_path / "log", health=False)
        done = subprocess.run([*process.args, "dead", "drop", "--all", "--yes"], env=process.env,
                              stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and ready.length("dead") == 1


def test_bytes_that_are_no_text_are_shown_all_the_same(ready):
    ready.redis.client.xadd(ready.key_name("raw"), {**raw_fields(1), "payload": b"\xff\x00\x1b[31m"})
    ready.start("normalizer")
    wait_until(lambda: ready.length("dead") == 1, 20, "it is dead")
    row = ready.tocsin("dead", "list")["dead"][0]
    assert ready.tocsin("dead", "show", row["id"])["fields"]["payload"]
    assert "\x1b" not in run(ready, "dead", "show", row["id"])[0]
    ready.redis.client.set(ready.key_name("seen:acme:secure_endpoint:9"), b"odd \xff\x1b")
    assert "\x1b" not in run(ready, "trace", "9")[0]
    assert ready.tocsin("trace", "9")["events"][0]["fate"]


# ---- verify


def checks(report, kind):
    """{check: result} of the first report about such an account."""
    rows = next(r for r in report["reports"] if r["kind"] == kind)["checks"]
    return {row["check"]: row["result"] for row in rows}


def test_verify_without_redis(ready):
    ready.redis.kill()
    report = ready.tocsin("customer", "verify", "acme")
    assert report["ok"]
    assert checks(report, "secure_endpoint")["read events"] == "yes"
    assert checks(report, "threat_response")["scopes"] == "yes"
    snow = checks(report, "servicenow")
    assert snow["read incidents"] == "unknown"  # the table is empty: it proves nothing
    for name in ("log in", "create incidents", "caller_id exists", "company exists",
                 "assignment_group exists"):
        assert snow[name] == "yes", snow
    page, _ = run(ready, "customer", "verify", "acme")
    assert "acme: account snow-main" in page
    assert ready.tocsin("account", "verify")["ok"]
    ready.redis.start()


def test_verify_changes_nothing_at_the_vendors(ready):
    ready.tocsin("customer", "verify")
    calls = ready.sandbox.get("ledger")["calls"]
    assert calls and not [call for call in calls if call["committed"] and "token" not in call["path"]]


def test_verify_names_what_is_missing(ready):
    box = ready.sandbox
    box.post("accounts", {"vendor": "threat_response", "account": "client-xdr",
                          "scopes": "casebook enrich:read inspect"})
    box.post("accounts", {"vendor": "servicenow", "account": "main", "users": [
        {"user_name": "tocsin", "password": "snow-secret", "name": "T",
         "roles": ["snc_basic_auth_api_access"]}]})
    servicenow = {"account": "snow-main", **SYS_ID, "company": "f" * 32, "category": "nonsense"}
    ready.customer("acme", servicenow=servicenow, source={"event_types": [1090519054, 7]})
    report = ready.tocsin("customer", "verify", "acme", expect=4)
    assert not report["ok"]
    assert checks(report, "threat_response")["scopes"] == "no"
    assert checks(report, "servicenow")["company exists"] == "no"
    assert checks(report, "servicenow")["caller_id exists"] == "yes"
    assert checks(report, "secure_endpoint")["event types exist"] == "no"
    page, _ = run(ready, "customer", "verify", "acme", expect=4)
    assert "private-intel" in page and "f" * 32 in page and " 7" in page


def test_verify_of_wrong_and_unreachable_credentials(ready):
    ready.sandbox.fault(vendor="servicenow", kind="expired_password")
    report = ready.tocsin("account", "verify", "snow-main", expect=4)
    assert checks(report, "servicenow") == {"log in": "no"}
    ready.sandbox.heal()
    ready.sandbox.fault(vendor="servicenow", kind="hibernation")
    report = ready.tocsin("account", "verify", "snow-main", expect=4)
    assert checks(report, "servicenow")["log in"] == "unknown"
    assert "hibernat" in report["reports"][0]["checks"][0]["text"].lower()
    ready.account("gone", "threat_response", "x", client_id="c", url="http://127.0.0.1:1/iroh",
                  intel_url="http://127.0.0.1:1/ctia")
    report = ready.tocsin("account", "verify", "gone", expect=4)
    assert checks(report, "threat_response")["log in"] == "unknown"


def test_a_moved_seal_does_not_open(ready):
    """A sealed secret copied into another file is of no use there."""
    body = json.loads((ready.config / "customers" / "acme.json").read_text())
    body["id"] = "thief"
    (ready.config / "customers" / "thief.json").write_text(json.dumps(body))
    report = ready.tocsin("customer", "verify", "thief", expect=4)
    assert checks(report, "secure_endpoint") == {"log in": "no"}
    body["accounts"]["secure_endpoint"]["secret"] = seal(ready.key, "thief", "secure_endpoint.secret",
                                                         "amp-secret")
    (ready.config / "customers" / "thief.json").write_text(json.dumps(body))
    assert checks(ready.tocsin("customer", "verify", "thief"), "secure_endpoint")["log in"] == "yes"
