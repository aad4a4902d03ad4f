"""What tickets say is in the operators' hands: templates from their files to ServiceNow."""
import json
import pathlib
import re

import pytest
from harness import wait_until

from test_incident import add, calls, finding, incident, incident_ids, notes, settled, tickets, timeline

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
SYS_ID = {"caller_id": "c" * 32, "company": "d" * 32, "assignment_group": "e" * 32}
AT_ONCE = {"intervals": ["0s", "0s", "0s", "0s"]}


def template(system, name, **body):
    folder = system.config / "templates"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(body, indent=2))


def settings(**more):
    return {"account": "snow-main", **SYS_ID, **more}


def one_ticket(system, *findings, deadline=30):
    before = len(tickets(system))
    add(system, *findings)
    wait_until(lambda: len(tickets(system)) > before and system.drained(), deadline, "a ticket")
    assert system.length("dead") == 0
    return tickets(system)[-1]


@pytest.fixture
def snow(system):
    """An instance with columns of its own; the customer is made by the test."""
    system.servicenow()
    system.sandbox.post("accounts", {"vendor": "servicenow", "account": "main",
                                     "columns": {"incident": ["u_alert_id", "u_hash", "u_risk", "u_vip"]}})
    return system


# ---- columns


def test_columns_are_what_the_template_says(snow):
    template(snow, "soc", columns={
        "u_alert_id": ".facts.event_id",
        "u_hash": [".finding.evidences[0].file.hashes", "| map(select(.algorithm_id == 3).value)", "| first"],
        "u_risk": ".finding.severity_id * 10 + 0.5",
        "u_vip": ".customer.id == \"acme\"",
        "category": "\"security\"",
        "short_description": "\"Malware on \" + .facts.host",
        "description": None,
        "work_notes": ".facts.work_notes + \"\\nRunbook: https://wiki.example/\" + (.facts.event_type | @uri)"},
        later_note="\"Again, \" + .facts.count + \" more:\\n\" + .facts.lines")
    snow.customer("acme", xdr=None, servicenow=settings(template="soc", priority={"high": [1, 2]}))
    snow.apply()
    snow.start("incident")
    ticket = one_ticket(snow, finding(7165437912345678901, group="g"))
    assert ticket["u_alert_id"] == "7165437912345678901"
    assert len(ticket["u_hash"]) == 64
    assert (ticket["u_risk"], ticket["u_vip"], ticket["category"]) == ("40.5", "true", "security")
    assert ticket["short_description"] == "Malware on WS-1 [SecureX]"
    assert "description" not in ticket
    assert (ticket["impact"], ticket["urgency"], ticket["priority"]) == ("1", "2", "2")
    assert ticket["company"] == SYS_ID["company"] and ticket["correlation_display"] == "Tocsin"
    assert notes(ticket)[0].endswith("Runbook: https://wiki.example/Threat%20Detected")
    assert notes(ticket)[1].startswith("respond/trigger/tocsin/close?")

    add(snow, finding(2, group="g", host="WS-1"))
    wait_until(lambda: len(notes(tickets(snow)[0])) == 3, 30, "a note on the later event")
    note = notes(tickets(snow)[0])[2]
    assert note.startswith("Again, 1 more:\n") and note.endswith(":note:1]"), note


def test_a_column_that_the_instance_lacks_is_told(snow):
    template(snow, "soc", columns={"u_alert_id": ".facts.event_id", "u_nowhere": "\"x\""})
    snow.customer("acme", xdr=None, servicenow=settings(template="soc"))
    snow.apply()
    snow.start("incident")
    ticket = one_ticket(snow, finding(1))
    assert ticket["u_alert_id"] == "1" and "u_nowhere" not in ticket
    (incident_id,) = incident_ids(snow)
    assert "column u_nowhere was not taken as sent" in timeline(snow, incident_id)


def test_an_expression_that_fails_loses_no_ticket(snow):
    template(snow, "soc", columns={
        "u_alert_id": ".facts.event_id",
        "short_description": ".finding.title.text.of.nobody | error(\"no title\")",
        "u_hash": "def f: f; f", "u_risk": "\"x\" * 1e9", "u_vip": "empty",
        "impact": "7", "category": "[1]"}, later_note="1, 2")
    snow.customer("acme", xdr=None, servicenow=settings(template="soc", category="inquiry"))
    snow.apply()
    service = snow.start("incident")
    ticket = one_ticket(snow, finding(1, group="g"), deadline=60)
    assert ticket["u_alert_id"] == "1"
    assert ticket["short_description"].startswith("[Acme] - New Cisco Secure event [Threat Detected]")
    assert ticket["short_description"].endswith("[SecureX]")
    assert (ticket["impact"], ticket["category"]) == ("2", "inquiry")
    assert "u_hash" not in ticket and "u_vip" not in ticket
    (incident_id,) = incident_ids(snow)
    for place in (notes(ticket)[0], timeline(snow, incident_id)):
        assert "template soc, short_description: error: no title; the built-in one was used" in place
        assert "template soc, impact: \"7\" is not 1 to 3; the built-in one was used" in place
        assert "template soc, category: it gave a list or an object" in place
        assert "template soc, u_hash: " in place and "left out" in place
    service.counts(6, "tocsin_template_failures_total", template="soc")

    add(snow, finding(2, group="g"))
    wait_until(lambda: len(notes(tickets(snow)[0])) == 3, 60, "a note on the later event")
    assert notes(tickets(snow)[0])[2].startswith("1 more event of the same detection")
    assert len(tickets(snow)) == 1 and len(calls(snow, vendor="servicenow", method="POST")) == 1


def test_a_rule_may_choose_the_template(snow):
    template(snow, "soc", columns={"u_alert_id": "\"soc\""})
    template(snow, "vip", columns={"u_alert_id": "\"vip\""}, later_note="\"vip again\"")
    snow.customer("acme", xdr=None, servicenow=settings(template="soc"), notes=AT_ONCE)
    snow.apply()
    snow.start("incident")
    assert one_ticket(snow, finding(1))["u_alert_id"] == "soc"
    routed = {"policy": json.dumps({"route": {"template": "vip"}, "rules": ["vips"]})}
    assert one_ticket(snow, {**finding(2, group="g"), **routed})["u_alert_id"] == "vip"
    add(snow, finding(3, group="g"))  # whatever later findings are told: the ticket keeps its template
    wait_until(lambda: len(notes(tickets(snow)[1])) == 3, 30, "a note on the later event")
    assert notes(tickets(snow)[1])[2].startswith("vip again\n")


def test_templates_are_taken_over_without_a_restart(snow):
    template(snow, "soc", columns={"u_alert_id": "\"one \" + .facts.event_id"})
    snow.customer("acme", xdr=None, servicenow=settings(template="soc"))
    snow.start("setup", "incident")
    assert one_ticket(snow, finding(1))["u_alert_id"] == "one 1"

    def in_force(text):
        return snow.redis.client.hget("tocsin:programs", "template:soc").find(text) >= 0

    template(snow, "soc", columns={"u_alert_id": "\"two \" + .facts.event_id"})
    wait_until(lambda: in_force("two "), 10, "setup publishes the new text")
    wait_until(lambda: one_ticket(snow, finding(f"x{len(tickets(snow))}"))["u_alert_id"].startswith("two "),
               20, "the new text is used")

    # A wrong one leaves what is in force as it was, and is named.
    template(snow, "soc", columns={"u_alert_id": "\"three \" + ("})
    log = snow.services[0].log_path
    wait_until(lambda: "templates/soc.json:3: columns.u_alert_id: syntax error" in log.read_text(), 10,
               "setup names the file, the line and what is wrong")
    assert in_force("two ")
    assert one_ticket(snow, finding(90))["u_alert_id"] == "two 90"

    # A file that goes takes its template with it: the built-in one stands in, and the ticket says so.
    (snow.config / "templates" / "soc.json").unlink()
    wait_until(lambda: not snow.redis.client.hexists("tocsin:programs", "template:soc"), 10, "it is gone")
    wait_until(lambda: "u_alert_id" not in one_ticket(snow, finding(f"y{len(tickets(snow))}")), 20,
               "the built-in template")
    assert "template soc, template: there is none of that name; the built-in one was used" in \
        notes(tickets(snow)[-1])[0]


def test_the_time_of_the_customer_stands_beside_utc(snow):
    snow.customer("acme", xdr=None, servicenow=settings(), time_zone="America/St_Johns")
    snow.apply()
    snow.start("incident")
    ticket = one_ticket(snow, finding(1, group="g", when_ms=1774771200000))  # 2026-03-29T08:00:00Z
    assert "Datetime: 2026-03-29 08:00:00 UTC\nLocal time: 2026-03-29 05:30:00 NDT (UTC-02:30)\n" in \
        notes(ticket)[0]
    add(snow, finding(2, group="g", when_ms=1774771260000))
    wait_until(lambda: len(notes(tickets(snow)[0])) == 3, 30, "a note on the later event")
    assert "2026-03-29 08:01:00 UTC, local 2026-03-29 05:31:00 NDT (UTC-02:30)" in notes(tickets(snow)[0])[2]


# ---- Security Incident Response


@pytest.fixture
def sir(system):
    system.servicenow()
    system.sandbox.post("accounts", {
        "vendor": "servicenow", "account": "main", "security_incident_response": True,
        "users": [{"user_name": "tocsin", "password": "snow-secret", "name": "Tocsin",
                   "roles": ["sn_si.analyst"]}], "journal_roles": "admin,sn_si.analyst"})
    return system


def security_incidents(system):
    return system.sandbox.get("state/servicenow/main")["security_incidents"]


@pytest.mark.parametrize("how", ["customer", "template"])
def test_security_incidents(sir, how):
    if how == "template":
        template(sir, "sir", table="sn_si_incident", columns={
            "alert_id": ".facts.event_id", "priority": "if .finding.severity_id >= 4 then 1 else 4 end"})
        sir.customer("acme", xdr=None, servicenow=settings(template="sir"), notes=AT_ONCE,
                     closing={"grace": "0s", "report": False})
    else:
        sir.customer("acme", xdr=None, servicenow=settings(table="sn_si_incident"), notes=AT_ONCE,
                     closing={"grace": "0s", "report": False})
    sir.apply()
    sir.start("incident")
    add(sir, finding(1, group="g", severity_id=3))
    settled(sir)
    assert tickets(sir) == []
    (ticket,) = security_incidents(sir)
    assert ticket["number"].startswith("SIR") and ticket["state"] == "10"
    assert ticket["caller"] == SYS_ID["caller_id"] and ticket["company"] == SYS_ID["company"]
    assert (ticket["impact"], ticket["urgency"]) == ("3", "2")
    assert ticket["priority"] == "4"
    assert ticket.get("alert_id", "") == ("1" if how == "template" else "")
    assert notes(ticket)[1].startswith("respond/trigger/tocsin/close?observable_type=")
    state = incident(sir)
    assert state["servicenow.url"].endswith(f"/sn_si_incident.do?sys_id={ticket['sys_id']}")
    assert state["servicenow.table"] == "sn_si_incident"

    # A rise in severity raises what the instance does not compute.
    add(sir, finding(2, group="g", severity_id=5))
    wait_until(lambda: len(notes(security_incidents(sir)[0])) == 3, 30, "a note on the later event")
    (ticket,) = security_incidents(sir)
    assert (ticket["impact"], ticket["urgency"], ticket["priority"]) == ("2", "1", "2")

    # State 3 is Closed here, not On Hold: what comes then is a new one.
    sir.sandbox.post("accounts", {"vendor": "servicenow", "account": "main", "tables": {
        "sn_si_incident": [{"sys_id": ticket["sys_id"], "state": "3", "active": "false",
                            "closed_at": "2026-01-01 00:00:00"}]}})
    add(sir, finding(3, group="g", severity_id=3))
    wait_until(lambda: len(security_incidents(sir)) == 2 and sir.drained(), 40, "a new ticket")


@pytest.mark.parametrize("verdict, code", [("false_positive", "-102"), ("true_positive", "-101"), (None, "-100")])
def test_a_security_incident_is_closed_by_us(sir, verdict, code):
    """Closed is state 3 here, and the instance's own numbers say the verdict."""
    sir.customer("acme", xdr=None, servicenow=settings(table="sn_si_incident"),
                 closing={"grace": "0s", "report": False})
    sir.apply()
    sir.start("incident")
    add(sir, finding(1))
    settled(sir)
    (incident_id,) = incident_ids(sir)
    sir.tocsin("incident", "close", incident_id, *(["--verdict", verdict] if verdict else []))
    wait_until(lambda: incident(sir)["state"] == "closed" and sir.drained(), 30, "closed")
    (ticket,) = security_incidents(sir)
    assert (ticket["state"], ticket["active"], ticket["close_code"]) == ("3", "false", code)
    assert ticket["close_notes"]


def test_security_incidents_need_their_plugin_and_their_roles(system):
    system.servicenow()
    system.customer("acme", xdr=None, servicenow=settings(table="sn_si_incident"))
    system.apply()
    system.start("incident")
    add(system, finding(1))
    wait_until(lambda: "no such table" in json.dumps(incident(system) if incident_ids(system) else {}), 30,
               "the account waits: the plug-in is missing")
    # Installed, but the user has only the roles of ITSM.
    system.sandbox.post("accounts", {"vendor": "servicenow", "account": "main",
                                     "security_incident_response": True})
    wait_until(lambda: "ACL Exception" in json.dumps(incident(system)), 30, "the account waits: roles")
    system.sandbox.post("accounts", {
        "vendor": "servicenow", "account": "main",
        "users": [{"user_name": "tocsin", "password": "snow-secret", "name": "Tocsin",
                   "roles": ["sn_si.analyst"]}]})
    wait_until(lambda: len(security_incidents(system)) == 1 and system.drained(), 30, "the ticket")


# ---- the command line


def test_check_show_and_test(system):
    template(system, "soc", extends="default", columns={"u_a": ".facts.event_id"})
    template(system, "bad", columns={"u_a": "1", "state": "\"6\""})
    template(system, "worse", extends="bad")
    template(system, "loop", extends="loop2")
    template(system, "loop2", extends="loop")
    answer = system.tocsin("template", "check", expect=4)
    problems = {row["name"]: row["problem"] for row in answer["templates"]}
    assert problems["soc"] is None
    assert problems["bad"] == ("templates/bad.json:4: columns.state: is not for templates: is moved by "
                               "people, and by closing")
    assert problems["worse"] == "templates/worse.json: extends: there is no template bad"
    assert "it extends itself" in problems["loop"] and "it extends itself" in problems["loop2"]

    shown = {row["column"]: row for row in system.tocsin("template", "show", "soc")["columns"]}
    assert shown["u_a"] == {"column": "u_a", "from": "soc", "expression": ".facts.event_id"}
    assert shown["impact"]["from"] == "default"
    assert "no template nobody" in system.tocsin("template", "show", "nobody", expect=1)["error"]

    event = str(FIXTURES / "defender" / "execution.in.json")
    ticket = system.tocsin("template", "test", event, "--template", "soc")
    columns = {row["name"]: row["value"] for row in ticket["columns"]}
    assert columns["u_a"] == "da638765432101234567_-1203948576"
    ticket = system.tocsin("template", "test", event)
    columns = {row["name"]: row["value"] for row in ticket["columns"]}
    assert "Alert id: da638765432101234567_-1203948576" in columns["description"]
    assert ticket["template"] == "defender" and ticket["problems"] == []
    for source in ("secure_endpoint/executed_malware", "umbrella/dns_blocked"):
        text = system.tocsin("template", "test", str(FIXTURES / f"{source}.in.json"), text=True)
        assert "short_description\n    [Example Corporation] - New Cisco Secure event [" in text
        # What the normalizer made of it does as well.
        wanted = system.tocsin("template", "test", str(FIXTURES / f"{source}.in.json"))
        again = json.loads((FIXTURES / f"{source}.want.json").read_text())
        again = again[0] if isinstance(again, list) else again
        path = system.folder / "finding.json"
        path.write_text(json.dumps(again.get("payload") or again.get("finding") or again))
        same = system.tocsin("template", "test", str(path))
        assert [c["value"] for c in same["columns"][:2]] == [c["value"] for c in wanted["columns"][:2]]


def test_a_file_is_tried_before_it_is_put_there(system):
    path = system.folder / "mine.json"
    path.write_text(json.dumps({"columns": {"u_a": "1 +"}}))
    answer = system.tocsin("template", "check", str(path), expect=4)
    assert f"{path}:1: columns.u_a: syntax error" in answer["templates"][0]["problem"]
    event = str(FIXTURES / "defender" / "execution.in.json")
    assert "syntax error" in system.tocsin("template", "test", event, "--template", str(path),
                                           expect=1)["error"]
    path.write_text(json.dumps({"columns": {"u_a": "error(\"no\")"}}))
    answer = system.tocsin("template", "test", event, "--template", str(path), expect=4)
    assert answer["problems"] == ["template mine, u_a: error: no; left out"]


def test_a_customer_that_names_no_template_is_told(system):
    system.servicenow()
    system.customer("acme", xdr=None, servicenow=settings(template="nobody"), time_zone="Europe/Berlim")
    answer = system.tocsin("setup", expect=4)
    assert "customers/acme.json: time_zone: no time zone Europe/Berlim" in json.dumps(answer["problems"])
    system.customer("acme", xdr=None, servicenow=settings(template="nobody"))
    answer = system.tocsin("setup", expect=4)
    assert "servicenow.template: there is no template nobody" in json.dumps(answer["problems"])


def test_what_the_page_shows_is_so(system):
    """Every template of docs/ticket-templates.md compiles and makes a ticket without a problem."""
    page = (pathlib.Path(__file__).parents[2] / "docs" / "ticket-templates.md").read_text()
    blocks = re.findall(r"```json templates/(\S+)\.json\n(.*?)```", page, re.S)
    assert len(blocks) == 3
    (system.config / "templates").mkdir()
    for name, text in blocks:
        (system.config / "templates" / f"{name}.json").write_text(text)
    assert all(row["state"] == "ok" for row in system.tocsin("template", "check")["templates"])
    columns = {}
    for name, _ in blocks:
        ticket = system.tocsin("template", "test", str(FIXTURES / "defender" / "execution.in.json"),
                               "--template", name)
        columns[name] = {row["name"]: row["value"] for row in ticket["columns"]}
        assert ticket["problems"] == []
    assert columns["soc"]["category"] == "security" and len(columns["soc"]["u_file_hash"]) == 64
    assert columns["sir"]["alert_sensor"] == "Microsoft Defender for Endpoint"
    assert columns["defender-fields"]["u_detection_source"] == "WindowsDefenderAtp"
    # Each message that it quotes is one that there is.
    for at, text in ((3, "\"columns\": {\n\"category\": \"security\"}"),
                     (7, "\"columns\": {\n\n\n\n\n\"u_file_hash\": \"frist\"}"),
                     (4, "\n\"columns\": {\n\"state\": \"1\"}"),
                     (4, "\n\"columns\": {\n\"u_alert_id\": \".facts.evnt_id\"}")):
        (system.config / "templates" / "soc.json").write_text("{\n" + text + "}")
        rows = {row["name"]: row["problem"] for row in system.tocsin("template", "check", expect=4)["templates"]}
        assert rows["soc"].startswith(f"templates/soc.json:{at}: ") and f"    {rows['soc']}\n" in page, rows["soc"]


def test_verify_knows_what_the_instance_would_drop(snow):
    template(snow, "soc", columns={"u_alert_id": "\"x\"", "u_nowhere": "\"x\"", "u_off": None})
    snow.customer("acme", xdr=None, servicenow=settings(template="soc"))

    def check():
        reports = snow.tocsin("customer", "verify", "acme", expect=4)["reports"]
        return {c["check"]: c for report in reports if report["kind"] == "servicenow" for c in report["checks"]}

    assert check()["template columns"]["text"] == \
        "table incident has none of these, they would be dropped: u_nowhere"
    # What the customer's instance demands and a template gives is not missing.
    snow.sandbox.post("accounts", {"vendor": "servicenow", "account": "main",
                                   "columns": {"incident": ["u_nowhere"]}, "mandatory": ["u_alert_id", "u_vip"]})
    checks = check()
    assert checks["template columns"]["result"] == "yes"
    assert checks["mandatory columns"]["text"] == "a ticket needs values for: u_vip"
